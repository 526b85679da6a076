;; Asks for properties in every callback. The plugin configuration names them: "request.path response.code". A word
;; is a path, its dots the separators. A value of 8 bytes is shown as a number in the trace (by a call that is
;; refused), any other one is logged; none when the host has left the out pointers alone.
(module
  (import "env" "proxy_get_property" (func $get (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (global $words (mut i32) (i32.const 0))  ;; of this plugin; every VM of the cases has one
  (global $end (mut i32) (i32.const 0))
  (func (export "proxy_abi_version_0_2_1"))
  ;; The configuration stays at 4096, every other block is short-lived.
  (func (export "malloc") (param $size i32) (result i32)
    (if (result i32) (global.get $words) (then (i32.const 32768)) (else (i32.const 4096))))
  (func $ask (param $path i32) (param $size i32)
    (i32.store (i32.const 64) (i32.const -1))
    (i32.store (i32.const 68) (i32.const -1))
    (drop (call $get (local.get $path) (local.get $size) (i32.const 64) (i32.const 68)))
    (if (i32.eq (i32.load (i32.const 68)) (i32.const 8))
      (then (drop (call $record (i32.const 0) (i64.load (i32.load (i32.const 64))))))
      (else
        (if (i32.ne (i32.load (i32.const 68)) (i32.const -1))
          (then (drop (call $log (i32.const 2) (i32.load (i32.const 64)) (i32.load (i32.const 68)))))))))
  (func $ask_all (local $word i32) (local $at i32)
    (local.set $word (global.get $words))
    (local.set $at (global.get $words))
    (loop $next
      (if (i32.or (i32.eq (local.get $at) (global.get $end))
                  (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x20)))
        (then
          (call $ask (local.get $word) (i32.sub (local.get $at) (local.get $word)))
          (local.set $word (i32.add (local.get $at) (i32.const 1)))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.le_u (local.get $at) (global.get $end)))))
  ;; Reads the configuration, turns "." into NUL.
  (func $read (local $at i32)
    (drop (call $bytes (i32.const 7) (i32.const 0) (i32.const 9999) (i32.const 64) (i32.const 68)))
    (local.set $at (i32.load (i32.const 64)))
    (global.set $words (local.get $at))
    (global.set $end (i32.add (local.get $at) (i32.load (i32.const 68))))
    (loop $next
      (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x2e)) (then (i32.store8 (local.get $at) (i32.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $at) (global.get $end)))))
  (func (export "proxy_on_context_create") (param i32 i32)
    (if (i32.eqz (global.get $words)) (then (call $read)))
    (call $ask_all))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (call $ask_all) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (call $ask_all) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $ask_all) (i32.const 0))
  (func (export "proxy_on_request_body") (param i32 i32 i32) (result i32) (call $ask_all) (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (call $ask_all) (i32.const 0))
  (func (export "proxy_on_response_body") (param i32 i32 i32) (result i32) (call $ask_all) (i32.const 0))
  (func (export "proxy_on_log") (param i32) (call $ask_all))
  (func (export "proxy_on_done") (param i32) (result i32) (call $ask_all) (i32.const 1))
  (func (export "proxy_on_delete") (param i32) (call $ask_all))
)
