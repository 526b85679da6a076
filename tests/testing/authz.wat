;; A filter that asks a service whether a request may pass. ABI 0.2.1.
;;
;; Each request waits while GET /check goes to the cluster "auth". The answer 200 lets it pass; any other one, and a
;; service that cannot be reached, gets it a 403. Refusals are counted in "denied". Every second a timer logs "alive".
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call"
    (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $local (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $period (param i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))

  ;; cells: 0 and 4 a value, 8 a token, 12 the metric; 256: by token (steps of four), the stream that waits
  (memory (export "memory") 1)
  (data (i32.const 32) "auth")
  (data (i32.const 40) "denied")
  (data (i32.const 48) ":status")
  (data (i32.const 56) "alive")
  (data (i32.const 64) "allowed")
  (data (i32.const 80) "unreachable")
  ;; :method GET, :path /check, :authority auth, as the ABI passes headers
  (data (i32.const 128)
    "\03\00\00\00"
    "\07\00\00\00\03\00\00\00\05\00\00\00\06\00\00\00\0a\00\00\00\04\00\00\00"
    ":method\00GET\00:path\00/check\00:authority\00auth\00")
  (global $free (mut i32) (i32.const 8192))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (if (i32.gt_u (local.get $size) (i32.const 4096)) (then (return (i32.const 0))))
    (if (i32.gt_u (global.get $free) (i32.const 60000)) (then (global.set $free (i32.const 8192))))
    (global.set $free (i32.add (global.get $free) (local.get $size)))
    (i32.sub (global.get $free) (local.get $size)))

  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $define (i32.const 0) (i32.const 40) (i32.const 6) (i32.const 12)))
    (drop (call $period (i32.const 1000)))
    (i32.const 1))
  (func (export "proxy_on_tick") (param i32)
    (drop (call $log (i32.const 1) (i32.const 56) (i32.const 5))))

  (func $waiting (param $token i32) (result i32)
    (i32.add (i32.const 256) (i32.and (local.get $token) (i32.const 0xfff))))
  (func $deny
    (drop (call $increment (i32.load (i32.const 12)) (i64.const 1)))
    (drop (call $local (i32.const 403) (i32.const 40) (i32.const 6) (i32.const 40) (i32.const 6)
      (i32.const 0) (i32.const 0) (i32.const -1))))

  (func (export "proxy_on_request_headers") (param $stream i32) (param i32 i32) (result i32)
    (if (call $http_call (i32.const 32) (i32.const 4) (i32.const 128) (i32.const 69)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 200) (i32.const 8))
      (then
        (drop (call $log (i32.const 3) (i32.const 80) (i32.const 11)))
        (call $deny)
        (return (i32.const 1))))
    (i32.store (call $waiting (i32.load (i32.const 8))) (local.get $stream))
    (i32.const 1))
  (func (export "proxy_on_http_call_response") (param i32) (param $token i32) (param i32 i32 i32)
    (i64.store (i32.const 0) (i64.const 0))
    (drop (call $get (i32.const 6) (i32.const 48) (i32.const 7) (i32.const 0) (i32.const 4)))
    (drop (call $effective (i32.load (call $waiting (local.get $token)))))
    (if (i32.eq (i32.load (i32.const 4)) (i32.const 3))
      (then (if (i32.eq (i32.and (i32.load (i32.load (i32.const 0))) (i32.const 0xffffff)) (i32.const 0x303032))
        (then
          (drop (call $log (i32.const 2) (i32.const 64) (i32.const 7)))
          (drop (call $continue (i32.const 0)))
          (return)))))
    (call $deny))
)
