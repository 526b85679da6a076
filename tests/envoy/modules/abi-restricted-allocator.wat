;; An allocator that makes a host call which is not allowed there: the VM fails, in the middle of the caller's call.
(module
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_done" (func $done (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func $allocate (export "malloc") (param i32) (result i32) (drop (call $done)) (i32.const 4096))
  (func $configure (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $bytes (i32.const 7) (i32.const 0) (i32.const 99) (i32.const 64) (i32.const 68)))
    (i32.const 1))
)
