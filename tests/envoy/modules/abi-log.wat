;; proxy_log: levels, ranges up to the end of memory, texts that a log might trip over, and a very long one for each
;; request; proxy_get_log_level.
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_log_level" (func $level (param i32) (result i32)))
  (memory (export "memory") 3)
  (data (i32.const 0) "text")
  (data (i32.const 16) "line one\nline two\n")                     ;; 18 bytes
  (data (i32.const 48) "nul \00, not UTF-8 \ff\fe, snowman \e2\98\83")  ;; 33 bytes
  (data (i32.const 96) "100% {} %s {0} \\n \t|")                   ;; 20 bytes
  (data (i32.const 128) "trailing blanks  \n")                     ;; 18 bytes
  (data (i32.const 196607) ".")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func $say (param $level i32) (param $at i32) (param $size i32)
    (drop (call $log (local.get $level) (local.get $at) (local.get $size))))
  ;; Shows a number in the trace: level 6 is refused, so nothing is logged.
  (func $show (param i32) (call $say (i32.const 6) (local.get 0) (i32.const 0)))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (local $level i32)
    (loop $next  ;; trace, debug, info, warn, error, critical, and one too many
      (call $say (local.get $level) (i32.const 0) (i32.const 4))
      (local.set $level (i32.add (local.get $level) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $level) (i32.const 7))))
    (call $say (i32.const -1) (i32.const 0) (i32.const 4))
    (call $say (i32.const 2) (i32.const 196607) (i32.const 1))
    (call $say (i32.const 2) (i32.const 196608) (i32.const 0))
    (call $say (i32.const 2) (i32.const 196607) (i32.const 2))
    (call $say (i32.const 2) (i32.const 196609) (i32.const 0))
    (call $say (i32.const 2) (i32.const -1) (i32.const 2))
    (call $say (i32.const 2) (i32.const 16) (i32.const 18))
    (call $say (i32.const 2) (i32.const 48) (i32.const 33))
    (call $say (i32.const 2) (i32.const 96) (i32.const 20))
    (call $say (i32.const 2) (i32.const 128) (i32.const 18))
    (drop (call $level (i32.const 256)))
    (call $show (i32.load (i32.const 256)))
    (drop (call $level (i32.const 257)))     ;; need not be aligned
    (drop (call $level (i32.const 196604)))
    (drop (call $level (i32.const 196605)))
    (drop (call $level (i32.const -1)))
    (i32.const 1))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (memory.fill (i32.const 65536) (i32.const 0x78) (i32.const 100000))
    (call $say (i32.const 2) (i32.const 65536) (i32.const 100000))
    (i32.const 0))
)
