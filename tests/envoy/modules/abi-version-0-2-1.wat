;; A module of ABI 0.2.1: as 0.2.0, and it may ask for the log level.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_log_level" (func $level (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) ":path")
  (data (i32.const 16) "x-absent")
  (data (i32.const 32) "\40\00\00\00\03\00\00\00")  ;; an iovec: 3 bytes at 64
  (data (i32.const 64) "up\n")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "_initialize") (drop (call $write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 128))))
  ;; The value that a host call has left at 128 (pointer) and 132 (size).
  (func $tell (drop (call $log (i32.const 2) (i32.load (i32.const 128)) (i32.load (i32.const 132)))))
  (func $look_up (param $key i32) (param $size i32)
    (i32.store (i32.const 128) (i32.const -1))
    (drop (call $get (i32.const 0) (local.get $key) (local.get $size) (i32.const 128) (i32.const 132)))
    (call $tell))
  (func $headers
    (call $look_up (i32.const 0) (i32.const 5))
    (call $look_up (i32.const 16) (i32.const 8)))
  (func $configuration
    (drop (call $bytes (i32.const 6) (i32.const 0) (i32.const 99) (i32.const 128) (i32.const 132)))
    (drop (call $bytes (i32.const 7) (i32.const 0) (i32.const 99) (i32.const 128) (i32.const 132))))
  (func (export "proxy_on_context_create") (param i32 i32) (call $configuration))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (call $configuration) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (call $configuration) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $headers)
    (drop (call $level (i32.const 128)))
    (drop (call $log (i32.const 6) (i32.load (i32.const 128)) (i32.const 0)))  ;; only shows the level in the trace
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32) (call $headers) (i32.const 0))
  (func (export "proxy_on_log") (param i32) (call $headers) (call $configuration))
  (func (export "proxy_on_done") (param i32) (result i32) (call $headers) (i32.const 1))
)
