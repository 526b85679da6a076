;; A filter whose work is easy to count: two host calls for a request's headers, and one for each piece of its body, all
;; of whose bytes it adds up.
;;
;; A digit as configuration makes it crash at that request of its VM.
(module
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $get_bytes (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 4)
  (global $free (mut i32) (i32.const 16384))
  (global $crash_at (mut i32) (i32.const 0))
  (global $seen (mut i32) (i32.const 0))
  (global $sum (mut i32) (i32.const 0))

  (data (i32.const 0) ":path")          ;; 5
  (data (i32.const 16) "x-inspected")   ;; 11
  (data (i32.const 32) "yes")           ;; 3

  (func (export "proxy_abi_version_0_2_1"))

  ;; Memory for what the host hands over: from a ring, as nothing is kept for long.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $place i32)
    (if (i32.gt_u (i32.add (global.get $free) (local.get $size)) (i32.const 262144))
      (then (global.set $free (i32.const 16384))))
    (local.set $place (global.get $free))
    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8)))
    (local.get $place))

  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))

  ;; Buffer 7 is the plugin's configuration.
  (func (export "proxy_on_configure") (param $context i32) (param $size i32) (result i32)
    (if (local.get $size)
      (then
        (if (i32.eqz (call $get_bytes (i32.const 7) (i32.const 0) (i32.const 1) (i32.const 512) (i32.const 516)))
          (then (global.set $crash_at (i32.sub (i32.load8_u (i32.load (i32.const 512))) (i32.const 48)))))))
    (i32.const 1))

  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
    (if (i32.eq (global.get $seen) (global.get $crash_at)) (then unreachable))
    (drop (call $get_header (i32.const 0) (i32.const 0) (i32.const 5) (i32.const 512) (i32.const 516)))
    (drop (call $add_header (i32.const 0) (i32.const 16) (i32.const 11) (i32.const 32) (i32.const 3)))
    (i32.const 0))

  ;; Buffer 0 is the request's body.
  (func (export "proxy_on_request_body") (param $context i32) (param $size i32) (param $end i32) (result i32)
    (local $at i32) (local $stop i32)
    (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
    (if (call $get_bytes (i32.const 0) (i32.const 0) (local.get $size) (i32.const 512) (i32.const 516))
      (then (return (i32.const 0))))
    (local.set $at (i32.load (i32.const 512)))
    (local.set $stop (i32.add (local.get $at) (i32.load (i32.const 516))))
    (loop $next
      (global.set $sum (i32.add (global.get $sum) (i32.load8_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $stop))))
    (i32.const 0)))
