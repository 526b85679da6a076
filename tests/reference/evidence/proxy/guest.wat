;; Waits on WASI's clock for a tenth of a millisecond: no two runs read it equally often.
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func $now (result i64)
    (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 16)))
    (i64.load (i32.const 16)))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $end i64)
    (local.set $end (i64.add (call $now) (i64.const 100000)))
    (loop $wait (br_if $wait (i64.lt_u (call $now) (local.get $end))))
    (i32.const 0)))
