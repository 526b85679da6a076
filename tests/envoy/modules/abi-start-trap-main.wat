;; A reactor whose `_initialize` traps: its main function runs all the same, and the VM has failed.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "_initialize") (unreachable))
  (func (export "main") (param i32 i32) (result i32) (i32.const 0))
)
