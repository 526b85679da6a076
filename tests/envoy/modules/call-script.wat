;; A filter that calls out as its scripts say, and tells what comes back. ABI 0.2.1.
;;
;; The plugin's configuration is "NAME;SCRIPT": a request header's name (x-do, say), then the root context's script.
;; A stream's script is that header's value. Each callback logs one line, and runs, in order, the commands of its
;; context's script that are meant for it. A callout's callback runs the script of the context that made the call.
;;
;;     PHASE OP|ARG|ARG...;
;;
;; PHASE  cc vs co ti  root: created, vm_start, configure, tick     sc  in the root's script: a stream was created
;;        qh qb qt rh rb rt lo do de  headers, body, trailers of request and response; on_log, on_done, on_delete
;;        hr  an HTTP callout's answer; h1 h2...  the answer to this context's first, second... callout only
;;        gi gr gt gc  gRPC: initial metadata, message, trailing metadata, close
;; OP     fetch|CLUSTER|TIMEOUT|BODY|TRAILERS|KEY|VALUE...  HTTP callout; the last TRAILERS pairs are trailers
;;        unary|TARGET|SERVICE|METHOD|TIMEOUT|MESSAGE|KEY|VALUE...   join|TARGET|SERVICE|METHOD|KEY|VALUE...  gRPC
;;        mail|TOKEN|MESSAGE|END   quit|TOKEN (cancel)   shut|TOKEN (close)   outcome (get_status)
;;        add|MAP|KEY|VALUE   replace|MAP|KEY|VALUE   xout|MAP|KEY   get|MAP|KEY   number|MAP   dump|MAP
;;        body|BUFFER|START|MAX   zsize|BUFFER   write|BUFFER|START|SIZE|DATA
;;        local|CODE|DETAILS|BODY|GRPC|KEY|VALUE...   continue|STREAM   hang|STREAM (close it)
;;        value|RETURNED (on_done: 1 waits)   property|A.B.C   effective|CONTEXT   tick|MS   yes (proxy_done)   kill (trap)
;; ARG    %41 is the byte 0x41; #100 is a hundred times "x"
;;
;; Only the first letter of OP counts; it is logged with the status that the host gave: "a=0", "g=0:value",
;; and for what has a token "f=0:4"; a token that the host did not write shows as 777.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_pairs" (func $pairs (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_size" (func $map_size (param i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $bytes (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_status" (func $buffer_status (param i32 i32 i32) (result i32)))
  (import "env" "proxy_set_buffer_bytes" (func $write (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $local (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_continue_stream" (func $continue (param i32) (result i32)))
  (import "env" "proxy_close_stream" (func $close (param i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_http_call" (func $http_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_call"
    (func $grpc_call (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_stream" (func $grpc_stream (param i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_send" (func $grpc_send (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_grpc_cancel" (func $grpc_cancel (param i32) (result i32)))
  (import "env" "proxy_grpc_close" (func $grpc_close (param i32) (result i32)))
  (import "env" "proxy_get_status" (func $get_status (param i32 i32 i32) (result i32)))
  (import "env" "proxy_done" (func $done (result i32)))
  (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
  (import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))

  ;; 0x00000  out-cells at 0, 4, 8, 12, 32, 36, that of tokens at 40, digits at 16..31, ", ) : " at 64, arguments (pointer, size) from 0x200
  ;; 0x04000  by token: the context that called, and its how-manieth call it was
  ;; 0x10000  64 slots of 4 KiB, one a context: size, parent, the script; at the slot's end, the number of its calls
  ;; 0x50000  the line that is being written
  ;; 0x100000 what the host hands over, forgotten at the next callback
  (memory (export "memory") 64)
  (data (i32.const 64) ", ) : ")
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
  (func $slot (param $context i32) (result i32)
    (i32.add (i32.const 0x10000) (i32.shl (i32.and (local.get $context) (i32.const 63)) (i32.const 12))))

  ;; ---- writing the line
  (func $text (param $p i32) (param $n i32)
    (memory.copy (global.get $end) (local.get $p) (local.get $n))
    (global.set $end (i32.add (global.get $end) (local.get $n))))
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
    (call $text (local.get $p) (i32.sub (i32.const 32) (local.get $p))))
  (func $flush
    (drop (call $log (i32.const 2) (i32.const 0x50000) (i32.sub (global.get $end) (i32.const 0x50000))))
    (global.set $end (i32.const 0x50000)))
  (func $value (call $text (i32.load (i32.const 0)) (i32.load (i32.const 4))))
  (func $forget (i64.store (i32.const 0) (i64.const 0)))

  ;; a header map as "[name: value][name: value]"
  (func $dump (param $map i32)
    (local $blob i32) (local $count i32) (local $sizes i32) (local $text i32) (local $first i32)
    (call $forget)
    (drop (call $pairs (local.get $map) (i32.const 0) (i32.const 4)))
    (if (i32.eqz (i32.load (i32.const 4))) (then (return)))
    (local.set $blob (i32.load (i32.const 0)))
    (local.set $count (i32.load (local.get $blob)))
    (local.set $sizes (i32.add (local.get $blob) (i32.const 4)))
    (local.set $text (i32.add (local.get $sizes) (i32.shl (local.get $count) (i32.const 3))))
    (block $done (loop $pair
      (br_if $done (i32.eqz (local.get $count)))
      (call $char (i32.const 91))
      (local.set $first (i32.load (local.get $text)))
      (call $text (local.get $text) (i32.load (local.get $sizes)))
      (local.set $text (i32.add (local.get $text) (i32.add (i32.load (local.get $sizes)) (i32.const 1))))
      (call $text (i32.const 68) (i32.const 2))
      (if (i32.and (i32.eq (i32.load (local.get $sizes)) (i32.const 29)) (i32.eq (local.get $first) (i32.const 0x6e652d78)))
        (then (call $char (i32.const 63)))         ;; x-envoy-upstream-service-time: a clock, so not for the log
        (else (call $text (local.get $text) (i32.load offset=4 (local.get $sizes)))))
      (local.set $text (i32.add (local.get $text) (i32.add (i32.load offset=4 (local.get $sizes)) (i32.const 1))))
      (call $char (i32.const 93))
      (local.set $sizes (i32.add (local.get $sizes) (i32.const 8)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $pair))))
  ;; a body as <text>; of a long one, its size and its first 64 bytes
  (func $show (param $buffer i32) (param $start i32) (param $max i32)
    (call $forget)
    (drop (call $bytes (local.get $buffer) (local.get $start) (local.get $max) (i32.const 0) (i32.const 4)))
    (call $char (i32.const 60))
    (if (i32.gt_u (i32.load (i32.const 4)) (i32.const 64))
      (then (call $number (i32.load (i32.const 4))) (call $char (i32.const 58)) (i32.store (i32.const 4) (i32.const 64))))
    (call $value)
    (call $char (i32.const 62)))

  ;; ---- reading the script
  (func $peek (result i32)
    (if (result i32) (i32.lt_u (global.get $at) (global.get $stop))
      (then (i32.load8_u (global.get $at))) (else (i32.const 59))))
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
  ;; from "|" to the next "|" or ";", decoded to fresh memory
  (func $argument
    (local $p i32) (local $n i32) (local $c i32)
    (call $step)
    (local.set $p (global.get $top))
    (block $done (loop $next
      (local.set $c (call $peek))
      (br_if $done (i32.eq (local.get $c) (i32.const 124)))
      (br_if $done (i32.eq (local.get $c) (i32.const 59)))
      (call $step)
      (if (i32.eq (local.get $c) (i32.const 37))
        (then (local.set $c (i32.or (i32.shl (call $nibble) (i32.const 4)) (call $nibble)))))
      (i32.store8 (i32.add (local.get $p) (local.get $n)) (local.get $c))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br $next)))
    (if (i32.and (i32.ne (local.get $n) (i32.const 0)) (i32.eq (i32.load8_u (local.get $p)) (i32.const 35)))
      (then
        (local.set $n (call $decimal (i32.add (local.get $p) (i32.const 1)) (i32.sub (local.get $n) (i32.const 1))))
        (memory.fill (local.get $p) (i32.const 120) (local.get $n))))
    (drop (call $allocate (local.get $n)))
    (i32.store (call $cell (global.get $args)) (local.get $p))
    (i32.store offset=4 (call $cell (global.get $args)) (local.get $n))
    (global.set $args (i32.add (global.get $args) (i32.const 1))))
  ;; arguments FROM up to TO as a map in the ABI's form: its pointer; its size is what $top moved by
  (func $blob (param $from i32) (param $to i32) (param $out i32)
    (local $count i32) (local $i i32) (local $p i32) (local $sizes i32)
    (local.set $count (i32.shr_u (i32.sub (local.get $to) (local.get $from)) (i32.const 1)))
    (local.set $p (global.get $top))
    (i32.store (local.get $out) (local.get $p))
    (i32.store (local.get $p) (local.get $count))
    (local.set $sizes (i32.add (local.get $p) (i32.const 4)))
    (local.set $p (i32.add (local.get $sizes) (i32.shl (local.get $count) (i32.const 3))))
    (local.set $i (local.get $from))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $i)
                             (i32.add (local.get $from) (i32.shl (local.get $count) (i32.const 1)))))
      (i32.store (local.get $sizes) (call $len (local.get $i)))
      (memory.copy (local.get $p) (call $ptr (local.get $i)) (call $len (local.get $i)))
      (local.set $p (i32.add (local.get $p) (call $len (local.get $i))))
      (i32.store8 (local.get $p) (i32.const 0))
      (local.set $p (i32.add (local.get $p) (i32.const 1)))
      (local.set $sizes (i32.add (local.get $sizes) (i32.const 4)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $next)))
    (i32.store offset=4 (local.get $out) (i32.sub (local.get $p) (i32.load (local.get $out))))
    (global.set $top (i32.and (i32.add (local.get $p) (i32.const 7)) (i32.const -8))))
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

  ;; ---- one command; its letter decides
  (func $status (param $letter i32) (param $status i32)
    (call $char (i32.const 32)) (call $char (local.get $letter)) (call $char (i32.const 61))
    (call $number (local.get $status)))
  ;; o outcome: what get_status says
  (func $outcome
    (i32.store (i32.const 8) (i32.const 777))
    (call $forget)
    (call $status (i32.const 0x6f) (call $get_status (i32.const 8) (i32.const 0) (i32.const 4)))
    (call $char (i32.const 58)) (call $number (i32.load (i32.const 8)))
    (call $char (i32.const 58)) (call $value))
  ;; a token was (or was not) written to 40: log it, and remember whose it is
  (func $issued (param $context i32)
    (local $cell i32) (local $calls i32)
    (call $char (i32.const 58)) (call $number (i32.load (i32.const 40)))
    (local.set $cell (call $caller (i32.load (i32.const 40))))
    (local.set $calls (i32.add (call $slot (local.get $context)) (i32.const 4092)))
    (i32.store (local.get $calls) (i32.add (i32.load (local.get $calls)) (i32.const 1)))
    (i32.store (local.get $cell) (local.get $context))
    (i32.store offset=4 (local.get $cell) (i32.load (local.get $calls))))
  (func $caller (param $token i32) (result i32)
    (i32.add (i32.const 0x4000) (i32.shl (i32.and (local.get $token) (i32.const 1023)) (i32.const 3))))
  (func $execute (param $context i32) (param $c i32)
    (local $split i32)
    (call $forget)
    (if (i32.eq (local.get $c) (i32.const 0x61)) (then              ;; a add
      (call $status (local.get $c) (call $add (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))
                                        (call $ptr (i32.const 2)) (call $len (i32.const 2))))))
    (if (i32.eq (local.get $c) (i32.const 0x72)) (then              ;; r replace
      (call $status (local.get $c) (call $replace (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))
                                            (call $ptr (i32.const 2)) (call $len (i32.const 2))))))
    (if (i32.eq (local.get $c) (i32.const 0x78)) (then              ;; x remove
      (call $status (local.get $c) (call $remove (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))))))
    (if (i32.eq (local.get $c) (i32.const 0x67)) (then              ;; g get
      (call $status (local.get $c) (call $get (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))
                                        (i32.const 0) (i32.const 4)))
      (call $char (i32.const 58)) (call $value)))
    (if (i32.eq (local.get $c) (i32.const 0x6e)) (then              ;; n number of bytes in a map
      (call $status (local.get $c) (call $map_size (call $int (i32.const 0)) (i32.const 0)))
      (call $char (i32.const 58)) (call $number (i32.load (i32.const 0)))))
    (if (i32.eq (local.get $c) (i32.const 0x64)) (then              ;; d dump a map
      (call $char (i32.const 32)) (call $char (local.get $c)) (call $dump (call $int (i32.const 0)))))
    (if (i32.eq (local.get $c) (i32.const 0x62)) (then              ;; b bytes of a body
      (call $char (i32.const 32)) (call $char (local.get $c))
      (call $show (call $int (i32.const 0)) (call $int (i32.const 1)) (call $int (i32.const 2)))))
    (if (i32.eq (local.get $c) (i32.const 0x7a)) (then              ;; z size of a body
      (call $status (local.get $c) (call $buffer_status (call $int (i32.const 0)) (i32.const 0) (i32.const 4)))
      (call $char (i32.const 58)) (call $number (i32.load (i32.const 0)))))
    (if (i32.eq (local.get $c) (i32.const 0x77)) (then              ;; w write into a body
      (call $status (local.get $c) (call $write (call $int (i32.const 0)) (call $int (i32.const 1)) (call $int (i32.const 2))
                                          (call $ptr (i32.const 3)) (call $len (i32.const 3))))))
    (if (i32.eq (local.get $c) (i32.const 0x6c)) (then              ;; l local response
      (call $blob (i32.const 4) (global.get $args) (i32.const 8))
      (call $status (local.get $c) (call $local (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))
                                          (call $ptr (i32.const 2)) (call $len (i32.const 2))
                                          (i32.load (i32.const 8)) (i32.load (i32.const 12)) (call $int (i32.const 3))))))
    (if (i32.eq (local.get $c) (i32.const 0x63)) (then              ;; c continue
      (call $status (local.get $c) (call $continue (call $int (i32.const 0))))))
    (if (i32.eq (local.get $c) (i32.const 0x68)) (then              ;; h hang up
      (call $status (local.get $c) (call $close (call $int (i32.const 0))))))
    (if (i32.eq (local.get $c) (i32.const 0x76)) (then              ;; v value to return
      (global.set $result (call $int (i32.const 0)))))
    (if (i32.eq (local.get $c) (i32.const 0x70)) (then              ;; p property
      (call $path)
      (call $status (local.get $c) (call $property (call $ptr (i32.const 0)) (call $len (i32.const 0)) (i32.const 0) (i32.const 4)))
      (call $char (i32.const 58)) (call $value)))
    (if (i32.eq (local.get $c) (i32.const 0x65)) (then              ;; e effective context
      (call $status (local.get $c) (call $effective (call $int (i32.const 0))))))
    (if (i32.eq (local.get $c) (i32.const 0x74)) (then              ;; t tick period
      (call $status (local.get $c) (call $tick (call $int (i32.const 0))))))
    (if (i32.eq (local.get $c) (i32.const 0x79)) (then              ;; y yes, done
      (call $status (local.get $c) (call $done))))
    (if (i32.eq (local.get $c) (i32.const 0x6b)) (then              ;; k kill
      (call $flush) (unreachable)))
    (if (i32.eq (local.get $c) (i32.const 0x6f)) (then (call $outcome)))
    (i32.store (i32.const 40) (i32.const 777))
    (if (i32.eq (local.get $c) (i32.const 0x66)) (then              ;; f fetch: headers at 8, trailers at 32
      (local.set $split (i32.sub (global.get $args) (i32.shl (call $int (i32.const 3)) (i32.const 1))))
      (call $blob (i32.const 4) (local.get $split) (i32.const 8))
      (call $blob (local.get $split) (global.get $args) (i32.const 32))
      (call $status (local.get $c)
        (call $http_call (call $ptr (i32.const 0)) (call $len (i32.const 0)) (i32.load (i32.const 8)) (i32.load (i32.const 12))
          (call $ptr (i32.const 2)) (call $len (i32.const 2)) (i32.load (i32.const 32)) (i32.load (i32.const 36))
          (call $int (i32.const 1)) (i32.const 40)))
      (call $issued (local.get $context))))
    (if (i32.eq (local.get $c) (i32.const 0x75)) (then              ;; u unary
      (call $blob (i32.const 5) (global.get $args) (i32.const 8))
      (call $status (local.get $c)
        (call $grpc_call (call $ptr (i32.const 0)) (call $len (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))
          (call $ptr (i32.const 2)) (call $len (i32.const 2)) (i32.load (i32.const 8)) (i32.load (i32.const 12))
          (call $ptr (i32.const 4)) (call $len (i32.const 4)) (call $int (i32.const 3)) (i32.const 40)))
      (call $issued (local.get $context))))
    (if (i32.eq (local.get $c) (i32.const 0x6a)) (then              ;; j join: open a stream
      (call $blob (i32.const 3) (global.get $args) (i32.const 8))
      (call $status (local.get $c)
        (call $grpc_stream (call $ptr (i32.const 0)) (call $len (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))
          (call $ptr (i32.const 2)) (call $len (i32.const 2)) (i32.load (i32.const 8)) (i32.load (i32.const 12)) (i32.const 40)))
      (call $issued (local.get $context))))
    (if (i32.eq (local.get $c) (i32.const 0x6d)) (then              ;; m mail: send on a stream
      (call $status (local.get $c) (call $grpc_send (call $int (i32.const 0)) (call $ptr (i32.const 1)) (call $len (i32.const 1))
                                          (call $int (i32.const 2))))))
    (if (i32.eq (local.get $c) (i32.const 0x71)) (then              ;; q quit: cancel
      (call $status (local.get $c) (call $grpc_cancel (call $int (i32.const 0))))))
    (if (i32.eq (local.get $c) (i32.const 0x73)) (then              ;; s shut: close
      (call $status (local.get $c) (call $grpc_close (call $int (i32.const 0)))))))
  ;; every command of this context's script that is meant for PHASE or for OTHER
  (func $run (param $context i32) (param $phase i32) (param $other i32)
    (call $run_from (local.get $context) (local.get $context) (local.get $phase) (local.get $other)))
  (func $run_from (param $owner i32) (param $context i32) (param $phase i32) (param $other i32)
    (local $old_at i32) (local $old_stop i32) (local $old_args i32)
    (local $slot i32) (local $token i32) (local $c i32)
    (local.set $old_at (global.get $at)) (local.set $old_stop (global.get $stop)) (local.set $old_args (global.get $args))
    (local.set $slot (call $slot (local.get $owner)))
    (global.set $at (i32.add (local.get $slot) (i32.const 8)))
    (global.set $stop (i32.add (global.get $at) (i32.load (local.get $slot))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (global.get $at) (global.get $stop)))
      (if (i32.le_u (call $peek) (i32.const 32)) (then (call $step) (br $next)))
      (local.set $token (i32.load16_u (global.get $at)))
      (global.set $at (i32.add (global.get $at) (i32.const 3)))
      (local.set $c (call $peek))
      (global.set $args (i32.const 0))
      (loop $arguments
        (if (i32.eq (call $peek) (i32.const 124)) (then (call $argument) (br $arguments)))
        (if (i32.ne (call $peek) (i32.const 59)) (then (call $step) (br $arguments))))
      (call $step)
      (if (i32.or (i32.eq (local.get $token) (local.get $phase)) (i32.eq (local.get $token) (local.get $other)))
        (then (call $execute (local.get $context) (local.get $c))))
      (br $next)))
    (global.set $at (local.get $old_at)) (global.set $stop (local.get $old_stop)) (global.set $args (local.get $old_args)))

  ;; ---- callbacks
  (func $enter (param $context i32) (param $phase i32)
    (global.set $top (i32.const 0x100000))
    (global.set $result (i32.const 0))
    (call $open (local.get $context) (local.get $phase)))
  ;; alone: a gRPC callback, which may come in the middle of another callback's line and script
  (func $open (param $context i32) (param $phase i32)
    (if (i32.ne (global.get $end) (i32.const 0x50000)) (then (call $flush)))
    (call $char (i32.and (local.get $phase) (i32.const 255)))
    (call $char (i32.shr_u (local.get $phase) (i32.const 8)))
    (call $char (i32.const 40)) (call $number (local.get $context)))
  (func $more (param $v i32) (call $text (i32.const 64) (i32.const 2)) (call $number (local.get $v)))
  (func $leave (result i32) (call $flush) (global.get $result))
  (func $headers (param $context i32) (param $n i32) (param $end i32) (param $phase i32) (param $map i32) (result i32)
    (call $enter (local.get $context) (local.get $phase))
    (call $more (local.get $n)) (call $more (local.get $end)) (call $text (i32.const 66) (i32.const 2))
    (call $dump (local.get $map))
    (call $run (local.get $context) (local.get $phase) (i32.const 0))
    (call $leave))
  (func $data (param $context i32) (param $n i32) (param $end i32) (param $phase i32) (param $buffer i32) (result i32)
    (call $enter (local.get $context) (local.get $phase))
    (call $more (local.get $n)) (call $more (local.get $end)) (call $text (i32.const 66) (i32.const 2))
    (call $show (local.get $buffer) (i32.const 0) (i32.const 0x7fffffff))
    (call $run (local.get $context) (local.get $phase) (i32.const 0))
    (call $leave))
  (func $trailers (param $context i32) (param $n i32) (param $phase i32) (param $map i32) (result i32)
    (call $enter (local.get $context) (local.get $phase))
    (call $more (local.get $n)) (call $text (i32.const 66) (i32.const 2))
    (call $dump (local.get $map))
    (call $run (local.get $context) (local.get $phase) (i32.const 0))
    (call $leave))

  ;; a semicolon ends the header's name in a root's slot; for $run it is a command of no phase
  (func $name_size (param $root i32) (result i32)
    (local $n i32)
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $n) (i32.load (local.get $root))))
      (br_if $done (i32.eq (i32.load8_u offset=8 (i32.add (local.get $root) (local.get $n))) (i32.const 59)))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br $next)))
    (local.get $n))
  (func $keep (param $slot i32)
    (i32.store (local.get $slot) (i32.load (i32.const 4)))
    (memory.copy (i32.add (local.get $slot) (i32.const 8)) (i32.load (i32.const 0)) (i32.load (i32.const 4))))
  (func $adopt (param $context i32)                ;; the script of a stream
    (local $root i32)
    (local.set $root (call $slot (i32.load offset=4 (call $slot (local.get $context)))))
    (call $forget)
    (if (i32.eqz (call $get (i32.const 0) (i32.add (local.get $root) (i32.const 8)) (call $name_size (local.get $root))
                       (i32.const 0) (i32.const 4)))
      (then (call $keep (call $slot (local.get $context))))))

  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32)
    (local $slot i32)
    (local.set $slot (call $slot (local.get $context)))
    (i32.store (local.get $slot) (i32.const 0))
    (i32.store offset=4 (local.get $slot) (local.get $parent))
    (i32.store (i32.add (local.get $slot) (i32.const 4092)) (i32.const 0))
    (call $enter (local.get $context) (i32.const 0x6363))
    (call $more (local.get $parent)) (call $text (i32.const 66) (i32.const 2))
    (if (local.get $parent)
      (then (call $run_from (local.get $parent) (local.get $context) (i32.const 0x6373) (i32.const 0)))
      (else
        (call $forget)
        (drop (call $bytes (i32.const 7) (i32.const 0) (i32.const 4000) (i32.const 0) (i32.const 4)))
        (call $keep (local.get $slot))
        (call $run (local.get $context) (i32.const 0x6363) (i32.const 0))))
    (call $flush))
  (func (export "proxy_on_vm_start") (param $root i32) (param i32) (result i32)
    (call $short (local.get $root) (i32.const 0x7376)) (i32.const 1))
  (func (export "proxy_on_configure") (param $root i32) (param i32) (result i32)
    (call $short (local.get $root) (i32.const 0x6f63)) (i32.const 1))
  (func (export "proxy_on_tick") (param $root i32) (call $short (local.get $root) (i32.const 0x6974)))
  (func (export "proxy_on_request_headers") (param $context i32) (param $n i32) (param $end i32) (result i32)
    (global.set $top (i32.const 0x100000))
    (call $adopt (local.get $context))
    (call $headers (local.get $context) (local.get $n) (local.get $end) (i32.const 0x6871) (i32.const 0)))
  (func (export "proxy_on_request_body") (param $context i32) (param $n i32) (param $end i32) (result i32)
    (call $data (local.get $context) (local.get $n) (local.get $end) (i32.const 0x6271) (i32.const 0)))
  (func (export "proxy_on_request_trailers") (param $context i32) (param $n i32) (result i32)
    (call $trailers (local.get $context) (local.get $n) (i32.const 0x7471) (i32.const 1)))
  (func (export "proxy_on_response_headers") (param $context i32) (param $n i32) (param $end i32) (result i32)
    (call $headers (local.get $context) (local.get $n) (local.get $end) (i32.const 0x6872) (i32.const 2)))
  (func (export "proxy_on_response_body") (param $context i32) (param $n i32) (param $end i32) (result i32)
    (call $data (local.get $context) (local.get $n) (local.get $end) (i32.const 0x6272) (i32.const 1)))
  (func (export "proxy_on_response_trailers") (param $context i32) (param $n i32) (result i32)
    (call $trailers (local.get $context) (local.get $n) (i32.const 0x7472) (i32.const 3)))
  (func $short (param $context i32) (param $phase i32)
    (call $enter (local.get $context) (local.get $phase))
    (call $text (i32.const 66) (i32.const 2))
    (call $run (local.get $context) (local.get $phase) (i32.const 0))
    (call $flush))
  (func (export "proxy_on_log") (param $context i32) (call $short (local.get $context) (i32.const 0x6f6c)))
  (func (export "proxy_on_done") (param $context i32) (result i32)
    (call $short (local.get $context) (i32.const 0x6f64))
    (i32.eqz (global.get $result)))
  (func (export "proxy_on_delete") (param $context i32) (call $short (local.get $context) (i32.const 0x6564)))

  ;; ---- answers
  (func $answer (param $token i32) (param $phase i32)
    (local $cell i32)
    (local.set $cell (call $caller (local.get $token)))
    (call $run (i32.load (local.get $cell)) (local.get $phase)
      (i32.or (i32.shl (i32.add (i32.load offset=4 (local.get $cell)) (i32.const 48)) (i32.const 8)) (i32.const 0x68)))
    (call $flush))
  (func (export "proxy_on_http_call_response")
    (param $root i32) (param $token i32) (param $headers i32) (param $body i32) (param $trailers i32)
    (call $enter (local.get $root) (i32.const 0x7268))
    (call $more (local.get $token)) (call $more (local.get $headers))
    (call $more (local.get $body)) (call $more (local.get $trailers)) (call $text (i32.const 66) (i32.const 2))
    (call $dump (i32.const 6))
    (call $show (i32.const 4) (i32.const 0) (i32.const 0x7fffffff))
    (call $dump (i32.const 7))
    (call $outcome)
    (call $answer (local.get $token) (i32.const 0x7268)))
  (func $grpc (param $root i32) (param $token i32) (param $n i32) (param $phase i32)
    (call $open (local.get $root) (local.get $phase))
    (call $more (local.get $token)) (call $more (local.get $n)) (call $text (i32.const 66) (i32.const 2)))
  (func (export "proxy_on_grpc_receive_initial_metadata") (param $root i32) (param $token i32) (param $n i32)
    (call $grpc (local.get $root) (local.get $token) (local.get $n) (i32.const 0x6967))
    (call $dump (i32.const 4)) (call $outcome)
    (call $answer (local.get $token) (i32.const 0x6967)))
  (func (export "proxy_on_grpc_receive") (param $root i32) (param $token i32) (param $n i32)
    (call $grpc (local.get $root) (local.get $token) (local.get $n) (i32.const 0x7267))
    (call $show (i32.const 5) (i32.const 0) (i32.const 0x7fffffff)) (call $outcome)
    (call $answer (local.get $token) (i32.const 0x7267)))
  (func (export "proxy_on_grpc_receive_trailing_metadata") (param $root i32) (param $token i32) (param $n i32)
    (call $grpc (local.get $root) (local.get $token) (local.get $n) (i32.const 0x7467))
    (call $dump (i32.const 5)) (call $outcome)
    (call $answer (local.get $token) (i32.const 0x7467)))
  (func (export "proxy_on_grpc_close") (param $root i32) (param $token i32) (param $code i32)
    (call $grpc (local.get $root) (local.get $token) (local.get $code) (i32.const 0x6367))
    (call $outcome)
    (call $answer (local.get $token) (i32.const 0x6367))))
