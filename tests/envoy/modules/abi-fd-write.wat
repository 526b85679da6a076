;; fd_write: which descriptors, how line ends and several pieces become log messages, what counts as written, bad
;; pointers. fd_pwrite is the same with an offset that nobody looks at.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite" (func $pwrite (param i32 i32 i32 i64 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "plain")
  (data (i32.const 16) "one line\n")
  (data (i32.const 32) "two line ends\n\n")
  (data (i32.const 48) "a\nb\00c\ff")
  ;; iovecs: pointer, size
  (data (i32.const 256) "\00\00\00\00\05\00\00\00" "\10\00\00\00\09\00\00\00" "\20\00\00\00\0f\00\00\00")
  (data (i32.const 280) "\30\00\00\00\06\00\00\00" "\18\00\00\00\01\00\00\00" "\00\00\00\00\00\00\00\00")
  (data (i32.const 304) "\00\00\01\00\00\00\00\00" "\ff\ff\00\00\02\00\00\00")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func $try (param $fd i32) (param $iovecs i32) (param $count i32)
    (i32.store (i32.const 512) (i32.const -1))
    (drop (call $write (local.get $fd) (local.get $iovecs) (local.get $count) (i32.const 512)))
    ;; only shows the count in the trace: level 6 is refused
    (drop (call $log (i32.const 6) (i32.load (i32.const 512)) (i32.const 0))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (call $try (i32.const 1) (i32.const 256) (i32.const 1))
    (call $try (i32.const 2) (i32.const 256) (i32.const 1))
    (call $try (i32.const 1) (i32.const 264) (i32.const 1))
    (call $try (i32.const 1) (i32.const 272) (i32.const 1))
    (call $try (i32.const 2) (i32.const 280) (i32.const 1))
    (call $try (i32.const 1) (i32.const 288) (i32.const 1))           ;; a line end only
    (call $try (i32.const 1) (i32.const 256) (i32.const 5))           ;; all of them, in one message
    (call $try (i32.const 1) (i32.const 296) (i32.const 1))           ;; a piece of no bytes
    (call $try (i32.const 1) (i32.const 256) (i32.const 0))           ;; no pieces
    (call $try (i32.const 0) (i32.const 256) (i32.const 1))           ;; not for writing
    (call $try (i32.const 3) (i32.const 256) (i32.const 1))
    (call $try (i32.const -1) (i32.const 256) (i32.const 1))
    (call $try (i32.const 1) (i32.const 304) (i32.const 1))           ;; no bytes at the very end of memory
    (call $try (i32.const 1) (i32.const 312) (i32.const 1))           ;; across it
    (call $try (i32.const 1) (i32.const 256) (i32.const 8))           ;; good pieces before that one
    (call $try (i32.const 1) (i32.const 65532) (i32.const 1))         ;; the list itself across it
    (call $try (i32.const 1) (i32.const -8) (i32.const 1))
    (call $try (i32.const 1) (i32.const 0) (i32.const -1))
    (call $try (i32.const 1) (i32.const 0) (i32.const 0x20000000))    ;; 8 times that is 2**32
    (drop (call $write (i32.const 1) (i32.const 256) (i32.const 1) (i32.const 65536)))
    (drop (call $write (i32.const 1) (i32.const 256) (i32.const 1) (i32.const 65533)))
    (drop (call $pwrite (i32.const 1) (i32.const 264) (i32.const 1) (i64.const 5) (i32.const 512)))
    (drop (call $pwrite (i32.const 7) (i32.const 264) (i32.const 1) (i64.const 5) (i32.const 512)))
    (i32.const 1))
)
