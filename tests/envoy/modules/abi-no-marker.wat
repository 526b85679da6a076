;; No ABI marker among the functions: an unknown version, and a global that only has the name of a known one.
(module

  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_3_0"))
  (global (export "proxy_abi_version_0_2_1") i32 (i32.const 1))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
)
