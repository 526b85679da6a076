;; A filter that asks another service before it lets a request pass.
;;
;;   request headers --> no `authorization`?  answer 401
;;                       else ask the cluster "auth", and pause
;;   its answer      --> 2xx: tell the next filters who it is (x-user), and go on
;;                       else: answer 403
;;
;; Strings stand at 0, the headers of the callout are put together at 4096, which stream waits for which callout is kept
;; at 8192, and what the host hands over lies from 16384 on.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call"
    (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $act_for (param i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (global $free (mut i32) (i32.const 16384))

  (data (i32.const 0) "authorization")          ;; 13
  (data (i32.const 16) "auth")                  ;; 4
  (data (i32.const 32) ":status")               ;; 7
  (data (i32.const 48) "x-user")                ;; 6
  (data (i32.const 64) "x-checked-by")          ;; 12
  (data (i32.const 80) "authorise")             ;; 9
  (data (i32.const 96) "who are you?\n")        ;; 13
  (data (i32.const 112) "not for you\n")        ;; 12
  (data (i32.const 128) "no_authorization")     ;; 16
  (data (i32.const 144) "not_authorised")       ;; 14
  (data (i32.const 160) "asking auth")          ;; 11
  ;; Four pairs: their number, the sizes of each name and value, then names and values, each with a zero behind it.
  ;; The last value, and its size at 4128, come from the request.
  (data (i32.const 4096)
    "\04\00\00\00" "\07\00\00\00" "\03\00\00\00" "\05\00\00\00" "\06\00\00\00"
    "\0a\00\00\00" "\04\00\00\00" "\0d\00\00\00" "\00\00\00\00"
    ":method\00GET\00" ":path\00/check\00" ":authority\00auth\00" "authorization\00")

  (func (export "proxy_abi_version_0_2_1"))

  ;; Memory for what the host hands over: from a ring, as nothing is kept for long.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $place i32)
    (if (i32.gt_u (i32.add (global.get $free) (local.get $size)) (i32.const 65536))
      (then (global.set $free (i32.const 16384))))
    (local.set $place (global.get $free))
    (global.set $free (i32.and (i32.add (i32.add (global.get $free) (local.get $size)) (i32.const 7)) (i32.const -8)))
    (local.get $place))

  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_context_create") (param i32 i32))

  (func $answer (param $status i32) (param $why i32) (param $why_size i32) (param $body i32) (param $body_size i32)
    (drop (call $reply (local.get $status) (local.get $why) (local.get $why_size) (local.get $body)
      (local.get $body_size) (i32.const 0) (i32.const 0) (i32.const -1))))

  ;; 1 pauses the stream, 0 lets it go on.
  (func (export "proxy_on_request_headers") (param $context i32) (param $headers i32) (param $end i32) (result i32)
    (if (call $get_header (i32.const 0) (i32.const 0) (i32.const 13) (i32.const 512) (i32.const 516))
      (then
        (call $answer (i32.const 401) (i32.const 128) (i32.const 16) (i32.const 96) (i32.const 13))
        (return (i32.const 1))))
    ;; the request's value behind the headers of the callout, cut at 1024 bytes, with a zero at its end
    (if (i32.gt_u (i32.load (i32.const 516)) (i32.const 1024))
      (then (i32.store (i32.const 516) (i32.const 1024))))
    (i32.store (i32.const 4128) (i32.load (i32.const 516)))
    (memory.copy (i32.const 4187) (i32.load (i32.const 512)) (i32.load (i32.const 516)))
    (i32.store8 (i32.add (i32.const 4187) (i32.load (i32.const 516))) (i32.const 0))
    (drop (call $log (i32.const 2) (i32.const 160) (i32.const 11)))
    (if (call $http_call (i32.const 16) (i32.const 4)
          (i32.const 4096) (i32.add (i32.const 92) (i32.load (i32.const 516)))
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 520))
      (then
        (call $answer (i32.const 503) (i32.const 144) (i32.const 14) (i32.const 112) (i32.const 12))
        (return (i32.const 1))))
    (i32.store (call $waiting (i32.load (i32.const 520))) (local.get $context))
    (i32.const 1))

  ;; Where it is kept which stream waits for a callout.
  (func $waiting (param $callout i32) (result i32)
    (i32.add (i32.const 8192) (i32.mul (i32.const 4) (i32.and (local.get $callout) (i32.const 1023)))))

  (func (export "proxy_on_http_call_response")
    (param $root i32) (param $callout i32) (param $headers i32) (param $body i32) (param $trailers i32)
    (local $allowed i32)
    (if (i32.eqz (call $get_header (i32.const 6) (i32.const 32) (i32.const 7) (i32.const 512) (i32.const 516)))
      (then (local.set $allowed (i32.eq (i32.load8_u (i32.load (i32.const 512))) (i32.const 50)))))
    (if (i32.and (local.get $allowed)
          (i32.eqz (call $get_header (i32.const 6) (i32.const 48) (i32.const 6) (i32.const 512) (i32.const 516))))
      (then
        (drop (call $act_for (i32.load (call $waiting (local.get $callout)))))
        (drop (call $add_header (i32.const 0) (i32.const 48) (i32.const 6)
          (i32.load (i32.const 512)) (i32.load (i32.const 516))))
        (drop (call $continue (i32.const 0))))
      (else
        (drop (call $act_for (i32.load (call $waiting (local.get $callout)))))
        (call $answer (i32.const 403) (i32.const 144) (i32.const 14) (i32.const 112) (i32.const 12)))))

  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $add_header (i32.const 2) (i32.const 64) (i32.const 12) (i32.const 80) (i32.const 9)))
    (i32.const 0)))
