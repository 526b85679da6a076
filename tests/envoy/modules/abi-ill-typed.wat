;; Well-formed bytes, but the types do not fit: an addition of one operand.
(module

  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (result i32) (i32.add (i32.const 1)))
)
