;; A host call that an allocator may not make, some functions deep: the backtrace goes through the host to the caller.
(module
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_done" (func $done (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func $inner (drop (call $done)))
  (func $allocate (export "malloc") (param i32) (result i32) (call $inner) (i32.const 4096))
  (func $read (drop (call $bytes (i32.const 7) (i32.const 0) (i32.const 99) (i32.const 64) (i32.const 68))))
  (func $configure (export "proxy_on_configure") (param i32 i32) (result i32) (call $read) (i32.const 1))
)
