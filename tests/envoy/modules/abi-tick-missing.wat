;; Asks for ticks and has nothing to receive them with.
(module
  (import "env" "proxy_set_tick_period_milliseconds" (func $period (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (drop (call $period (i32.const 20)))
    (drop (call $period (i32.const -1)))
    (drop (call $period (i32.const 20)))
    (i32.const 1))
)
