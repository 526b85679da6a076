;; The hot host functions, and drivers that run callbacks of the guest. meshsim/abi/shim/__init__.py explains; the
;; Python functions of the same names in meshsim/abi/hostcalls are the reference, check by check.
;;
;; Memory 0, $g, is the guest's; $m is the shim's own, laid out in layout.py (@NAME). A function that answers @SLOW has
;; done nothing: the Python function is called instead. Fuel is counted by what text.py puts in.
(module $meshsim:shim
  (import "meshsim" "table" (table $table @TABLE funcref))
  (import "meshsim" "guest" (memory $g 0))
  (import "meshsim" "call" (func $python
    (param i32 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64 i64) (result i32)))
  (memory $m (export "memory") @PAGES)
  (data (memory $m) (i32.const @CONSTANTS) ":authority")

  ;; the name that is looked for: lower case, in $m
  (global $name (mut i32) (i32.const 0))
  (global $name_size (mut i32) (i32.const 0))

  ;; --- asking Python ---

  (func $ask (param $what i32) (param $a i32) (param $b i32) (result i32)
    (call $python (local.get $what) (i64.extend_i32_u (local.get $a)) (i64.extend_i32_u (local.get $b))
      (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)
      (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0) (i64.const 0)))

  (func $readable (param $kind i32) (result i32) (local $state i32)
    (local.set $state (i32.load $m offset=@READ (i32.shl (local.get $kind) (i32.const 2))))
    (if (i32.eqz (local.get $state))
      (then (local.set $state (call $ask (i32.const @PY_LOAD) (local.get $kind) (i32.const 0)))))
    (local.get $state))

  (func $writable (param $kind i32) (result i32) (local $state i32)
    (local.set $state (i32.load $m offset=@WRITE (i32.shl (local.get $kind) (i32.const 2))))
    (if (i32.eqz (local.get $state))
      (then (local.set $state (call $ask (i32.const @PY_LOAD) (local.get $kind) (i32.const 1)))))
    (local.get $state))

  (func $body (param $kind i32) (result i32) (local $state i32)
    (local.set $state (i32.load $m offset=@BODIES (i32.shl (local.get $kind) (i32.const 2))))
    (if (i32.eqz (local.get $state))
      (then (local.set $state (call $ask (i32.const @PY_LOAD_BODY) (local.get $kind) (i32.const 0)))))
    (local.get $state))

  ;; --- memory ---

  (func $outside (param $at i32) (param $size i32) (result i32)
    (i64.gt_u (i64.add (i64.extend_i32_u (local.get $at)) (i64.extend_i32_u (local.get $size)))
              (i64.shl (i64.extend_i32_u (memory.size $g)) (i64.const 16))))

  ;; Whether the heap has room for some bytes and a table of entries that is twice as long.
  (func $room (param $map i32) (param $bytes i32) (result i32)
    (i32.le_u
      (i32.add (local.get $bytes) (i32.add (i32.const 256) (i32.shl (i32.load $m offset=8 (local.get $map)) (i32.const 5))))
      (i32.sub (i32.const @HEAP_END) (i32.load $m (i32.const @HEAP)))))

  (func $take (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.load $m (i32.const @HEAP)))
    (i32.store $m (i32.const @HEAP) (i32.add (local.get $at) (local.get $size)))
    (local.get $at))

  (func $pend (param $bits i32)
    (i32.store $m (i32.const @PENDING) (i32.or (i32.load $m (i32.const @PENDING)) (local.get $bits))))

  ;; The guest's allocator: with a net, Python's call of it, where it might trap.
  (func $allocate (param $size i32) (result i32) (local $at i32)
    (if (i32.or (i32.ge_u (local.get $size) (i32.const @LARGE))
          (i32.or (i32.eqz (i32.load $m (i32.const @TRUSTED)))
                  (i32.ge_u (memory.size $g) (i32.load $m (i32.const @GUARD_PAGES)))))
      (then (return (call $ask (i32.const @PY_ALLOCATE) (local.get $size) (i32.const 0)))))
    (i32.store $m (i32.const @ALLOCATING) (i32.const 1))
    (local.set $at (call_indirect $table (param i32) (result i32) (local.get $size) (i32.const @ALLOCATOR)))
    (i32.store $m (i32.const @ALLOCATING) (i32.const 0))
    (local.get $at))

  ;; Tell the guest where a block is and how long; 0, or 6 for pointers out of its memory.
  (func $tell (param $at i32) (param $size i32) (param $at_out i32) (param $size_out i32) (result i32)
    (if (call $outside (local.get $at_out) (i32.const 4)) (then (return (i32.const 6))))
    (i32.store $g (local.get $at_out) (local.get $at))
    (if (call $outside (local.get $size_out) (i32.const 4)) (then (return (i32.const 6))))
    (i32.store $g (local.get $size_out) (local.get $size))
    (i32.const 0))

  ;; Hand bytes of $m over in a block of the guest's allocator; no bytes need no block.
  (func $give (param $from i32) (param $size i32) (param $at_out i32) (param $size_out i32) (result i32) (local $at i32)
    (if (local.get $size)
      (then
        (local.set $at (call $allocate (local.get $size)))
        (if (i32.eqz (local.get $at)) (then (return (i32.const 6))))
        (if (call $outside (local.get $at) (local.get $size)) (then (return (i32.const 6))))
        (memory.copy $g $m (local.get $at) (local.get $from) (local.get $size))))
    (call $tell (local.get $at) (local.get $size) (local.get $at_out) (local.get $size_out)))

  (func $equal (param $a i32) (param $b i32) (param $size i32) (result i32)
    (block $tail
      (loop $words
        (br_if $tail (i32.lt_u (local.get $size) (i32.const 8)))
        (if (i64.ne (i64.load $m (local.get $a)) (i64.load $m (local.get $b))) (then (return (i32.const 0))))
        (local.set $a (i32.add (local.get $a) (i32.const 8)))
        (local.set $b (i32.add (local.get $b) (i32.const 8)))
        (local.set $size (i32.sub (local.get $size) (i32.const 8)))
        (br $words)))
    (if (i32.eqz (local.get $size)) (then (return (i32.const 1))))
    ;; the bytes behind the end are shifted out
    (i64.eqz (i64.shl (i64.xor (i64.load $m (local.get $a)) (i64.load $m (local.get $b)))
                      (i64.extend_i32_u (i32.sub (i32.const 64) (i32.shl (local.get $size) (i32.const 3)))))))

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

  (func $proxy_get_header_map_value (param $kind i32) (param $key i32) (param $size i32) (param $at_out i32)
    (param $size_out i32) (result i32) (local $map i32) (local $entry i32)
    (if (i32.gt_u (local.get $kind) (i32.const 7)) (then (return (i32.const 2))))
    (if (call $outside (local.get $key) (local.get $size)) (then (return (i32.const 6))))
    (local.set $map (call $readable (local.get $kind)))
    (if (i32.eq (local.get $map) (i32.const @FOREIGN)) (then (return (i32.const @SLOW))))
    (if (i32.eq (local.get $map) (i32.const @ABSENT)) (then (return (i32.const 2))))
    (if (i32.ne (local.get $map) (i32.const @ABSENT_LOGGING))
      (then
        (if (i32.gt_u (local.get $size) (i32.const @NAME_MAX)) (then (return (i32.const @SLOW))))
        (call $read_name (local.get $map) (local.get $key) (local.get $size))
        (local.set $entry (call $find (local.get $map)))
        (if (local.get $entry)
          (then
            (return (call $give
              (i32.add (i32.load $m (local.get $map)) (i32.load $m offset=8 (local.get $entry)))
              (i32.load $m offset=12 (local.get $entry)) (local.get $at_out) (local.get $size_out)))))))
    (if (i32.load $m (i32.const @OLD))
      (then (return (call $tell (i32.const 0) (i32.const 0) (local.get $at_out) (local.get $size_out)))))
    (i32.const 1))

  ;; What comes before a change: 0, or why it is not made.
  (func $may_change (param $kind i32) (param $key i32) (param $size i32) (param $value i32) (param $value_size i32)
    (result i32) (local $map i32)
    (if (i32.gt_u (local.get $kind) (i32.const 7)) (then (return (i32.const 2))))
    (if (call $outside (local.get $key) (local.get $size)) (then (return (i32.const 6))))
    (if (call $outside (local.get $value) (local.get $value_size)) (then (return (i32.const 6))))
    (local.set $map (call $writable (local.get $kind)))
    (if (i32.eq (local.get $map) (i32.const @FOREIGN)) (then (return (i32.const @SLOW))))
    (if (i32.lt_u (local.get $map) (i32.const @PLACE)) (then (return (i32.const 2))))
    (if (i32.or (i32.gt_u (local.get $size) (i32.const @NAME_MAX))
                (i32.gt_u (local.get $value_size) (i32.const @VALUE_MAX)))
      (then (return (i32.const @SLOW))))
    ;; the value may come behind one that is there
    (if (i32.eqz (call $room (local.get $map)
          (i32.add (i32.load $m offset=20 (local.get $map)) (i32.add (local.get $size) (local.get $value_size)))))
      (then (return (i32.const @SLOW))))
    (call $read_name (local.get $map) (local.get $key) (local.get $size))
    (i32.const 0))

  (func $proxy_add_header_map_value (param $kind i32) (param $key i32) (param $size i32) (param $value i32)
    (param $value_size i32) (result i32) (local $why i32) (local $map i32)
    (local.set $why (call $may_change (local.get $kind) (local.get $key) (local.get $size) (local.get $value) (local.get $value_size)))
    (if (local.get $why) (then (return (local.get $why))))
    (local.set $map (call $writable (local.get $kind)))
    (call $add_entry (local.get $map) (local.get $value) (local.get $value_size))
    (call $changed (local.get $kind) (local.get $map) (i32.const 1))
    (i32.const 0))

  (func $proxy_replace_header_map_value (param $kind i32) (param $key i32) (param $size i32) (param $value i32)
    (param $value_size i32) (result i32) (local $why i32) (local $map i32)
    (local.set $why (call $may_change (local.get $kind) (local.get $key) (local.get $size) (local.get $value) (local.get $value_size)))
    (if (local.get $why) (then (return (local.get $why))))
    (local.set $map (call $writable (local.get $kind)))
    (drop (call $drop_name (local.get $map)))
    (call $insert (local.get $map) (local.get $value) (local.get $value_size))
    (call $changed (local.get $kind) (local.get $map) (i32.const 1))
    (i32.const 0))

  (func $proxy_remove_header_map_value (param $kind i32) (param $key i32) (param $size i32) (result i32)
    (local $why i32) (local $map i32)
    (local.set $why (call $may_change (local.get $kind) (local.get $key) (local.get $size) (i32.const 0) (i32.const 0)))
    (if (local.get $why) (then (return (local.get $why))))
    (local.set $map (call $writable (local.get $kind)))
    (call $changed (local.get $kind) (local.get $map) (call $drop_name (local.get $map)))
    (i32.const 0))

  (func $proxy_get_header_map_size (param $kind i32) (param $out i32) (result i32) (local $map i32)
    (if (i32.gt_u (local.get $kind) (i32.const 7)) (then (return (i32.const 2))))
    (local.set $map (call $writable (local.get $kind)))
    (if (i32.eq (local.get $map) (i32.const @FOREIGN)) (then (return (i32.const @SLOW))))
    (if (i32.lt_u (local.get $map) (i32.const @PLACE)) (then (return (i32.const 2))))
    (if (call $outside (local.get $out) (i32.const 4)) (then (return (i32.const 6))))
    (i32.store $g (local.get $out) (i32.load $m offset=20 (local.get $map)))
    (i32.const 0))

  ;; All pairs: their number, the sizes, then keys and values, a NUL behind each.
  (func $proxy_get_header_map_pairs (param $kind i32) (param $at_out i32) (param $size_out i32) (result i32)
    (local $map i32) (local $count i32) (local $size i32) (local $at i32) (local $sizes i32) (local $to i32)
    (local $entry i32) (local $end i32)
    (if (i32.gt_u (local.get $kind) (i32.const 7)) (then (return (i32.const 2))))
    (local.set $map (call $readable (local.get $kind)))
    (if (i32.eq (local.get $map) (i32.const @FOREIGN)) (then (return (i32.const @SLOW))))
    (if (i32.ge_u (local.get $map) (i32.const @PLACE))
      (then (local.set $count (i32.load $m offset=8 (local.get $map)))))
    (if (i32.eqz (local.get $count))
      (then (return (call $tell (i32.const 0) (i32.const 0) (local.get $at_out) (local.get $size_out)))))
    (local.set $size (i32.add (i32.const 4) (i32.add (i32.mul (local.get $count) (i32.const 10))
                                                     (i32.load $m offset=20 (local.get $map)))))
    (local.set $at (call $allocate (local.get $size)))
    (if (i32.eqz (local.get $at)) (then (return (i32.const 6))))
    (if (call $outside (local.get $at) (local.get $size)) (then (return (i32.const 6))))
    (i32.store $g (local.get $at) (local.get $count))
    (local.set $sizes (i32.add (local.get $at) (i32.const 4)))
    (local.set $to (i32.add (local.get $sizes) (i32.shl (local.get $count) (i32.const 3))))
    (local.set $entry (i32.load $m offset=4 (local.get $map)))
    (local.set $end (i32.add (local.get $entry) (i32.shl (local.get $count) (i32.const 4))))
    (loop $entries
      (i32.store $g (local.get $sizes) (i32.load $m offset=4 (local.get $entry)))
      (i32.store $g offset=4 (local.get $sizes) (i32.load $m offset=12 (local.get $entry)))
      (local.set $to (call $put (local.get $to) (i32.load $m (local.get $map)) (local.get $entry)))
      (local.set $to (call $put (local.get $to) (i32.load $m (local.get $map)) (i32.add (local.get $entry) (i32.const 8))))
      (local.set $sizes (i32.add (local.get $sizes) (i32.const 8)))
      (local.set $entry (i32.add (local.get $entry) (i32.const 16)))
      (br_if $entries (i32.lt_u (local.get $entry) (local.get $end))))
    (call $tell (local.get $at) (local.get $size) (local.get $at_out) (local.get $size_out)))

  ;; One string and a NUL into the guest's memory; where the next goes.
  (func $put (param $to i32) (param $base i32) (param $part i32) (result i32)
    (memory.copy $g $m (local.get $to) (i32.add (local.get $base) (i32.load $m (local.get $part))) (i32.load $m offset=4 (local.get $part)))
    (local.set $to (i32.add (local.get $to) (i32.load $m offset=4 (local.get $part))))
    (i32.store8 $g (local.get $to) (i32.const 0))
    (i32.add (local.get $to) (i32.const 1)))

  ;; How many pairs a block of the guest's has; 0 when it is not well made. @SLOW when a key is long.
  (func $count_pairs (param $at i32) (param $size i32) (result i32)
    (local $count i32) (local $sizes i32) (local $from i32) (local $end i32) (local $length i32) (local $i i32)
    (if (i32.lt_u (local.get $size) (i32.const 4)) (then (return (i32.const 0))))
    (local.set $count (i32.load $g (local.get $at)))
    (if (i32.gt_u (local.get $count) (i32.const 1024)) (then (return (i32.const 0))))
    (if (i32.gt_u (i32.add (i32.const 4) (i32.shl (local.get $count) (i32.const 3))) (local.get $size))
      (then (return (i32.const 0))))
    (local.set $sizes (i32.add (local.get $at) (i32.const 4)))
    (local.set $from (i32.add (local.get $sizes) (i32.shl (local.get $count) (i32.const 3))))
    (local.set $end (i32.add (local.get $at) (local.get $size)))
    (block $done
      (loop $parts
        (br_if $done (i32.eq (local.get $i) (i32.shl (local.get $count) (i32.const 1))))
        (local.set $length (i32.load $g (local.get $sizes)))
        (if (i32.ge_u (local.get $length) (i32.sub (local.get $end) (local.get $from))) (then (return (i32.const 0))))
        (local.set $from (i32.add (local.get $from) (local.get $length)))
        (if (i32.load8_u $g (local.get $from)) (then (return (i32.const 0))))
        (if (i32.gt_u (local.get $length) (i32.const @NAME_MAX)) (then (return (i32.const @SLOW))))
        (local.set $from (i32.add (local.get $from) (i32.const 1)))
        (local.set $sizes (i32.add (local.get $sizes) (i32.const 4)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $parts)))
    (if (i32.ne (local.get $from) (local.get $end)) (then (return (i32.const 0))))
    (local.get $count))

  (func $proxy_set_header_map_pairs (param $kind i32) (param $at i32) (param $size i32) (result i32)
    (local $map i32) (local $count i32) (local $sizes i32) (local $from i32) (local $key_size i32) (local $value_size i32)
    (if (i32.gt_u (local.get $kind) (i32.const 7)) (then (return (i32.const 2))))
    (if (call $outside (local.get $at) (local.get $size)) (then (return (i32.const 6))))
    (local.set $map (call $writable (local.get $kind)))
    (if (i32.eq (local.get $map) (i32.const @FOREIGN)) (then (return (i32.const @SLOW))))
    (if (i32.lt_u (local.get $map) (i32.const @PLACE)) (then (return (i32.const 2))))
    (if (i32.gt_u (local.get $size) (i32.const @VALUE_MAX)) (then (return (i32.const @SLOW))))
    (local.set $count (call $count_pairs (local.get $at) (local.get $size)))
    (if (i32.eq (local.get $count) (i32.const @SLOW)) (then (return (i32.const @SLOW))))
    ;; a value may be joined to all that come before
    (if (i64.gt_u (i64.mul (i64.extend_i32_u (local.get $count)) (i64.extend_i32_u (i32.add (local.get $size) (i32.const 32))))
                  (i64.const 0x40000))
      (then (return (i32.const @SLOW))))
    (if (i32.eqz (call $room (local.get $map)
          (i32.mul (i32.add (local.get $count) (i32.const 1)) (i32.add (local.get $size) (i32.const 64)))))
      (then (return (i32.const @SLOW))))
    (i32.store $m offset=8 (local.get $map) (i32.const 0))
    (i64.store $m offset=16 (local.get $map) (i64.const 0))
    (local.set $sizes (i32.add (local.get $at) (i32.const 4)))
    (local.set $from (i32.add (local.get $sizes) (i32.shl (local.get $count) (i32.const 3))))
    (block $done
      (loop $pairs
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $key_size (i32.load $g (local.get $sizes)))
        (local.set $value_size (i32.load $g offset=4 (local.get $sizes)))
        (call $read_name (local.get $map) (local.get $from) (local.get $key_size))
        (local.set $from (i32.add (local.get $from) (i32.add (local.get $key_size) (i32.const 1))))
        (call $add_entry (local.get $map) (local.get $from) (local.get $value_size))
        (local.set $from (i32.add (local.get $from) (i32.add (local.get $value_size) (i32.const 1))))
        (local.set $sizes (i32.add (local.get $sizes) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $pairs)))
    (call $changed (local.get $kind) (local.get $map) (i32.const 1))
    (i32.const 0))

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

  ;; --- bodies ---
  ;; A buffer's descriptor: 0 address, 4 size, 8 flags.

  (func $proxy_get_buffer_status (param $kind i32) (param $size_out i32) (param $flags_out i32) (result i32)
    (local $buffer i32) (local $size i32)
    (if (i32.gt_u (local.get $kind) (i32.const 1)) (then (return (i32.const @SLOW))))
    (local.set $buffer (call $body (local.get $kind)))
    (if (i32.eq (local.get $buffer) (i32.const @FOREIGN)) (then (return (i32.const @SLOW))))
    (if (i32.ge_u (local.get $buffer) (i32.const @PLACE))
      (then (local.set $size (i32.load $m offset=4 (local.get $buffer)))))
    (if (call $outside (local.get $size_out) (i32.const 4)) (then (return (i32.const 6))))
    (i32.store $g (local.get $size_out) (local.get $size))
    (if (call $outside (local.get $flags_out) (i32.const 4)) (then (return (i32.const 6))))
    (i32.store $g (local.get $flags_out) (i32.const 0))
    (i32.const 0))

  (func $proxy_get_buffer_bytes (param $kind i32) (param $start i32) (param $length i32) (param $at_out i32)
    (param $size_out i32) (result i32) (local $buffer i32) (local $size i32)
    (if (i32.gt_u (local.get $kind) (i32.const 1)) (then (return (i32.const @SLOW))))
    (local.set $buffer (call $body (local.get $kind)))
    (if (i32.eq (local.get $buffer) (i32.const @FOREIGN)) (then (return (i32.const @SLOW))))
    (if (i32.ge_u (local.get $buffer) (i32.const @PLACE))
      (then (local.set $size (i32.load $m offset=4 (local.get $buffer)))))
    (local.set $size
      (select (i32.sub (local.get $size) (local.get $start)) (i32.const 0) (i32.lt_u (local.get $start) (local.get $size))))
    (local.set $size
      (select (local.get $length) (local.get $size) (i32.lt_u (local.get $length) (local.get $size))))
    (if (i32.eqz (local.get $size))
      (then (return (call $tell (i32.const 0) (i32.const 0) (local.get $at_out) (local.get $size_out)))))
    (call $give (i32.add (i32.load $m (local.get $buffer)) (local.get $start)) (local.get $size)
      (local.get $at_out) (local.get $size_out)))

  ;; Replace from the start, or append; nothing in between.
  (func $proxy_set_buffer_bytes (param $kind i32) (param $start i32) (param $length i32) (param $data i32)
    (param $data_size i32) (result i32)
    (local $buffer i32) (local $size i32) (local $keep i32) (local $total i32) (local $at i32)
    (if (i32.gt_u (local.get $kind) (i32.const 1)) (then (return (i32.const @SLOW))))
    (local.set $buffer (call $body (local.get $kind)))
    (if (i32.eq (local.get $buffer) (i32.const @FOREIGN)) (then (return (i32.const @SLOW))))
    (if (call $outside (local.get $data) (local.get $data_size)) (then (return (i32.const 6))))
    (if (i32.lt_u (local.get $buffer) (i32.const @PLACE)) (then (return (i32.const 2))))
    (if (i32.and (i32.load $m offset=8 (local.get $buffer)) (i32.const @CONSTANT)) (then (return (i32.const 2))))
    (local.set $size (i32.load $m offset=4 (local.get $buffer)))
    (if (i32.and (i32.ne (local.get $start) (i32.const 0)) (i32.lt_u (local.get $start) (local.get $size)))
      (then (return (i32.const 2))))
    ;; bytes of the old content that stay: all when something is appended, else those behind the replaced ones
    (local.set $keep
      (select (local.get $size)
        (select (i32.sub (local.get $size) (local.get $length)) (i32.const 0) (i32.lt_u (local.get $length) (local.get $size)))
        (i32.ne (local.get $start) (i32.const 0))))
    (if (i32.gt_u (local.get $data_size) (i32.const @VALUE_MAX)) (then (return (i32.const @SLOW))))
    (local.set $total (i32.add (local.get $keep) (local.get $data_size)))
    (if (i32.gt_u (local.get $total) (i32.sub (i32.const @HEAP_END) (i32.load $m (i32.const @HEAP))))
      (then (return (i32.const @SLOW))))
    (local.set $at (call $take (local.get $total)))
    (if (local.get $start)
      (then
        (memory.copy $m $m (local.get $at) (i32.load $m (local.get $buffer)) (local.get $size))
        (memory.copy $m $g (i32.add (local.get $at) (local.get $size)) (local.get $data) (local.get $data_size)))
      (else
        (memory.copy $m $g (local.get $at) (local.get $data) (local.get $data_size))
        (memory.copy $m $m (i32.add (local.get $at) (local.get $data_size))
          (i32.add (i32.load $m (local.get $buffer)) (i32.sub (local.get $size) (local.get $keep))) (local.get $keep))))
    (i32.store $m (local.get $buffer) (local.get $at))
    (i32.store $m offset=4 (local.get $buffer) (local.get $total))
    (i32.store $m offset=8 (local.get $buffer) (i32.const @DIRTY))
    (call $pend (i32.const @P_BODIES))
    (i32.const 0))

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

  ;; proxy_on_response_headers, and when that goes on and there is a body ($size not -1) proxy_on_response_body, whose
  ;; result is in @SECOND.
  (func (export "respond") (param $context i32) (param $count i32) (param $end i32) (param $size i32)
    (param $body_end i32) (result i32) (local $result i32)
    (call $begin)
    (call $show)
    (i32.store $m offset=@BODIES (i32.const 4) (i32.const @ABSENT))
    (i32.store $m (i32.const @SECOND) (i32.const @MISSING))
    (local.set $result
      (call $headers (local.get $context) (local.get $count) (local.get $end) (i32.const @ON_RESPONSE_HEADERS)))
    (if (i32.and
          (i32.ne (local.get $size) (i32.const -1))
          (i32.or (i32.eqz (local.get $result)) (i32.eq (local.get $result) (i32.const @MISSING))))
      (then
        (if (call $step)
          (then
            (i32.store $m offset=@READ (i32.const 8) (i32.const @ABSENT))
            (i32.store $m offset=@WRITE (i32.const 8) (i32.const @ABSENT))
            (i32.store $m offset=@BODIES (i32.const 4) (i32.load $m (i32.const @BODY_PRESET)))
            (if (i32.eqz (ref.is_null (table.get $table (i32.const @ON_RESPONSE_BODY))))
              (then
                (i32.store $m (i32.const @SECOND)
                  (call_indirect $table (param i32 i32 i32) (result i32)
                    (local.get $context) (local.get $size) (local.get $body_end) (i32.const @ON_RESPONSE_BODY)))))
            (i32.store $m (i32.const @STEP) (i32.const 2)))))
      (else (i32.store $m (i32.const @STEP) (i32.const 1))))
    (i32.store $m (i32.const @BODY_PRESET) (i32.const 0))
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

  ;; @CALLERS: one callback of each type, by its slot.
  ;; @HOT: what the guest calls.
)
