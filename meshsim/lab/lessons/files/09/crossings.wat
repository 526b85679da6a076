;; A filter that does nothing but cross the border: for each request it asks the host for a header that is not there, as
;; many times as its configuration says ("10").
;;
;; Strings stand at 0, results of host calls at 256, and what the host hands over at 1024.
(module
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const 0) "x-absent")                  ;; 8 bytes

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))

  ;; The configuration, a number in decimal, is read once: 7 is the buffer with the plugin's configuration.
  (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32)
    (local $at i32)
    (local $end i32)
    (drop (call $get_buffer (i32.const 7) (i32.const 0) (local.get $size) (i32.const 256) (i32.const 260)))
    (local.set $at (i32.load (i32.const 256)))
    (local.set $end (i32.add (local.get $at) (i32.load (i32.const 260))))
    (block $done
      (loop $digit
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (global.set $calls (i32.add (i32.mul (global.get $calls) (i32.const 10))
          (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $digit)))
    (i32.const 1))

  (func (export "proxy_on_request_headers") (param $context i32) (param $headers i32) (param $end i32) (result i32)
    (local $left i32)
    (local.set $left (global.get $calls))
    (block $done
      (loop $again
        (br_if $done (i32.eqz (local.get $left)))
        (drop (call $get_header (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 256) (i32.const 260)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br $again)))
    (i32.const 0)))
