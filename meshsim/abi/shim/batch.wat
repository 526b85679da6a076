  ;; --- batches ---
  ;; Many streams, one behind the other, each of a request and a response without bodies. The table is in the part of $m
  ;; that grows: 0 rules and 4 flags of request maps, 8 and 12 of response maps, 16 where the next changed block goes,
  ;; 20 the end of the room for them; from 32 on the rows. A row: 0 request block, 4 its size, 8 response block (0:
  ;; none), 12 its size; filled in here: 16 and 20 what the headers callbacks returned, 24 the request's changed block
  ;; (0: not changed), 28 its size, 32 and 36 the response's, 40 where its log records end (as if none had been taken), 44 callbacks that are over.

  ;; Copy a block to where it may be changed, with a descriptor.
  (func $place_block (param $map i32) (param $block i32) (param $size i32) (param $rules i32) (param $flags i32)
    (local $at i32)
    (local.set $at (i32.load $m (i32.const @HEAP)))
    (memory.copy $m $m (local.get $at) (local.get $block) (local.get $size))
    (i32.store $m (i32.const @HEAP)
      (i32.and (i32.add (i32.add (local.get $at) (local.get $size)) (i32.const 15)) (i32.const -8)))
    (call $describe (local.get $map) (local.get $at) (local.get $rules) (local.get $flags)))

  ;; A descriptor for a block, which stays where it is.
  (func $describe (param $map i32) (param $at i32) (param $rules i32) (param $flags i32)
    (i32.store $m (local.get $map) (local.get $at))
    (i32.store $m offset=4 (local.get $map) (i32.add (local.get $at) (i32.const 16)))
    (i32.store $m offset=8 (local.get $map) (i32.load $m (local.get $at)))
    (i32.store $m offset=12 (local.get $map) (i32.load $m (local.get $at)))
    (i64.store $m offset=16 (local.get $map) (i64.load $m offset=4 (local.get $at)))
    (i32.store $m offset=24 (local.get $map) (local.get $rules))
    (i32.store $m offset=28 (local.get $map) (local.get $flags)))

  ;; A headers callback of a row: $side is 0 for the request, 8 for the response. Whether the row goes on.
  (func $row_headers (param $table i32) (param $row i32) (param $side i32) (param $context i32) (param $slot i32)
    (result i32) (local $kind i32) (local $result i32) (local $part i32)
    (local.set $part (i32.add (local.get $row) (local.get $side)))
    (local.set $kind (i32.shr_u (local.get $side) (i32.const 2)))
    (call $hide)
    (call $place_block (i32.const @MAPS) (i32.load $m (local.get $part)) (i32.load $m offset=4 (local.get $part))
      (i32.load $m (i32.add (local.get $table) (local.get $side)))
      (i32.load $m offset=4 (i32.add (local.get $table) (local.get $side))))
    (i32.store $m (i32.const @MAP_COUNT) (i32.const 1))
    (i32.store $m offset=@READ (i32.shl (local.get $kind) (i32.const 2)) (i32.const @MAPS))
    (i32.store $m offset=@WRITE (i32.shl (local.get $kind) (i32.const 2)) (i32.const @MAPS))
    (local.set $result
      (call $headers (local.get $context) (i32.load $m (i32.load $m (local.get $part))) (i32.const 1) (local.get $slot)))
    (i32.store $m offset=16 (i32.add (local.get $row) (i32.shr_u (local.get $side) (i32.const 1))) (local.get $result))
    (i32.store $m (i32.const @STEP) (i32.add (i32.load $m (i32.const @STEP)) (i32.const 1)))
    (if (i32.load $m (i32.const @BREAK)) (then (return (i32.const 0))))
    (if (i32.and (i32.load $m (i32.const @PENDING)) (i32.const @P_MAPS))
      (then
        (if (i32.and (i32.load $m offset=28 (i32.const @MAPS)) (i32.const @DIRTY))
          (then
            (i32.store $m (i32.const @PACKED) (i32.load $m offset=16 (local.get $table)))
            (call $pack (i32.const @MAPS))
            (i32.store $m offset=24 (local.get $part) (i32.load $m (i32.const @MAPS)))
            (i32.store $m offset=28 (local.get $part) (i32.load $m offset=4 (i32.const @MAPS)))
            ;; blocks begin at whole words
            (i32.store $m offset=16 (local.get $table)
              (i32.and (i32.add (i32.load $m (i32.const @PACKED)) (i32.const 15)) (i32.const -8)))
            (i32.store $m (i32.const @PACKED) (i32.const 0))))
        (i32.store $m (i32.const @PENDING) (i32.and (i32.load $m (i32.const @PENDING)) (i32.const -3)))
        (i32.store $m (i32.const @CHANGED) (i32.const 0))))
    (i32.store $m (i32.const @MAP_COUNT) (i32.const 0))
    (i32.store $m (i32.const @HEAP) (i32.const @HEAP_START))
    (i32.or (i32.eqz (local.get $result)) (i32.eq (local.get $result) (i32.const @MISSING))))

  ;; What a module may read while it logs: the headers as they are in the end.
  (func $show_logged (param $table i32) (param $row i32) (param $side i32) (param $map i32) (local $part i32)
    (local.set $part (i32.add (local.get $row) (local.get $side)))
    (i32.store $m offset=@READ (local.get $side) (i32.const @ABSENT_LOGGING))
    (i32.store $m offset=@READ (i32.add (local.get $side) (i32.const 4)) (i32.const @ABSENT_LOGGING))
    (if (i32.load $m (local.get $part))
      (then
        (if (i32.load $m offset=24 (local.get $part)) (then (local.set $part (i32.add (local.get $part) (i32.const 24)))))
        (call $describe (local.get $map) (i32.load $m (local.get $part))
          (i32.load $m (i32.add (local.get $table) (local.get $side)))
          (i32.load $m offset=4 (i32.add (local.get $table) (local.get $side))))
        (i32.store $m offset=@READ (local.get $side) (local.get $map)))))

  ;; One stream; whether it came to its end.
  (func $row (param $table i32) (param $row i32) (param $context i32) (param $parent i32) (result i32)
    (i32.store $m (i32.const @STEP) (i32.const 0))
    (call $hide)
    (if (i32.eqz (ref.is_null (table.get $table (i32.const @ON_CREATE))))
      (then (call_indirect $table (param i32 i32) (local.get $context) (local.get $parent) (i32.const @ON_CREATE))))
    (if (i32.eqz (call $step)) (then (return (i32.const 0))))
    (if (i32.eqz (call $row_headers (local.get $table) (local.get $row) (i32.const 0) (local.get $context)
          (i32.const @ON_REQUEST_HEADERS)))
      (then (return (i32.const 0))))
    (if (i32.load $m offset=8 (local.get $row))
      (then
        (if (i32.eqz (call $row_headers (local.get $table) (local.get $row) (i32.const 8) (local.get $context)
              (i32.const @ON_RESPONSE_HEADERS)))
          (then (return (i32.const 0)))))
      (else (i32.store $m (i32.const @STEP) (i32.const 3))))
    (if (i32.eqz (ref.is_null (table.get $table (i32.const @ON_LOG))))
      (then
        (call $hide)
        (call $show_logged (local.get $table) (local.get $row) (i32.const 0) (i32.const @MAPS))
        (call $show_logged (local.get $table) (local.get $row) (i32.const 8) (i32.add (i32.const @MAPS) (i32.const @MAP_SIZE)))
        (i32.store $m (i32.const @MAP_COUNT) (i32.const 2))
        (call_indirect $table (param i32) (local.get $context) (i32.const @ON_LOG))
        (if (i32.eqz (i32.load $m (i32.const @BREAK)))
          (then
            (i32.store $m (i32.const @MAP_COUNT) (i32.const 0))
            (i32.store $m (i32.const @HEAP) (i32.const @HEAP_START))))))
    (if (i32.eqz (call $step)) (then (return (i32.const 0))))
    (call $hide)
    (call $done_and_delete (local.get $context))
    (i32.store $m offset=40 (local.get $row)
      (i32.add (i32.load $m (i32.const @LOG_END)) (i32.load $m (i32.const @LOGGED))))
    (i32.eq (i32.load $m (i32.const @STEP)) (i32.const 6)))

  ;; Rows from one on, under contexts of rising numbers: how many came to their end. The next one did not, unless it had
  ;; no room; @STEP of its callbacks are over.
  (func (export "batch") (param $table i32) (param $row i32) (param $left i32) (param $context i32) (param $parent i32)
    (result i32) (local $gone i32)
    (call $begin)
    (block $out
      (loop $rows
        (i32.store $m (i32.const @STEP) (i32.const 0))
        (br_if $out (i32.eqz (local.get $left)))
        (br_if $out (i32.gt_u (i32.load $m (i32.const @LOG_END)) (i32.sub (i32.const @LOG_LIMIT) (i32.const 0x8000))))
        (br_if $out (i32.gt_u (i32.load $m offset=16 (local.get $table)) (i32.load $m offset=20 (local.get $table))))
        (i32.store $m (i32.const @ROW) (local.get $row))
        (br_if $out (i32.eqz (call $row (local.get $table) (local.get $row) (local.get $context) (local.get $parent))))
        (local.set $gone (i32.add (local.get $gone) (i32.const 1)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (local.set $context (i32.add (local.get $context) (i32.const 1)))
        (local.set $row (i32.add (local.get $row) (i32.const @ROW_SIZE)))
        (br $rows)))
    (call $end)
    (local.get $gone))
