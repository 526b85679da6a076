  ;; --- rides ---
  ;; A ride is a row of callbacks, each shown a piece of a message that is known beforehand, and expected to leave
  ;; another. A step of it: 0 slot of the callback, 4 kind (a map's, or 16 + a body's), 8 content, 12 its size, 16 what
  ;; the callback is told of it (number of headers, or size), 20 end of stream, 24 what is expected to be left (0: the
  ;; same), 28 its size, 32 rules, 36 flags of the map.

  ;; Put a step's content where the module finds it, and nothing else of the stream.
  (func $show_step (param $step i32) (local $kind i32) (local $at i32) (local $size i32)
    (local.set $kind (i32.load $m offset=4 (local.get $step)))
    (local.set $size (i32.load $m offset=12 (local.get $step)))
    (local.set $at (i32.load $m (i32.const @HEAP)))
    (memory.copy $m $m (local.get $at) (i32.load $m offset=8 (local.get $step)) (local.get $size))
    (i32.store $m (i32.const @HEAP)
      (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 15)) (i32.const -8)))
    (call $hide)
    (if (i32.lt_u (local.get $kind) (i32.const 16))
      (then
        (i32.store $m (i32.const @MAPS) (local.get $at))
        (i32.store $m offset=4 (i32.const @MAPS) (i32.add (local.get $at) (i32.const 16)))
        (i32.store $m offset=8 (i32.const @MAPS) (i32.load $m (local.get $at)))
        (i32.store $m offset=12 (i32.const @MAPS) (i32.load $m (local.get $at)))
        (i32.store $m offset=16 (i32.const @MAPS) (i32.load $m offset=4 (local.get $at)))
        (i32.store $m offset=20 (i32.const @MAPS) (i32.load $m offset=8 (local.get $at)))
        (i32.store $m offset=24 (i32.const @MAPS) (i32.load $m offset=32 (local.get $step)))
        (i32.store $m offset=28 (i32.const @MAPS) (i32.load $m offset=36 (local.get $step)))
        (i32.store $m (i32.const @MAP_COUNT) (i32.const 1))
        (i32.store $m offset=@READ (i32.shl (local.get $kind) (i32.const 2)) (i32.const @MAPS))
        (i32.store $m offset=@WRITE (i32.shl (local.get $kind) (i32.const 2)) (i32.const @MAPS)))
      (else
        (local.set $kind (i32.sub (local.get $kind) (i32.const 16)))
        ;; trailers can be made of a body's last piece, not here
        (i32.store $m offset=@WRITE (i32.const 4) (i32.const 0))
        (i32.store $m offset=@WRITE (i32.const 12) (i32.const 0))
        (i32.store $m offset=@BODIES (i32.shl (local.get $kind) (i32.const 2))
          (i32.add (i32.const @BUFFERS) (i32.shl (local.get $kind) (i32.const 4))))
        (local.set $kind (i32.add (i32.const @BUFFERS) (i32.shl (local.get $kind) (i32.const 4))))
        (i32.store $m (local.get $kind) (local.get $at))
        (i32.store $m offset=4 (local.get $kind) (local.get $size))
        (i32.store $m offset=8 (local.get $kind) (i32.const 0)))))

  (func $call_step (param $step i32) (param $context i32) (result i32) (local $slot i32) (local $kind i32)
    (local.set $slot (i32.load $m (local.get $step)))
    (local.set $kind (i32.load $m offset=4 (local.get $step)))
    (if (i32.eqz (i32.or (i32.and (local.get $kind) (i32.const 1)) (i32.and (local.get $kind) (i32.const 16))))
      (then
        (return (call $headers (local.get $context) (i32.load $m offset=16 (local.get $step))
          (i32.load $m offset=20 (local.get $step)) (local.get $slot)))))
    (if (ref.is_null (table.get $table (local.get $slot))) (then (return (i32.const @MISSING))))
    (if (i32.and (local.get $kind) (i32.const 16))
      (then
        (return (call_indirect $table (param i32 i32 i32) (result i32) (local.get $context)
          (i32.load $m offset=16 (local.get $step)) (i32.load $m offset=20 (local.get $step)) (local.get $slot)))))
    (call_indirect $table (param i32 i32) (result i32) (local.get $context)
      (i32.load $m offset=16 (local.get $step)) (local.get $slot)))

  ;; Whether the module has left what was expected; then its doing is forgotten.
  (func $as_expected (param $step i32) (result i32) (local $pending i32) (local $expected i32) (local $packed i32)
    (local.set $pending (i32.load $m (i32.const @PENDING)))
    (local.set $expected (i32.load $m offset=24 (local.get $step)))
    (if (i32.and (local.get $pending) (i32.const @P_BODIES)) (then (return (i32.const 0))))
    (if (i32.and (local.get $pending) (i32.const @P_MAPS))
      (then
        (call $pack_maps)
        (if (i32.eqz (local.get $expected)) (then (return (i32.const 0))))
        (local.set $packed (i32.load $m (i32.const @MAPS)))
        (if (i32.ne (i32.load $m offset=4 (i32.const @MAPS)) (i32.load $m offset=28 (local.get $step)))
          (then (return (i32.const 0))))
        (if (i32.eqz (call $equal (local.get $packed) (local.get $expected) (i32.load $m offset=28 (local.get $step))))
          (then (return (i32.const 0))))
        (i32.store $m (i32.const @PENDING) (i32.and (local.get $pending) (i32.const -3)))
        (i32.store $m (i32.const @PACKED) (i32.const 0))
        (i32.store $m (i32.const @CHANGED) (i32.const 0)))
      (else
        (if (local.get $expected) (then (return (i32.const 0))))))
    (i32.store $m (i32.const @MAP_COUNT) (i32.const 0))
    (i32.store $m (i32.const @HEAP) (i32.const @HEAP_START))
    (i32.const 1))

  ;; How many steps went as expected; @SECOND is what the last callback returned. The first that did not is left as it
  ;; is. @STEP counts callbacks, the creation too.
  (func (export "ride") (param $ride i32) (param $context i32) (param $parent i32) (result i32)
    (local $step i32) (local $left i32) (local $gone i32) (local $result i32)
    (call $begin)
    (local.set $left (i32.load $m (local.get $ride)))
    (local.set $step (i32.add (local.get $ride) (i32.const @RIDE_STEPS)))
    (i32.store $m (i32.const @SECOND) (i32.const @MISSING))
    (block $out
      (if (i32.load $m offset=4 (local.get $ride))
        (then
          (call $hide)
          (if (i32.eqz (ref.is_null (table.get $table (i32.const @ON_CREATE))))
            (then (call_indirect $table (param i32 i32) (local.get $context) (local.get $parent) (i32.const @ON_CREATE))))
          (br_if $out (i32.eqz (call $step)))))
      (loop $steps
        (call $show_step (local.get $step))
        (local.set $result (call $call_step (local.get $step) (local.get $context)))
        (i32.store $m (i32.const @SECOND) (local.get $result))
        (i32.store $m (i32.const @STEP) (i32.add (i32.load $m (i32.const @STEP)) (i32.const 1)))
        (br_if $out (i32.load $m (i32.const @BREAK)))
        (br_if $out (i32.and (i32.ne (local.get $result) (i32.const 0)) (i32.ne (local.get $result) (i32.const @MISSING))))
        (br_if $out (i32.eqz (call $as_expected (local.get $step))))
        (local.set $gone (i32.add (local.get $gone) (i32.const 1)))
        (local.set $step (i32.add (local.get $step) (i32.const @RIDE_STEP_SIZE)))
        (br_if $out (i32.ge_u (local.get $gone) (local.get $left)))
        (if (i32.load $m (i32.const @LAPS)) (then (drop (call $ask (i32.const @PY_LAP) (i32.const 0) (i32.const 0)))))
        (br $steps)))
    (call $end)
    (local.get $gone))
