;; Wasm's own exceptions: one that is caught, with what it carries, and one that nobody catches, which fails the VM.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (tag $oops (param i32))
  (memory (export "memory") 1)
  (data (i32.const 64) "caught in time")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))

  (func $throw (param i32) (throw $oops (local.get 0)))

  (func $outer (param i32) (call $throw (local.get 0)))

  (func $catch (param i32) (result i32)
    (block $caught (result i32)
      (try_table (catch $oops $caught) (call $outer (local.get 0)))
      unreachable))

  (func $rethrow (param i32)
    (block $caught (result exnref)
      (try_table (catch_all_ref $caught) (call $outer (local.get 0)))
      unreachable)
    throw_ref)

  (func $request (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $log (i32.const 2) (i32.const 64) (call $catch (i32.const 6))))
    (block $caught
      (try_table (catch_all $caught) (call $rethrow (i32.const 1))))
    (drop (call $log (i32.const 2) (i32.const 64) (i32.const 14)))
    (i32.const 0))

  (func $response (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (call $rethrow (i32.const 3))
    (i32.const 0))
)
