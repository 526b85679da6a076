;; Shared data between VMs: logs what is pinned up, then pins up its plugin configuration. VMs of one vm_id share
;; the board, whatever else they differ in.
(module
  (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "notice")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func $read
    (i32.store (i32.const 128) (i32.const 0))
    (i32.store (i32.const 132) (i32.const 0))
    (drop (call $get (i32.const 0) (i32.const 6) (i32.const 128) (i32.const 132) (i32.const 136)))
    (drop (call $log (i32.const 2) (i32.load (i32.const 128)) (i32.load (i32.const 132)))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $read)
    (drop (call $bytes (i32.const 7) (i32.const 0) (i32.const 99) (i32.const 128) (i32.const 132)))
    (drop (call $set (i32.const 0) (i32.const 6) (i32.load (i32.const 128)) (i32.load (i32.const 132)) (i32.const 0)))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (call $read) (i32.const 0))
)
