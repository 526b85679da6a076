;; Shared data: a fresh key, compare-and-swap that holds and that fails, a missing key with a number, empty values
;; and keys, bad ranges. It runs in the canary, on the main thread and on the worker, one after the other: what one
;; leaves behind, the next one finds.
(module
  (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "key")
  (data (i32.const 16) "second")
  (data (i32.const 32) "nobody")
  (data (i32.const 48) "one")
  (data (i32.const 64) "number two")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  ;; Shows a number in the trace: level 6 is refused, so nothing is logged.
  (func $show (param i32) (drop (call $log (i32.const 6) (local.get 0) (i32.const 0))))
  (func $look (param $key i32) (param $size i32)
    (i32.store (i32.const 128) (i32.const -1))
    (i32.store (i32.const 132) (i32.const -1))
    (i32.store (i32.const 136) (i32.const -1))
    (drop (call $get (local.get $key) (local.get $size) (i32.const 128) (i32.const 132) (i32.const 136)))
    (call $show (i32.load (i32.const 136)))
    (drop (call $log (i32.const 2) (i32.load (i32.const 128)) (i32.load (i32.const 132)))))
  (func $key (call $look (i32.const 0) (i32.const 3)))
  (func $put (param $value i32) (param $size i32) (param $cas i32)
    (drop (call $set (i32.const 0) (i32.const 3) (local.get $value) (local.get $size) (local.get $cas)))
    (call $key))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $look (i32.const 32) (i32.const 6))                ;; not there
    (call $key)                                              ;; there, from the second VM on
    (call $put (i32.const 48) (i32.const 3) (i32.const 0))
    (call $put (i32.const 64) (i32.const 10) (i32.const 0))
    (call $put (i32.const 48) (i32.const 3) (i32.const 1))   ;; an old number
    (call $put (i32.const 48) (i32.const 3) (i32.load (i32.const 136)))
    (call $put (i32.const 48) (i32.const 3) (i32.const -1))
    (drop (call $set (i32.const 16) (i32.const 6) (i32.const 48) (i32.const 3) (i32.const 77)))  ;; accepted once
    (call $look (i32.const 16) (i32.const 6))
    (call $put (i32.const 0) (i32.const 0) (i32.const 0))    ;; an empty value is a value
    (drop (call $set (i32.const 0) (i32.const 0) (i32.const 48) (i32.const 3) (i32.const 0)))    ;; an empty key a key
    (call $look (i32.const 0) (i32.const 0))
    (drop (call $set (i32.const 65534) (i32.const 3) (i32.const 48) (i32.const 3) (i32.const 0)))
    (drop (call $set (i32.const 0) (i32.const 3) (i32.const 65534) (i32.const 3) (i32.const 0)))
    (drop (call $get (i32.const 65534) (i32.const 3) (i32.const 128) (i32.const 132) (i32.const 136)))
    (drop (call $get (i32.const 16) (i32.const 6) (i32.const 65536) (i32.const 132) (i32.const 136)))
    (drop (call $get (i32.const 16) (i32.const 6) (i32.const 128) (i32.const 65536) (i32.const 136)))
    (drop (call $get (i32.const 16) (i32.const 6) (i32.const 128) (i32.const 132) (i32.const 65536)))
    (drop (call $get (i32.const 32) (i32.const 6) (i32.const 65536) (i32.const 132) (i32.const 136)))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (call $put (i32.const 48) (i32.const 3) (i32.const 0))
    (i32.const 0))
)
