;; Refuses to start by the size of the VM configuration, to be configured by that of the plugin: 1 says no, 2
;; traps, anything else is fine.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func $answer (param $size i32) (result i32)
    (if (i32.eq (local.get $size) (i32.const 1)) (then (return (i32.const 0))))
    (if (i32.eq (local.get $size) (i32.const 2)) (then (unreachable)))
    (i32.const 1))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param $root i32) (param $size i32) (result i32) (call $answer
      (local.get $size)))
  (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32) (call $answer
      (local.get $size)))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))
)
