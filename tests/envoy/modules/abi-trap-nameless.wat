;; A trap in a module without names: the error has no backtrace.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (unreachable))
  (func (export "proxy_on_log") (param i32))
)
