  ;; --- header maps ---
  ;; A map's descriptor: 0 base, 4 entries, 8 count, 12 capacity, 16 pseudo headers, 20 bytes of keys and values,
  ;; 24 rules (count, then address and size of each name that exists once), 28 flags.
  ;; An entry: offset (from base) and size of the key, then of the value.

  ;; Eight letters in lower case: a byte from A to Z is one below 128 that carries into bit 7 when 63 is added to it, and
  ;; not when 37 is.
  (func $lower (param $word i64) (result i64) (local $seven i64)
    (local.set $seven (i64.and (local.get $word) (i64.const 0x7f7f7f7f7f7f7f7f)))
    (i64.or (local.get $word)
      (i64.shr_u
        (i64.and
          (i64.and (i64.xor (local.get $word) (i64.const -1)) (i64.const 0x8080808080808080))
          (i64.xor (i64.add (local.get $seven) (i64.const 0x3f3f3f3f3f3f3f3f))
                   (i64.add (local.get $seven) (i64.const 0x2525252525252525))))
        (i64.const 2))))

  ;; The same for a whole name, of which eight letters at a time would be read out of the guest's memory.
  (func $lower_at_the_end (param $at i32) (param $size i32) (local $end i32)
    (memory.copy $m $g (i32.const @SCRATCH) (local.get $at) (local.get $size))
    (local.set $at (i32.const @SCRATCH))
    (local.set $end (i32.add (i32.const @SCRATCH) (local.get $size)))
    (loop $words
      (if (i32.lt_u (local.get $at) (local.get $end))
        (then
          (i64.store $m (local.get $at) (call $lower (i64.load $m (local.get $at))))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br $words)))))

  ;; Take a name of the guest's, in lower case; in a request, host is :authority.
  (func $read_name (param $map i32) (param $at i32) (param $size i32) (local $done i32)
    (if (call $outside (local.get $at) (i32.add (local.get $size) (i32.const 7)))
      (then (call $lower_at_the_end (local.get $at) (local.get $size)))
      (else
        (loop $words
          (if (i32.lt_u (local.get $done) (local.get $size))
            (then
              (i64.store $m offset=@SCRATCH (local.get $done)
                (call $lower (i64.load $g (i32.add (local.get $at) (local.get $done)))))
              (local.set $done (i32.add (local.get $done) (i32.const 8)))
              (br $words))))))
    (global.set $name (i32.const @SCRATCH))
    (global.set $name_size (local.get $size))
    (if (i32.eq (local.get $size) (i32.const 4))
      (then
        (if (i32.and
              (i32.eq (i32.load $m (i32.const @SCRATCH)) (i32.const 0x74736f68))
              (i32.ne (i32.and (i32.load $m offset=28 (local.get $map)) (i32.const @HOST_IS_AUTHORITY)) (i32.const 0)))
          (then
            (global.set $name (i32.const @CONSTANTS))
            (global.set $name_size (i32.const 10)))))))

  ;; The first entry of the name, or 0.
  (func $find (param $map i32) (result i32) (local $entry i32) (local $end i32) (local $base i32)
    (local.set $base (i32.load $m (local.get $map)))
    (local.set $entry (i32.load $m offset=4 (local.get $map)))
    (local.set $end (i32.add (local.get $entry) (i32.shl (i32.load $m offset=8 (local.get $map)) (i32.const 4))))
    (loop $entries
      (if (i32.lt_u (local.get $entry) (local.get $end))
        (then
          (if (i32.eq (i32.load $m offset=4 (local.get $entry)) (global.get $name_size))
            (then
              (if (call $equal (i32.add (local.get $base) (i32.load $m (local.get $entry)))
                               (global.get $name) (global.get $name_size))
                (then (return (local.get $entry))))))
          (local.set $entry (i32.add (local.get $entry) (i32.const 16)))
          (br $entries))))
    (i32.const 0))

  (func $exists_once (param $map i32) (result i32) (local $at i32) (local $end i32)
    (local.set $at (i32.load $m offset=24 (local.get $map)))
    (local.set $end (i32.add (local.get $at) (i32.shl (i32.load $m (local.get $at)) (i32.const 3))))
    (loop $names
      (if (i32.lt_u (local.get $at) (local.get $end))
        (then
          (if (i32.eq (i32.load $m offset=8 (local.get $at)) (global.get $name_size))
            (then
              (if (call $equal (i32.load $m offset=4 (local.get $at)) (global.get $name) (global.get $name_size))
                (then (return (i32.const 1))))))
          (local.set $at (i32.add (local.get $at) (i32.const 8)))
          (br $names))))
    (i32.const 0))

  ;; A new entry, with a value of the guest's: pseudo headers behind the others of their kind, the rest at the end.
  (func $insert (param $map i32) (param $value i32) (param $size i32)
    (local $count i32) (local $entry i32) (local $at i32) (local $capacity i32) (local $table i32)
    (local.set $count (i32.load $m offset=8 (local.get $map)))
    (local.set $capacity (i32.load $m offset=12 (local.get $map)))
    (if (i32.eq (local.get $count) (local.get $capacity))
      (then
        (local.set $capacity (i32.add (i32.shl (local.get $capacity) (i32.const 1)) (i32.const 8)))
        (local.set $table (call $take (i32.shl (local.get $capacity) (i32.const 4))))
        (memory.copy $m $m (local.get $table) (i32.load $m offset=4 (local.get $map)) (i32.shl (local.get $count) (i32.const 4)))
        (i32.store $m offset=4 (local.get $map) (local.get $table))
        (i32.store $m offset=12 (local.get $map) (local.get $capacity))))
    (local.set $at (call $take (i32.add (global.get $name_size) (local.get $size))))
    (memory.copy $m $m (local.get $at) (global.get $name) (global.get $name_size))
    (memory.copy $m $g (i32.add (local.get $at) (global.get $name_size)) (local.get $value) (local.get $size))
    (local.set $entry (i32.load $m offset=4 (local.get $map)))
    (if (call $is_pseudo)
      (then
        (local.set $entry (i32.add (local.get $entry) (i32.shl (i32.load $m offset=16 (local.get $map)) (i32.const 4))))
        (memory.copy $m $m (i32.add (local.get $entry) (i32.const 16)) (local.get $entry)
          (i32.shl (i32.sub (local.get $count) (i32.load $m offset=16 (local.get $map))) (i32.const 4)))
        (i32.store $m offset=16 (local.get $map) (i32.add (i32.load $m offset=16 (local.get $map)) (i32.const 1))))
      (else
        (local.set $entry (i32.add (local.get $entry) (i32.shl (local.get $count) (i32.const 4))))))
    (local.set $at (i32.sub (local.get $at) (i32.load $m (local.get $map))))
    (i32.store $m (local.get $entry) (local.get $at))
    (i32.store $m offset=4 (local.get $entry) (global.get $name_size))
    (i32.store $m offset=8 (local.get $entry) (i32.add (local.get $at) (global.get $name_size)))
    (i32.store $m offset=12 (local.get $entry) (local.get $size))
    (i32.store $m offset=8 (local.get $map) (i32.add (local.get $count) (i32.const 1)))
    (call $weigh (local.get $map) (i32.add (global.get $name_size) (local.get $size))))

  (func $weigh (param $map i32) (param $more i32)
    (i32.store $m offset=20 (local.get $map) (i32.add (i32.load $m offset=20 (local.get $map)) (local.get $more))))

  (func $is_pseudo (result i32)
    (i32.and (i32.ne (global.get $name_size) (i32.const 0))
             (i32.eq (i32.load8_u $m (global.get $name)) (i32.const 0x3a))))

  ;; Remove the name; how many entries there were.
  (func $drop_name (param $map i32) (result i32) (local $entry i32) (local $end i32) (local $dropped i32)
    (loop $next
      (local.set $entry (call $find (local.get $map)))
      (if (local.get $entry)
        (then
          (local.set $end (i32.add (i32.load $m offset=4 (local.get $map))
                                   (i32.shl (i32.load $m offset=8 (local.get $map)) (i32.const 4))))
          (call $weigh (local.get $map)
            (i32.sub (i32.const 0) (i32.add (global.get $name_size) (i32.load $m offset=12 (local.get $entry)))))
          (memory.copy $m $m (local.get $entry) (i32.add (local.get $entry) (i32.const 16))
            (i32.sub (i32.sub (local.get $end) (local.get $entry)) (i32.const 16)))
          (i32.store $m offset=8 (local.get $map) (i32.sub (i32.load $m offset=8 (local.get $map)) (i32.const 1)))
          (local.set $dropped (i32.add (local.get $dropped) (i32.const 1)))
          (br $next))))
    (if (call $is_pseudo)
      (then
        (i32.store $m offset=16 (local.get $map) (i32.sub (i32.load $m offset=16 (local.get $map)) (local.get $dropped)))))
    (local.get $dropped))

  ;; Append to the value of an entry, with a comma where both have something.
  (func $join (param $map i32) (param $entry i32) (param $value i32) (param $size i32) (local $old i32) (local $at i32)
    (local.set $old (i32.load $m offset=12 (local.get $entry)))
    (if (i32.eqz (local.get $size)) (then (return)))
    (local.set $at (call $take (i32.add (i32.add (local.get $old) (local.get $size)) (i32.const 1))))
    (i32.store $m offset=12 (local.get $entry) (local.get $size))
    (call $weigh (local.get $map) (local.get $size))
    (if (local.get $old)
      (then
        (memory.copy $m $m (local.get $at)
          (i32.add (i32.load $m (local.get $map)) (i32.load $m offset=8 (local.get $entry))) (local.get $old))
        (i32.store8 $m (i32.add (local.get $at) (local.get $old)) (i32.const 0x2c))
        (local.set $old (i32.add (local.get $old) (i32.const 1)))
        (i32.store $m offset=12 (local.get $entry) (i32.add (local.get $old) (local.get $size)))
        (call $weigh (local.get $map) (i32.const 1))))
    (memory.copy $m $g (i32.add (local.get $at) (local.get $old)) (local.get $value) (local.get $size))
    (i32.store $m offset=8 (local.get $entry) (i32.sub (local.get $at) (i32.load $m (local.get $map)))))

  (func $add_entry (param $map i32) (param $value i32) (param $size i32) (local $entry i32)
    (local.set $entry (call $find (local.get $map)))
    (if (local.get $entry)
      (then
        (if (call $exists_once (local.get $map))
          (then
            (call $join (local.get $map) (local.get $entry) (local.get $value) (local.get $size))
            (return)))))
    (call $insert (local.get $map) (local.get $value) (local.get $size)))

  (func $changed (param $kind i32) (param $map i32) (param $dirty i32)
    (if (local.get $dirty)
      (then (i32.store $m offset=28 (local.get $map)
              (i32.or (i32.load $m offset=28 (local.get $map)) (i32.const @DIRTY)))))
    (i32.store $m (i32.const @CHANGED)
      (i32.or (i32.load $m (i32.const @CHANGED)) (i32.shl (i32.const 1) (local.get $kind))))
    (call $pend (i32.const @P_MAPS)))

  ;; A changed map as one block behind @PACKED: count, pseudo headers, bytes, entries, strings. Python reads it. Strings
  ;; that lie one behind the other, as most still do, are copied together.
  (func $pack (param $map i32) (local $to i32) (local $string i32) (local $part i32) (local $end i32) (local $start i32)
    (local $base i32) (local $from i32) (local $run i32) (local $run_size i32) (local $run_to i32) (local $size i32)
    (local.set $start (i32.load $m (i32.const @PACKED)))
    (i32.store $m (local.get $start) (i32.load $m offset=8 (local.get $map)))
    (i32.store $m offset=4 (local.get $start) (i32.load $m offset=16 (local.get $map)))
    (i32.store $m offset=8 (local.get $start) (i32.load $m offset=20 (local.get $map)))
    (i32.store $m offset=12 (local.get $start) (i32.const 0))
    (local.set $base (i32.load $m (local.get $map)))
    (local.set $to (i32.add (local.get $start) (i32.const 16)))
    (local.set $part (i32.load $m offset=4 (local.get $map)))
    (local.set $end (i32.add (local.get $part) (i32.shl (i32.load $m offset=8 (local.get $map)) (i32.const 4))))
    (local.set $string (i32.add (local.get $start)
      (i32.add (i32.const 16) (i32.shl (i32.load $m offset=8 (local.get $map)) (i32.const 4)))))
    (local.set $run_to (local.get $string))
    (block $done
      (loop $parts
        (br_if $done (i32.ge_u (local.get $part) (local.get $end)))
        (local.set $from (i32.add (local.get $base) (i32.load $m (local.get $part))))
        (local.set $size (i32.load $m offset=4 (local.get $part)))
        (i32.store $m (local.get $to) (i32.sub (local.get $string) (local.get $start)))
        (i32.store $m offset=4 (local.get $to) (local.get $size))
        (if (i32.ne (local.get $from) (i32.add (local.get $run) (local.get $run_size)))
          (then
            (memory.copy $m $m (local.get $run_to) (local.get $run) (local.get $run_size))
            (local.set $run (local.get $from))
            (local.set $run_to (local.get $string))
            (local.set $run_size (i32.const 0))))
        (local.set $run_size (i32.add (local.get $run_size) (local.get $size)))
        (local.set $string (i32.add (local.get $string) (local.get $size)))
        (local.set $to (i32.add (local.get $to) (i32.const 8)))
        (local.set $part (i32.add (local.get $part) (i32.const 8)))
        (br $parts)))
    (memory.copy $m $m (local.get $run_to) (local.get $run) (local.get $run_size))
    (i32.store $m (i32.const @PACKED) (local.get $string))
    ;; where the block is, for Python; the descriptor is of no use any more
    (i32.store $m (local.get $map) (local.get $start))
    (i32.store $m offset=4 (local.get $map) (i32.sub (local.get $string) (local.get $start))))

  (func $pack_maps (export "pack") (local $map i32) (local $end i32)
    (i32.store $m (i32.const @PACKED) (i32.const @PACK_START))
    (local.set $map (i32.const @MAPS))
    (local.set $end (i32.add (i32.const @MAPS) (i32.mul (i32.load $m (i32.const @MAP_COUNT)) (i32.const @MAP_SIZE))))
    (loop $maps
      (if (i32.lt_u (local.get $map) (local.get $end))
        (then
          (if (i32.and (i32.load $m offset=28 (local.get $map)) (i32.const @DIRTY)) (then (call $pack (local.get $map))))
          (local.set $map (i32.add (local.get $map) (i32.const @MAP_SIZE)))
          (br $maps)))))
