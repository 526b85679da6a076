;; The end of root contexts. Root 1 is done at once, every other context says "not yet" (which streams cannot).
;; On its way out, root 1 finishes root 2: while root 2 waits, proxy_done is accepted once, and root 2 is deleted
;; after root 1's callback. At any other time proxy_done finds nothing to finish.
(module
  (import "env" "proxy_done" (func $done (result i32)))
  (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_log") (param i32)
    (drop (call $done)))
  (func (export "proxy_on_done") (param $context i32) (result i32)
    (drop (call $done))
    (if (i32.ne (local.get $context) (i32.const 1)) (then (return (i32.const 0))))
    (drop (call $effective (i32.const 2)))
    (drop (call $done))
    (drop (call $done))
    (i32.const 1))
  (func (export "proxy_on_delete") (param i32)
    (drop (call $done)))
)
