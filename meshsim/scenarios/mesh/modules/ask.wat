;; ask: a filter that asks the cluster "auth" about each request and lets it wait for the answer. A 2xx lets it pass;
;; anything else, and no answer within 500 ms, is a 403.
;;
;; Strings stand at 0, the headers of the callout at 256, which stream waits for which callout from 4096 on (1024 of
;; them), and what the host hands over from 16384 on.
(module
  (import "env" "proxy_http_call" (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $act_for (param i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)
  (data (i32.const 16) "auth")                         ;; 4 bytes
  (data (i32.const 32) ":status")                      ;; 7 bytes
  (data (i32.const 48) "not allowed\n")                ;; 12 bytes
  ;; Three pairs: their number, the sizes of each name and value, then names and values, each with a zero behind it.
  (data (i32.const 256)
    "\03\00\00\00" "\07\00\00\00" "\03\00\00\00" "\05\00\00\00" "\06\00\00\00" "\0a\00\00\00" "\04\00\00\00"
    ":method\00GET\00" ":path\00/check\00" ":authority\00auth\00")   ;; 28 + 12 + 13 + 16 = 69 bytes

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) (i32.const 16384))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))

  (func $refuse
    (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 48) (i32.const 12)
      (i32.const 0) (i32.const 0) (i32.const -1))))

  ;; Where it is kept which stream waits for a callout.
  (func $waiting (param $callout i32) (result i32)
    (i32.add (i32.const 4096) (i32.mul (i32.const 4) (i32.and (local.get $callout) (i32.const 1023)))))

  (func (export "proxy_on_request_headers") (param $stream i32) (param $count i32) (param $end i32) (result i32)
    (if (call $http_call (i32.const 16) (i32.const 4) (i32.const 256) (i32.const 69)
          (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 0))
      (then (call $refuse))
      (else (i32.store (call $waiting (i32.load (i32.const 0))) (local.get $stream))))
    (i32.const 1))                                     ;; 1: wait

  ;; No headers at all stand for no answer.
  (func (export "proxy_on_http_call_response")
    (param $root i32) (param $callout i32) (param $headers i32) (param $body i32) (param $trailers i32)
    (local $allowed i32)
    (if (i32.eqz (call $get_header (i32.const 6) (i32.const 32) (i32.const 7) (i32.const 0) (i32.const 4)))
      (then (local.set $allowed (i32.eq (i32.load8_u (i32.load (i32.const 0))) (i32.const 50)))))  ;; 50: "2"
    (drop (call $act_for (i32.load (call $waiting (local.get $callout)))))
    (if (local.get $allowed)
      (then (drop (call $continue (i32.const 0))))
      (else (call $refuse)))))
