;; A guest for every extension point that does what its plugin's configuration asks. ABI 0.2.1.
;;
;; The configuration is a script, read when the root context is made. Each of its lines is a command; the commands
;; of a callback are run in order, for the root context and for the streams below it:
;;
;;     PHASE COMMAND|ARGUMENT|ARGUMENT...
;;
;; PHASE    Cc cc  context_create of the root, of a stream     vs cf  on_vm_start, on_configure      ti  on_tick
;;          Do do  on_done of the root, of a stream            De de  on_delete                      lo  on_log
;;          qh qb qt  request headers, body, trailers          rh rb rt  of the response
;;          nc  on_new_connection     dd ud  downstream, upstream data     dc uc  the downstream, upstream is closed
;;          qr  on_queue_ready        dn  on_resolve_dns                   su  on_stats_update
;; COMMAND  register|NAME   find|VM|NAME   send|QUEUE|DATA   take|QUEUE
;;          foreign|NAME|ARGUMENT   wild|NAME|ARGUMENT|POINTER|POINTER (where the result is to be written)
;;          property|A.B.C   assign|NAME|VALUE   header|MAP|KEY   add|MAP|KEY|VALUE   map|MAP
;;          body|BUFFER|START|MAX   write|BUFFER|START|SIZE|DATA   go|STREAM   end|STREAM   answer|STATUS|BODY
;;          dns|NAME   define|TYPE|NAME   increment|METRIC|DELTA   level
;;          tick|MS   use|CONTEXT (as the effective one)   over (proxy_done)   value|RETURNED   trap
;; ARGUMENT %41 is the byte 0x41; #100 is a hundred times "x"
;;
;; What came of the commands of one callback is logged as a line: the phase, the context, and for each command the
;; first two letters, the status, and the value that the host gave, with %41 for bytes that are not plain ASCII.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes" (func $write (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $answer (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $go (param i32) (result i32)))
  (import "env" "proxy_close_stream" (func $end_stream (param i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_set_property" (func $assign (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
  (import "env" "proxy_resolve_shared_queue" (func $find (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_enqueue_shared_queue" (func $send (param i32 i32 i32) (result i32)))
  (import "env" "proxy_dequeue_shared_queue" (func $take (param i32 i32 i32) (result i32)))
  (import "env" "proxy_call_foreign_function" (func $foreign (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "envoy_resolve_dns" (func $dns (param i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))
  (import "env" "proxy_get_log_level" (func $level (param i32) (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $use (param i32) (result i32)))
  (import "env" "proxy_done" (func $over (result i32)))

  ;; 0x00000  out-cells at 8 and 12, digits at 16..31, arguments (pointer, size) from 0x200
  ;; 0x01000  4096 cells, one a context: the root whose script it follows
  ;; 0x10000  16 slots of 16 KiB, one a root: size, then the script
  ;; 0x50000  the line that is being written
  ;; 0x100000 what the host hands over, forgotten at the next callback
  (memory (export "memory") 64)
  (global $top (mut i32) (i32.const 0x100000))
  (global $end (mut i32) (i32.const 0x50000))      ;; end of the line
  (global $at (mut i32) (i32.const 0))             ;; where the parser stands
  (global $stop (mut i32) (i32.const 0))           ;; where the script ends
  (global $args (mut i32) (i32.const 0))           ;; how many arguments were read
  (global $result (mut i32) (i32.const 0))         ;; what the callback will return

  (func (export "proxy_abi_version_0_2_1"))
  (func $allocate (export "proxy_on_memory_allocate") (param $n i32) (result i32)
    (global.get $top)
    (global.set $top (i32.add (global.get $top) (i32.and (i32.add (local.get $n) (i32.const 15)) (i32.const -8)))))
  (func $root_of (param $context i32) (result i32)
    (i32.add (i32.const 0x1000) (i32.shl (i32.and (local.get $context) (i32.const 4095)) (i32.const 2))))
  (func $script (param $root i32) (result i32)
    (i32.add (i32.const 0x10000) (i32.shl (i32.and (local.get $root) (i32.const 15)) (i32.const 14))))

  ;; ---- writing the line
  (func $char (param $c i32)
    (i32.store8 (global.get $end) (local.get $c))
    (global.set $end (i32.add (global.get $end) (i32.const 1))))
  (func $number (param $v i32)
    (local $p i32)
    (local.set $p (i32.const 32))
    (loop $digit
      (local.set $p (i32.sub (local.get $p) (i32.const 1)))
      (i32.store8 (local.get $p) (i32.add (i32.const 48) (i32.rem_u (local.get $v) (i32.const 10))))
      (br_if $digit (local.tee $v (i32.div_u (local.get $v) (i32.const 10)))))
    (loop $copy
      (call $char (i32.load8_u (local.get $p)))
      (br_if $copy (i32.lt_u (local.tee $p (i32.add (local.get $p) (i32.const 1))) (i32.const 32)))))
  (func $hex (param $v i32)
    (call $char (i32.add (local.get $v) (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $v) (i32.const 10))))))
  (func $two (param $letters i32)
    (call $char (i32.and (local.get $letters) (i32.const 255)))
    (call $char (i32.and (i32.shr_u (local.get $letters) (i32.const 8)) (i32.const 255))))
  ;; the bytes of the out-cells
  (func $value
    (local $p i32) (local $stop i32) (local $c i32)
    (call $char (i32.const 58))
    (local.set $p (i32.load (i32.const 8)))
    (local.set $stop (i32.add (local.get $p) (i32.load (i32.const 12))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $p) (local.get $stop)))
      (local.set $c (i32.load8_u (local.get $p)))
      (if (i32.and (i32.lt_u (i32.sub (local.get $c) (i32.const 32)) (i32.const 95)) (i32.ne (local.get $c) (i32.const 37)))
        (then (call $char (local.get $c)))
        (else
          (call $char (i32.const 37))
          (call $hex (i32.shr_u (local.get $c) (i32.const 4)))
          (call $hex (i32.and (local.get $c) (i32.const 15)))))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (br $next))))
  (func $flush
    (if (i32.ne (global.get $end) (i32.const 0x50000))
      (then (drop (call $log (i32.const 2) (i32.const 0x50000) (i32.sub (global.get $end) (i32.const 0x50000))))))
    (global.set $end (i32.const 0x50000)))

  ;; ---- reading the script
  (func $peek (result i32)
    (if (result i32) (i32.lt_u (global.get $at) (global.get $stop))
      (then (i32.load8_u (global.get $at))) (else (i32.const 10))))
  (func $step (global.set $at (i32.add (global.get $at) (i32.const 1))))
  (func $nibble (result i32)                       ;; one hex digit
    (local $c i32)
    (local.set $c (call $peek))
    (call $step)
    (select (i32.sub (local.get $c) (i32.const 48)) (i32.add (i32.and (local.get $c) (i32.const 7)) (i32.const 9))
            (i32.le_u (local.get $c) (i32.const 57))))
  (func $decimal (param $p i32) (param $n i32) (result i32)
    (local $v i32) (local $end i32) (local $minus i32)
    (local.set $end (i32.add (local.get $p) (local.get $n)))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
      (if (i32.eq (i32.load8_u (local.get $p)) (i32.const 45))
        (then (local.set $minus (i32.const 1)))
        (else (local.set $v (i32.add (i32.mul (local.get $v) (i32.const 10))
                                     (i32.sub (i32.load8_u (local.get $p)) (i32.const 48))))))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (br $next)))
    (select (i32.sub (i32.const 0) (local.get $v)) (local.get $v) (local.get $minus)))
  (func $cell (param $i i32) (result i32) (i32.add (i32.const 0x200) (i32.shl (local.get $i) (i32.const 3))))
  (func $ptr (param $i i32) (result i32) (i32.load (call $cell (local.get $i))))
  (func $len (param $i i32) (result i32) (i32.load offset=4 (call $cell (local.get $i))))
  (func $int (param $i i32) (result i32) (call $decimal (call $ptr (local.get $i)) (call $len (local.get $i))))
  ;; from "|" to the next "|" or the end of the line, decoded to fresh memory
  (func $argument
    (local $p i32) (local $n i32) (local $c i32) (local $repeated i32)
    (call $step)
    (local.set $repeated (i32.eq (call $peek) (i32.const 35)))
    (local.set $p (global.get $top))
    (block $done (loop $next
      (local.set $c (call $peek))
      (br_if $done (i32.eq (local.get $c) (i32.const 124)))
      (br_if $done (i32.eq (local.get $c) (i32.const 10)))
      (call $step)
      (if (i32.eq (local.get $c) (i32.const 37))
        (then (local.set $c (i32.or (i32.shl (call $nibble) (i32.const 4)) (call $nibble)))))
      (i32.store8 (i32.add (local.get $p) (local.get $n)) (local.get $c))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br $next)))
    (if (local.get $repeated)
      (then
        (local.set $n (call $decimal (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 1))))
        (memory.fill (local.get $p) (i32.const 120) (local.get $n))))
    (drop (call $allocate (local.get $n)))
    (i32.store (call $cell (global.get $args)) (local.get $p))
    (i32.store offset=4 (call $cell (global.get $args)) (local.get $n))
    (global.set $args (i32.add (global.get $args) (i32.const 1))))
  ;; "a.b.c" with NULs instead of dots, as property paths are written
  (func $path
    (local $p i32) (local $end i32)
    (local.set $p (call $ptr (i32.const 0)))
    (local.set $end (i32.add (local.get $p) (call $len (i32.const 0))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
      (if (i32.eq (i32.load8_u (local.get $p)) (i32.const 46)) (then (i32.store8 (local.get $p) (i32.const 0))))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (br $next))))

  ;; ---- one command; its first two letters decide
  (func $status (param $op i32) (param $status i32)
    (call $char (i32.const 32)) (call $two (local.get $op)) (call $char (i32.const 61))
    (call $number (local.get $status)))
  (func $cell_value (call $char (i32.const 58)) (call $number (i32.load (i32.const 8))))
  (func $execute (param $op i32)
    (i64.store (i32.const 8) (i64.const 0))
    (if (i32.eq (local.get $op) (i32.const 0x6572)) (then            ;; register
      (call $status (local.get $op) (call $register (call $ptr (i32.const 0)) (call $len (i32.const 0)) (i32.const 8)))
      (call $cell_value)))
    (if (i32.eq (local.get $op) (i32.const 0x6966)) (then            ;; find
      (call $status (local.get $op) (call $find (call $ptr (i32.const 0)) (call $len (i32.const 0))
                                          (call $ptr (i32.const 1)) (call $len (i32.const 1)) (i32.const 8)))
      (call $cell_value)))
    (if (i32.eq (local.get $op) (i32.const 0x6573)) (then            ;; send
      (call $status (local.get $op) (call $send (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))))))
    (if (i32.eq (local.get $op) (i32.const 0x6174)) (then            ;; take
      (call $status (local.get $op) (call $take (call $int (i32.const 0)) (i32.const 8) (i32.const 12)))
      (call $value)))
    (if (i32.eq (local.get $op) (i32.const 0x6f66)) (then            ;; foreign
      (call $status (local.get $op) (call $foreign (call $ptr (i32.const 0)) (call $len (i32.const 0))
                                             (call $ptr (i32.const 1)) (call $len (i32.const 1)) (i32.const 8) (i32.const 12)))
      (call $value)))
    (if (i32.eq (local.get $op) (i32.const 0x6977)) (then            ;; wild
      (call $status (local.get $op) (call $foreign (call $ptr (i32.const 0)) (call $len (i32.const 0))
                                             (call $ptr (i32.const 1)) (call $len (i32.const 1))
                                             (call $int (i32.const 2)) (call $int (i32.const 3))))))
    (if (i32.eq (local.get $op) (i32.const 0x7270)) (then            ;; property
      (call $path)
      (call $status (local.get $op) (call $property (call $ptr (i32.const 0)) (call $len (i32.const 0)) (i32.const 8) (i32.const 12)))
      (call $value)))
    (if (i32.eq (local.get $op) (i32.const 0x7361)) (then            ;; assign
      (call $status (local.get $op) (call $assign (call $ptr (i32.const 0)) (call $len (i32.const 0))
                                            (call $ptr (i32.const 1)) (call $len (i32.const 1))))))
    (if (i32.eq (local.get $op) (i32.const 0x6568)) (then            ;; header
      (call $status (local.get $op) (call $header (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))
                                            (i32.const 8) (i32.const 12)))
      (call $value)))
    (if (i32.eq (local.get $op) (i32.const 0x6461)) (then            ;; add
      (call $status (local.get $op) (call $add (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))
                                         (call $ptr (i32.const 2)) (call $len (i32.const 2))))))
    (if (i32.eq (local.get $op) (i32.const 0x616d)) (then            ;; map
      (call $status (local.get $op) (call $pairs (call $int (i32.const 0)) (i32.const 8) (i32.const 12)))
      (call $value)))
    (if (i32.eq (local.get $op) (i32.const 0x6f62)) (then            ;; body
      (call $status (local.get $op) (call $bytes (call $int (i32.const 0)) (call $int (i32.const 1)) (call $int (i32.const 2))
                                           (i32.const 8) (i32.const 12)))
      (call $value)))
    (if (i32.eq (local.get $op) (i32.const 0x7277)) (then            ;; write
      (call $status (local.get $op) (call $write (call $int (i32.const 0)) (call $int (i32.const 1)) (call $int (i32.const 2))
                                           (call $ptr (i32.const 3)) (call $len (i32.const 3))))))
    (if (i32.eq (local.get $op) (i32.const 0x6f67)) (then            ;; go
      (call $status (local.get $op) (call $go (call $int (i32.const 0))))))
    (if (i32.eq (local.get $op) (i32.const 0x6e65)) (then            ;; end
      (call $status (local.get $op) (call $end_stream (call $int (i32.const 0))))))
    (if (i32.eq (local.get $op) (i32.const 0x6e61)) (then            ;; answer
      (call $status (local.get $op) (call $answer (call $int (i32.const 0)) (i32.const 0) (i32.const 0)
                                            (call $ptr (i32.const 1)) (call $len (i32.const 1))
                                            (i32.const 0) (i32.const 0) (i32.const -1)))))
    (if (i32.eq (local.get $op) (i32.const 0x6e64)) (then            ;; dns
      (call $status (local.get $op) (call $dns (call $ptr (i32.const 0)) (call $len (i32.const 0)) (i32.const 8)))
      (call $cell_value)))
    (if (i32.eq (local.get $op) (i32.const 0x6564)) (then            ;; define
      (call $status (local.get $op) (call $define (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1)) (i32.const 8)))
      (call $cell_value)))
    (if (i32.eq (local.get $op) (i32.const 0x6e69)) (then            ;; increment
      (call $status (local.get $op) (call $increment (call $int (i32.const 0)) (i64.extend_i32_s (call $int (i32.const 1)))))))
    (if (i32.eq (local.get $op) (i32.const 0x656c)) (then            ;; level
      (call $status (local.get $op) (call $level (i32.const 8)))
      (call $cell_value)))
    (if (i32.eq (local.get $op) (i32.const 0x6974)) (then            ;; tick
      (call $status (local.get $op) (call $tick (call $int (i32.const 0))))))
    (if (i32.eq (local.get $op) (i32.const 0x7375)) (then            ;; use
      (call $status (local.get $op) (call $use (call $int (i32.const 0))))))
    (if (i32.eq (local.get $op) (i32.const 0x766f)) (then            ;; over
      (call $status (local.get $op) (call $over))))
    (if (i32.eq (local.get $op) (i32.const 0x6176)) (then            ;; value
      (global.set $result (call $int (i32.const 0)))))
    (if (i32.eq (local.get $op) (i32.const 0x7274)) (then            ;; trap
      (unreachable))))

  ;; every command for PHASE in the script that CONTEXT follows; the callback returns RESULT unless a command says more
  (func $run (param $context i32) (param $phase i32) (param $result i32) (result i32)
    (local $script i32) (local $token i32) (local $op i32) (local $started i32)
    (global.set $top (i32.const 0x100000))
    (global.set $result (local.get $result))
    (local.set $script (call $script (i32.load (call $root_of (local.get $context)))))
    (global.set $at (i32.add (local.get $script) (i32.const 4)))
    (global.set $stop (i32.add (global.get $at) (i32.load (local.get $script))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (global.get $at) (global.get $stop)))
      (if (i32.le_u (call $peek) (i32.const 32)) (then (call $step) (br $next)))
      (local.set $token (i32.load16_u (global.get $at)))
      (global.set $at (i32.add (global.get $at) (i32.const 3)))
      (local.set $op (i32.load16_u (global.get $at)))
      (global.set $args (i32.const 0))
      (loop $arguments
        (if (i32.eq (call $peek) (i32.const 124)) (then (call $argument) (br $arguments)))
        (if (i32.ne (call $peek) (i32.const 10)) (then (call $step) (br $arguments))))
      (if (i32.eq (local.get $token) (local.get $phase))
        (then
          (if (i32.eqz (local.get $started))
            (then
              (call $two (local.get $phase))
              (call $char (i32.const 40)) (call $number (local.get $context)) (call $char (i32.const 41))
              (local.set $started (i32.const 1))))
          (call $execute (local.get $op))))
      (br $next)))
    (call $flush)
    (global.get $result))
  (func $root (param $context i32) (result i32)
    (i32.eq (i32.load (call $root_of (local.get $context))) (local.get $context)))

  ;; ---- callbacks
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (local $script i32)
    (if (local.get $parent)
      (then
        (i32.store (call $root_of (local.get $context)) (local.get $parent))
        (drop (call $run (local.get $context) (i32.const 0x6363) (i32.const 0))))
      (else
        (i32.store (call $root_of (local.get $context)) (local.get $context))
        (local.set $script (call $script (local.get $context)))
        (i64.store (i32.const 8) (i64.const 0))
        (drop (call $bytes (i32.const 7) (i32.const 0) (i32.const 16000) (i32.const 8) (i32.const 12)))
        (i32.store (local.get $script) (i32.load (i32.const 12)))
        (memory.copy (i32.add (local.get $script) (i32.const 4)) (i32.load (i32.const 8)) (i32.load (i32.const 12)))
        (drop (call $run (local.get $context) (i32.const 0x6343) (i32.const 0))))))
  (func (export "proxy_on_vm_start") (param $c i32) (param i32) (result i32)
    (call $run (local.get $c) (i32.const 0x7376) (i32.const 1)))
  (func (export "proxy_on_configure") (param $c i32) (param i32) (result i32)
    (call $run (local.get $c) (i32.const 0x6663) (i32.const 1)))
  (func (export "proxy_on_tick") (param $c i32) (drop (call $run (local.get $c) (i32.const 0x6974) (i32.const 0))))
  (func (export "proxy_on_queue_ready") (param $c i32) (param i32)
    (drop (call $run (local.get $c) (i32.const 0x7271) (i32.const 0))))
  (func (export "envoy_on_resolve_dns") (param $c i32) (param i32) (param $size i32)
    (drop (call $run (local.get $c) (i32.const 0x6e64) (i32.const 0))))
  (func (export "envoy_on_stats_update") (param $c i32) (param i32)
    (drop (call $run (local.get $c) (i32.const 0x7573) (i32.const 0))))
  (func (export "proxy_on_new_connection") (param $c i32) (result i32)
    (call $run (local.get $c) (i32.const 0x636e) (i32.const 0)))
  (func (export "proxy_on_downstream_data") (param $c i32) (param i32 i32) (result i32)
    (call $run (local.get $c) (i32.const 0x6464) (i32.const 0)))
  (func (export "proxy_on_upstream_data") (param $c i32) (param i32 i32) (result i32)
    (call $run (local.get $c) (i32.const 0x6475) (i32.const 0)))
  (func (export "proxy_on_downstream_connection_close") (param $c i32) (param i32)
    (drop (call $run (local.get $c) (i32.const 0x6364) (i32.const 0))))
  (func (export "proxy_on_upstream_connection_close") (param $c i32) (param i32)
    (drop (call $run (local.get $c) (i32.const 0x6375) (i32.const 0))))
  (func (export "proxy_on_request_headers") (param $c i32) (param i32 i32) (result i32)
    (call $run (local.get $c) (i32.const 0x6871) (i32.const 0)))
  (func (export "proxy_on_request_body") (param $c i32) (param i32 i32) (result i32)
    (call $run (local.get $c) (i32.const 0x6271) (i32.const 0)))
  (func (export "proxy_on_request_trailers") (param $c i32) (param i32) (result i32)
    (call $run (local.get $c) (i32.const 0x7471) (i32.const 0)))
  (func (export "proxy_on_response_headers") (param $c i32) (param i32 i32) (result i32)
    (call $run (local.get $c) (i32.const 0x6872) (i32.const 0)))
  (func (export "proxy_on_response_body") (param $c i32) (param i32 i32) (result i32)
    (call $run (local.get $c) (i32.const 0x6272) (i32.const 0)))
  (func (export "proxy_on_response_trailers") (param $c i32) (param i32) (result i32)
    (call $run (local.get $c) (i32.const 0x7472) (i32.const 0)))
  (func (export "proxy_on_log") (param $c i32) (drop (call $run (local.get $c) (i32.const 0x6f6c) (i32.const 0))))
  (func (export "proxy_on_done") (param $c i32) (result i32)
    (call $run (local.get $c) (select (i32.const 0x6f44) (i32.const 0x6f64) (call $root (local.get $c))) (i32.const 1)))
  (func (export "proxy_on_delete") (param $c i32)
    (drop (call $run (local.get $c) (select (i32.const 0x6544) (i32.const 0x6564) (call $root (local.get $c))) (i32.const 0))))
)
