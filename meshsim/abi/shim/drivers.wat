  ;; --- drivers ---

  (func $begin
    (i32.store $m (i32.const @DEPTH) (i32.add (i32.load $m (i32.const @DEPTH)) (i32.const 1)))
    (i32.store $m (i32.const @BREAK) (i32.const 0))
    (i32.store $m (i32.const @STEP) (i32.const 0)))

  (func $show
    (memory.copy $m $m (i32.const @STATES) (i32.const @PRESET) (i32.const @STATES_SIZE))
    (memory.fill $m (i32.const @PRESET) (i32.const 0) (i32.const @STATES_SIZE)))

  ;; Before a stream is shown to the module there is no map and no body.
  (func $hide
    (i64.store $m offset=@READ (i32.const 0) (i64.const 0x0000000100000001))
    (i64.store $m offset=@READ (i32.const 8) (i64.const 0x0000000100000001))
    (i64.store $m offset=@READ (i32.const 16) (i64.const 0))
    (i64.store $m offset=@READ (i32.const 24) (i64.const 0))
    (i64.store $m offset=@WRITE (i32.const 0) (i64.const 0x0000000100000001))
    (i64.store $m offset=@WRITE (i32.const 8) (i64.const 0x0000000100000001))
    (i64.store $m offset=@WRITE (i32.const 16) (i64.const 0))
    (i64.store $m offset=@WRITE (i32.const 24) (i64.const 0))
    (i64.store $m offset=@BODIES (i32.const 0) (i64.const 0x0000000100000001)))

  (func $end
    (if (i32.and (i32.load $m (i32.const @PENDING)) (i32.const @P_MAPS))
      (then (if (i32.eqz (i32.load $m (i32.const @PACKED))) (then (call $pack_maps)))))
    (i32.store $m (i32.const @DEPTH) (i32.sub (i32.load $m (i32.const @DEPTH)) (i32.const 1))))

  ;; A callback of a phase is over: whether the phase goes on.
  (func $step (result i32)
    (i32.store $m (i32.const @STEP) (i32.add (i32.load $m (i32.const @STEP)) (i32.const 1)))
    (if (i32.load $m (i32.const @BREAK)) (then (return (i32.const 0))))
    (if (i32.load $m (i32.const @LAPS)) (then (drop (call $ask (i32.const @PY_LAP) (i32.const 0) (i32.const 0)))))
    (i32.eqz (i32.load $m (i32.const @BREAK))))

  (func $headers (param $context i32) (param $count i32) (param $end i32) (param $slot i32) (result i32)
    (if (ref.is_null (table.get $table (local.get $slot))) (then (return (i32.const @MISSING))))
    (if (i32.load $m (i32.const @OLD))
      (then (return (call_indirect $table (param i32 i32) (result i32)
              (local.get $context) (local.get $count) (local.get $slot)))))
    (call_indirect $table (param i32 i32 i32) (result i32)
      (local.get $context) (local.get $count) (local.get $end) (local.get $slot)))

  ;; proxy_on_context_create and proxy_on_request_headers; @MISSING without the latter. @STEP tells how far it came.
  (func (export "open") (param $context i32) (param $parent i32) (param $count i32) (param $end i32) (result i32)
    (local $result i32)
    (call $begin)
    (call $hide)
    (if (i32.eqz (ref.is_null (table.get $table (i32.const @ON_CREATE))))
      (then (call_indirect $table (param i32 i32) (local.get $context) (local.get $parent) (i32.const @ON_CREATE))))
    (local.set $result (i32.const @MISSING))
    (if (call $step)
      (then
        (call $show)
        (local.set $result
          (call $headers (local.get $context) (local.get $count) (local.get $end) (i32.const @ON_REQUEST_HEADERS)))
        (i32.store $m (i32.const @STEP) (i32.const 2)))
      (else (call $show)))
    (call $end)
    (local.get $result))

  (func $done_and_delete (param $context i32)
    (if (i32.eqz (ref.is_null (table.get $table (i32.const @ON_DONE))))
      (then (drop (call_indirect $table (param i32) (result i32) (local.get $context) (i32.const @ON_DONE)))))
    (if (call $step)
      (then
        (if (i32.eqz (ref.is_null (table.get $table (i32.const @ON_DELETE))))
          (then (call_indirect $table (param i32) (local.get $context) (i32.const @ON_DELETE))))
        (i32.store $m (i32.const @STEP) (i32.add (i32.load $m (i32.const @STEP)) (i32.const 1))))))

  ;; proxy_on_done, proxy_on_delete
  (func (export "close") (param $context i32)
    (call $begin)
    (call $show)
    (call $done_and_delete (local.get $context))
    (call $end))

  ;; proxy_on_log, proxy_on_done, proxy_on_delete
  (func (export "finish") (param $context i32)
    (call $begin)
    (call $show)
    (if (i32.eqz (ref.is_null (table.get $table (i32.const @ON_LOG))))
      (then (call_indirect $table (param i32) (local.get $context) (i32.const @ON_LOG))))
    (if (call $step)
      (then
        (memory.fill $m (i32.const @STATES) (i32.const 0) (i32.const @STATES_SIZE))
        (call $done_and_delete (local.get $context))))
    (call $end))
