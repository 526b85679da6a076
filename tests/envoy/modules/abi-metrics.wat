;; Metrics: ids by kind, names defined twice, what each operation does to each kind, unknown ids, bad arguments.
(module
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
  (import "env" "proxy_record_metric" (func $record (param i32 i64) (result i32)))
  (import "env" "proxy_get_metric" (func $get (param i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "requests")
  (data (i32.const 16) "in.flight")
  (data (i32.const 32) "latency")
  (data (i32.const 48) "other-requests")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  ;; Show a number in the trace: calls that are refused and change nothing.
  (func $show (param i32) (drop (call $log (i32.const 6) (local.get 0) (i32.const 0))))
  (func $show_wide (param i64) (drop (call $record (i32.const 0) (local.get 0))))
  (func $new (param $kind i32) (param $name i32) (param $size i32)
    (i32.store (i32.const 128) (i32.const 0))
    (drop (call $define (local.get $kind) (local.get $name) (local.get $size) (i32.const 128)))
    (call $show (i32.load (i32.const 128))))
  (func $value (param $id i32)
    (i64.store (i32.const 136) (i64.const -7))
    (drop (call $get (local.get $id) (i32.const 136)))
    (call $show_wide (i64.load (i32.const 136))))
  (func $move (param $id i32) (param $by i64)
    (drop (call $increment (local.get $id) (local.get $by)))
    (call $value (local.get $id)))
  (func $set (param $id i32) (param $to i64)
    (drop (call $record (local.get $id) (local.get $to)))
    (call $value (local.get $id)))
  (func $all (param $id i32)
    (drop (call $increment (local.get $id) (i64.const 1)))
    (drop (call $record (local.get $id) (i64.const 1)))
    (drop (call $get (local.get $id) (i32.const 136))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (local $id i32)
    (call $new (i32.const 0) (i32.const 0) (i32.const 8))    ;; a counter: 4
    (call $new (i32.const 1) (i32.const 16) (i32.const 9))   ;; a gauge: 5
    (call $new (i32.const 2) (i32.const 32) (i32.const 7))   ;; a histogram: 6
    (call $new (i32.const 0) (i32.const 0) (i32.const 8))    ;; the same counter, by a second id: 8
    (call $new (i32.const 1) (i32.const 0) (i32.const 8))    ;; its name as a gauge
    (call $new (i32.const 0) (i32.const 48) (i32.const 14))
    (call $new (i32.const 3) (i32.const 0) (i32.const 8))    ;; no such kinds
    (call $new (i32.const -1) (i32.const 0) (i32.const 8))
    (call $new (i32.const 0) (i32.const 65530) (i32.const 8))
    (call $new (i32.const 3) (i32.const 65530) (i32.const 8))
    (drop (call $define (i32.const 0) (i32.const 0) (i32.const 8) (i32.const 65536)))  ;; uses up an id all the same
    (call $new (i32.const 0) (i32.const 48) (i32.const 14))
    (call $move (i32.const 4) (i64.const 1))                 ;; counters only go up
    (call $move (i32.const 8) (i64.const 2))
    (call $move (i32.const 4) (i64.const 0))
    (call $move (i32.const 4) (i64.const -1))
    (call $set (i32.const 4) (i64.const 3))                  ;; recording adds
    (call $set (i32.const 4) (i64.const -1))
    (call $move (i32.const 5) (i64.const 1))                 ;; gauges go both ways
    (call $move (i32.const 5) (i64.const -3))
    (call $set (i32.const 5) (i64.const 2))
    (call $move (i32.const 5) (i64.const 0))
    (call $set (i32.const 5) (i64.const -9))
    (call $set (i32.const 5) (i64.const 40))
    (call $move (i32.const 6) (i64.const 1))                 ;; histograms only record
    (call $set (i32.const 6) (i64.const 7))
    (loop $next                                              ;; ids 0 to 3 and 400 to 403 are nobody's
      (call $all (local.get $id))
      (call $all (i32.add (local.get $id) (i32.const 400)))
      (local.set $id (i32.add (local.get $id) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $id) (i32.const 4))))
    (call $all (i32.const -1))
    (drop (call $get (i32.const 4) (i32.const 65529)))
    (drop (call $get (i32.const 400) (i32.const 65529)))
    (i32.const 1))
)
