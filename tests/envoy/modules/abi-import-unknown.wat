;; Imports what no host has; only the first is told.
(module
  (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
  (import "env" "proxy_make_tea" (func (param i32) (result i32)))
  (import "elsewhere" "thing" (func))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
)
