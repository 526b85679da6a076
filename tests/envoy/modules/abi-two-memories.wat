;; Imports two memories: the host makes what a module imports, and has room for one.
(module
  (import "env" "memory" (memory 1))
  (import "env" "more" (memory 1))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
)
