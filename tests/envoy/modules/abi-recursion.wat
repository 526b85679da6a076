;; Calls itself 50,000 times and comes back: deep, but no trap. The depth reached shows in the trace.
(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func $depth (param $left i32) (result i32)
    (if (result i32) (local.get $left)
      (then (i32.add (i32.const 1) (call $depth (i32.sub (local.get $left) (i32.const 1)))))
      (else (i32.const 0))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (call $depth (i32.const 50000)))
  (func (export "proxy_on_done") (param i32) (result i32) (call $depth (i32.const 1000)))
)
