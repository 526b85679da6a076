;; A reactor whose main takes no arguments: _initialize and __main_void are run, _start is not.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "_initialize")
  (data (i32.const 16) "_start")
  (data (i32.const 32) "main")
  (data (i32.const 48) "__main_void")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 4096))
  (func (export "_initialize") (drop (call $log (i32.const 2) (i32.const 0) (i32.const 11))))
  (func (export "_start") (drop (call $log (i32.const 2) (i32.const 16) (i32.const 6))))
  (func (export "__main_void") (result i32) (call $log (i32.const 2) (i32.const 48) (i32.const 11)))
)
