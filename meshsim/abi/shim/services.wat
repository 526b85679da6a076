  ;; --- log, time ---

  (func $proxy_log (param $level i32) (param $at i32) (param $size i32) (result i32) (local $to i32)
    (if (i32.gt_u (local.get $level) (i32.const 5)) (then (return (i32.const 2))))
    (if (call $outside (local.get $at) (local.get $size)) (then (return (i32.const 6))))
    (if (i32.eqz (i32.load $m (i32.const @LOGS))) (then (return (i32.const 0))))
    (local.set $to (i32.load $m (i32.const @LOG_END)))
    (if (i32.or (i32.gt_u (local.get $size) (i32.const @LOG_MAX))
                (i32.gt_u (i32.add (local.get $to) (i32.add (local.get $size) (i32.const 8))) (i32.const @LOG_LIMIT)))
      (then (return (i32.const @SLOW))))
    (i32.store $m (local.get $to) (local.get $level))
    (i32.store $m offset=4 (local.get $to) (local.get $size))
    (memory.copy $m $g (i32.add (local.get $to) (i32.const 8)) (local.get $at) (local.get $size))
    (i32.store $m (i32.const @LOG_END) (i32.add (local.get $to) (i32.add (local.get $size) (i32.const 8))))
    (call $pend (i32.const @P_LOG))
    (i32.const 0))

  (func $proxy_get_log_level (param $out i32) (result i32)
    (if (call $outside (local.get $out) (i32.const 4)) (then (return (i32.const 6))))
    (i32.store $g (local.get $out) (i32.load $m (i32.const @LOG_LEVEL)))
    (i32.const 0))

  (func $proxy_get_current_time_nanoseconds (param $out i32) (result i32)
    (if (i64.eqz (i64.load $m (i32.const @WALL))) (then (return (i32.const @SLOW))))
    (i32.store $m (i32.const @CLOCKS) (i32.add (i32.load $m (i32.const @CLOCKS)) (i32.const 1)))
    (if (call $outside (local.get $out) (i32.const 8)) (then (return (i32.const 6))))
    (i64.store $g (local.get $out)
      (i64.add (i64.load $m (i32.const @WALL))
        (i64.add
          (i64.mul (i64.load $m (i32.const @HOST_CALL_NS)) (i64.extend_i32_u (i32.load $m (i32.const @CALLS))))
          (i64.mul (i64.load $m (i32.const @CLOCK_NS)) (i64.extend_i32_u (i32.load $m (i32.const @CLOCKS)))))))
    (i32.const 0))

  ;; --- properties that never change ---

  (func $proxy_get_property (param $path i32) (param $size i32) (param $at_out i32) (param $size_out i32) (result i32)
    (local $known i32) (local $end i32)
    (if (call $outside (local.get $path) (local.get $size)) (then (return (i32.const 6))))
    (if (i32.gt_u (local.get $size) (i32.const @PATH_MAX)) (then (return (i32.const @SLOW))))
    (local.set $known (i32.const @KNOWN))
    (local.set $end (i32.add (i32.const @KNOWN) (i32.shl (i32.load $m (i32.const @PROPERTIES)) (i32.const 5))))
    (if (i32.lt_u (local.get $known) (local.get $end))
      (then (memory.copy $m $g (i32.const @SCRATCH) (local.get $path) (local.get $size))))
    (loop $each
      (if (i32.lt_u (local.get $known) (local.get $end))
        (then
          (if (i32.and (i32.eq (i32.load $m offset=8 (local.get $known)) (local.get $size))
                       (i32.eq (i32.load $m (local.get $known)) (i32.load $m (i32.const @ROOT))))
            (then
              (if (call $equal (i32.load $m offset=4 (local.get $known)) (i32.const @SCRATCH) (local.get $size))
                (then
                  (return (call $give (i32.load $m offset=12 (local.get $known)) (i32.load $m offset=16 (local.get $known))
                    (local.get $at_out) (local.get $size_out)))))))
          (local.set $known (i32.add (local.get $known) (i32.const 32)))
          (br $each))))
    (i32.const @SLOW))

  ;; --- metrics ---

  ;; Whether a metric of kind 0, 1 or 2 is defined.
  (func $defined (param $metric i32) (result i32)
    (i32.and
      (i32.ge_u (local.get $metric) (i32.const 4))
      (i32.lt_u (local.get $metric)
        (i32.load $m offset=@NEXT_COUNTER (i32.shl (i32.and (local.get $metric) (i32.const 3)) (i32.const 2))))))

  (func $count (param $metric i32) (param $delta i64) (result i32) (local $at i32)
    (local.set $at (i32.shr_u (local.get $metric) (i32.const 2)))
    (if (i32.ge_u (local.get $at) (i32.const @COUNTERS)) (then (return (i32.const @SLOW))))
    (local.set $at (i32.shl (local.get $at) (i32.const 3)))
    (i64.store $m offset=@COUNTS (local.get $at) (i64.add (i64.load $m offset=@COUNTS (local.get $at)) (local.get $delta)))
    (call $pend (i32.const @P_COUNTS))
    (i32.const 0))

  (func $operate (param $metric i32) (param $adds i32) (param $value i64) (result i32) (local $to i32)
    (local.set $to (i32.load $m (i32.const @OPS_END)))
    (if (i32.ge_u (local.get $to) (i32.const @OPS_LIMIT)) (then (return (i32.const @SLOW))))
    (i32.store $m (local.get $to) (local.get $metric))
    (i32.store $m offset=4 (local.get $to) (local.get $adds))
    (i64.store $m offset=8 (local.get $to) (local.get $value))
    (i32.store $m (i32.const @OPS_END) (i32.add (local.get $to) (i32.const 16)))
    (call $pend (i32.const @P_OPS))
    (i32.const 0))

  (func $proxy_increment_metric (param $metric i32) (param $delta i64) (result i32) (local $kind i32)
    (local.set $kind (i32.and (local.get $metric) (i32.const 3)))
    (if (i32.gt_u (local.get $kind) (i32.const 1)) (then (return (i32.const 2))))
    (if (i32.and (i32.eqz (local.get $kind)) (i64.le_s (local.get $delta) (i64.const 0))) (then (return (i32.const 2))))
    (if (i32.eqz (call $defined (local.get $metric))) (then (return (i32.const 1))))
    (if (local.get $kind) (then (return (call $operate (local.get $metric) (i32.const 1) (local.get $delta)))))
    (call $count (local.get $metric) (local.get $delta)))

  (func $proxy_record_metric (param $metric i32) (param $value i64) (result i32) (local $kind i32)
    (local.set $kind (i32.and (local.get $metric) (i32.const 3)))
    (if (i32.eq (local.get $kind) (i32.const 3)) (then (return (i32.const 1))))
    (if (i32.eqz (call $defined (local.get $metric))) (then (return (i32.const 1))))
    (if (local.get $kind) (then (return (call $operate (local.get $metric) (i32.const 0) (local.get $value)))))
    (call $count (local.get $metric) (local.get $value)))
