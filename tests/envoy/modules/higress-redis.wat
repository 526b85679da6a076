;; A module of another host: the marker is that of Higress, and so are two of its imports. Each request asks for Redis
;; and logs what the host said: 12 where there is none.
(module
  (import "env" "proxy_redis_init" (func $init (param i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_redis_call" (func $call (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "redis.static")
  (data (i32.const 16) "PING")
  (func (export "proxy_abi_version_0_2_100"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  ;; two digits behind the text
  (func $tell (param $status i32)
    (i32.store8 (i32.const 32) (i32.add (i32.const 48) (i32.div_u (local.get $status) (i32.const 10))))
    (i32.store8 (i32.const 33) (i32.add (i32.const 48) (i32.rem_u (local.get $status) (i32.const 10))))
    (drop (call $log (i32.const 2) (i32.const 32) (i32.const 2))))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $tell (call $init (i32.const 0) (i32.const 12) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.const 1000)))
    (call $tell (call $call (i32.const 0) (i32.const 12) (i32.const 16) (i32.const 4) (i32.const 64)))
    (i32.const 0))
  (func (export "proxy_on_redis_call_response") (param i32 i32 i32 i32))
)
