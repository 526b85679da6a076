;; A start function that asks for more than a start function may.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_current_time_nanoseconds" (func $now (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (data (i32.const 0) "allowed")
  (func $start (export "_initialize")
    (drop (call $log (i32.const 2) (i32.const 0) (i32.const 7)))
    (drop (call $now (i32.const 64))))
)
