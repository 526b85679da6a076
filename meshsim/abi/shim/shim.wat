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
