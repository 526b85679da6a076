;; work: a filter that computes. Its configuration is a number N in decimal; each request costs N thousand rounds of a
;; loop. Version 2 of a filter that became slow is this one with a larger number.
(module
  ;; proxy_get_buffer_bytes(buffer, start, length, &data, &size)
  (import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))
  ;; proxy_add_header_map_value(map, key, key_size, value, value_size)
  (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))

  ;; 0 and 4: cells for an address and a size; from 1024: what the host hands over.
  (memory (export "memory") 1)
  (data (i32.const 16) "x-worked")                     ;; 8 bytes
  (data (i32.const 32) "yes")                          ;; 3 bytes
  (global $thousands (mut i32) (i32.const 0))
  (global $sum (mut i32) (i32.const 1))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))

  ;; Read the number, digit by digit.
  (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32)
    (local $at i32) (local $end i32)
    (if (i32.and (i32.ne (local.get $size) (i32.const 0))
          (i32.eqz (call $get_buffer (i32.const 7) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4))))
      (then
        (local.set $at (i32.load (i32.const 0)))
        (local.set $end (i32.add (local.get $at) (i32.load (i32.const 4))))
        (global.set $thousands (i32.const 0))
        (block $read
          (loop $digit
            (br_if $read (i32.ge_u (local.get $at) (local.get $end)))
            (global.set $thousands
              (i32.add
                (i32.mul (global.get $thousands) (i32.const 10))
                (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $digit)))))
    (i32.const 1))

  ;; A linear congruential generator: each round needs the one before, so that nothing can be left out.
  (func $work
    (local $left i32)
    (local.set $left (i32.mul (global.get $thousands) (i32.const 1000)))
    (block $done
      (loop $round
        (br_if $done (i32.eqz (local.get $left)))
        (global.set $sum (i32.add (i32.mul (global.get $sum) (i32.const 1664525)) (i32.const 1013904223)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $round))))

  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $work)
    (drop (call $add_header (i32.const 0) (i32.const 16) (i32.const 8) (i32.const 32) (i32.const 3)))
    (i32.const 0)))                                    ;; 0: go on
