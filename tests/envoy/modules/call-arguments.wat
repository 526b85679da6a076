;; Callouts with pointers and sizes from everywhere, one after the other; the trace tells what each was answered. ABI 0.2.1.
;; No callback for answers is exported, so they come and go unseen.
(module
  (import "env" "proxy_http_call" (func $http (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_call" (func $unary (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_stream" (func $stream (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_send" (func $send (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_status" (func $status (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 1000) "refused")
  (data (i32.const 1010) "Svc")
  (data (i32.const 1020) "Meth")
  (data (i32.const 1030) "\0a\09\0a\07")
  (data (i32.const 1100) "\03\00\00\00\07\00\00\00\03\00\00\00\05\00\00\00\01\00\00\00\0a\00\00\00\01\00\00\00:method\00GET\00:path\00/\00:authority\00h\00")
  (data (i32.const 1200) "\01\00\00\00\03\00\00\00\01\00\00\00x-t\001\00")
  (data (i32.const 1300) "\ff\ff\00\00\03\00\00\00\01\00\00\00x-t\001\00")
  (data (i32.const 1320) "\00\00\00\00")
  (data (i32.const 1330) "\01\00\00\00\03\00\00\00\ff\00\00\00x-t\001\00")
  (data (i32.const 1350) "\01\00\00\00\03\00\00\00\01\00\00\00x-t1")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    ;; all is well
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; upstream past the end
    (drop (call $http (i32.const 70000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; upstream of 4 GiB
    (drop (call $http (i32.const 1000) (i32.const -1) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; upstream empty
    (drop (call $http (i32.const 0) (i32.const 0) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; unknown upstream
    (drop (call $http (i32.const 1000) (i32.const 3) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; no headers
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; headers past the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 70000) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; headers end past the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 65500) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; headers without their last byte
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 60) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; headers in the middle of a size
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 27) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; only the count
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 4) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; less than a count
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 3) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; headers with a byte more
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 62) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; a count of 65535
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1300) (i32.const 18) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; no pairs
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1320) (i32.const 4) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; a size past the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1330) (i32.const 18) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; no room for NULs
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1350) (i32.const 16) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; body past the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 70000)
      (i32.const 1) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; body of 4 GiB
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 1000)
      (i32.const -1) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; empty body past the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 70000)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; a body
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 1000)
      (i32.const 7) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; trailers
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 1200) (i32.const 18) (i32.const 500) (i32.const 100)))
    ;; trailers past the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 70000) (i32.const 18) (i32.const 500) (i32.const 100)))
    ;; trailers without their last byte
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 1200) (i32.const 17) (i32.const 500) (i32.const 100)))
    ;; trailers of two bytes
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 1200) (i32.const 2) (i32.const 500) (i32.const 100)))
    ;; trailers with a count of 65535
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 1300) (i32.const 18) (i32.const 500) (i32.const 100)))
    ;; token past the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 70000)))
    ;; token across the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 65534)))
    ;; token at the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 65532)))
    ;; token unaligned
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 101)))
    ;; token 0
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 0)))
    ;; bad token for an unknown upstream
    (drop (call $http (i32.const 1000) (i32.const 3) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 500) (i32.const 70000)))
    ;; no time, and headers past the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 70000) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 100)))
    ;; no time, and token past the end
    (drop (call $http (i32.const 1000) (i32.const 7) (i32.const 1100) (i32.const 61) (i32.const 0)
      (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 70000)))
    ;; all is well
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; target past the end
    (drop (call $unary (i32.const 70000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; unknown target
    (drop (call $unary (i32.const 1000) (i32.const 3) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; target with a message cut short
    (drop (call $unary (i32.const 1030) (i32.const 4) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; service past the end
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 70000) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; method past the end
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 70000) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; metadata
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 1200) (i32.const 18) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; metadata past the end
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 70000) (i32.const 18) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; metadata without their last byte
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 1200) (i32.const 17) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; metadata of two bytes
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 1200) (i32.const 2) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; no pairs
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 1320) (i32.const 4) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 100)))
    ;; token past the end
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 70000)))
    ;; token across the end
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 65534)))
    ;; bad token for an unknown target
    (drop (call $unary (i32.const 1000) (i32.const 3) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const 7) (i32.const 500) (i32.const 70000)))
    ;; all is well
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 100)))
    ;; target past the end
    (drop (call $stream (i32.const 70000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 100)))
    ;; unknown target
    (drop (call $stream (i32.const 1000) (i32.const 3) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 100)))
    ;; target with a message cut short
    (drop (call $stream (i32.const 1030) (i32.const 4) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 100)))
    ;; service past the end
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 70000) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 100)))
    ;; method past the end
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 70000) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 100)))
    ;; metadata
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 1200) (i32.const 18) (i32.const 100)))
    ;; metadata past the end
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 70000) (i32.const 18) (i32.const 100)))
    ;; metadata without their last byte
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 1200) (i32.const 17) (i32.const 100)))
    ;; metadata of two bytes
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 1200) (i32.const 2) (i32.const 100)))
    ;; no pairs
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 1320) (i32.const 4) (i32.const 100)))
    ;; token past the end
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 70000)))
    ;; token across the end
    (drop (call $stream (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 65534)))
    ;; bad token for an unknown target
    (drop (call $stream (i32.const 1000) (i32.const 3) (i32.const 1010) (i32.const 3)
      (i32.const 1020) (i32.const 4) (i32.const 0) (i32.const 0) (i32.const 70000)))
    ;; message past the end
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 70000) (i32.const 1) (i32.const 500) (i32.const 100)))
    ;; message of 4 GiB
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 1000) (i32.const -1) (i32.const 500) (i32.const 100)))
    ;; empty message past the end
    (drop (call $unary (i32.const 1000) (i32.const 7) (i32.const 1010) (i32.const 3) (i32.const 1020) (i32.const 4)
      (i32.const 0) (i32.const 0) (i32.const 70000) (i32.const 0) (i32.const 500) (i32.const 100)))
    ;; send past the end
    (drop (call $send (i32.const 6) (i32.const 70000) (i32.const 1) (i32.const 0)))
    ;; send past the end, unknown stream
    (drop (call $send (i32.const 130) (i32.const 70000) (i32.const 1) (i32.const 0)))
    ;; send past the end to a call
    (drop (call $send (i32.const 5) (i32.const 70000) (i32.const 1) (i32.const 0)))
    ;; code past the end
    (drop (call $status (i32.const 70000) (i32.const 8) (i32.const 12)))
    ;; pointer past the end
    (drop (call $status (i32.const 4) (i32.const 70000) (i32.const 12)))
    ;; size past the end
    (drop (call $status (i32.const 4) (i32.const 8) (i32.const 70000)))
    ;; all is well
    (drop (call $status (i32.const 4) (i32.const 8) (i32.const 12)))
    (i32.const 0)))
