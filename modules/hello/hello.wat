;; hello: a whole Proxy-Wasm filter written by hand (ABI 0.2.1).
;;
;; For every HTTP request it logs the `authorization` header, marks the request with `x-wasm: wat`
;; and lets it pass; when the stream is over it says goodbye. A real filter must never log
;; credentials: this one does, so that there is something to see.
;;
;; A module and its host share nothing but this module's linear memory. A string crosses the border
;; as two numbers: its address in that memory and its length in bytes.
(module
  ;; ---- What we ask of the host. Every host call returns a status, and 0 means "ok". ----

  ;; proxy_log(level, message, message_size)
  (import "env" "proxy_log"
    (func $log (param i32 i32 i32) (result i32)))
  ;; proxy_get_header_map_value(map, key, key_size, &value, &value_size): the last two are addresses
  ;; of cells. The host asks us for a block (see the allocator below), copies the value into it, and
  ;; writes where it is and how long it is into the cells.
  (import "env" "proxy_get_header_map_value"
    (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  ;; proxy_add_header_map_value(map, key, key_size, value, value_size)
  (import "env" "proxy_add_header_map_value"
    (func $add_header (param i32 i32 i32 i32 i32) (result i32)))

  ;; ---- Our memory, one page of 64 KiB. It has to be exported, or the host could not reach it. ----
  ;;
  ;;      0  cell: address of a value        16  "authorization"  13 bytes
  ;;      4  cell: size of that value        32  "x-wasm"          6 bytes
  ;;   1024  the arena, to the end           40  "wat"             3 bytes
  ;;                                         48  "goodbye"         7 bytes
  (memory (export "memory") 1)
  (data (i32.const 16) "authorization")
  (data (i32.const 32) "x-wasm")
  (data (i32.const 40) "wat")
  (data (i32.const 48) "goodbye")

  ;; The simplest allocator there is: hand out the arena from its start. A callback that begins takes
  ;; everything back at once, because no value is kept from one callback to the next.
  (global $arena i32 (i32.const 1024))
  (global $free (mut i32) (i32.const 1024))

  ;; The host looks for this name to learn which version of the ABI we speak. It is never called.
  (func (export "proxy_abi_version_0_2_1"))

  ;; The host calls this from inside $get_header. The answer 0 means "no room": the host call that
  ;; wanted the block then fails with status 6, and nothing is written.
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (local $block i32)
    (local.set $block (global.get $free))
    (if (i32.gt_u (local.get $size) (i32.sub (i32.const 65536) (local.get $block)))
      (then (return (i32.const 0))))
    (global.set $free (i32.add (local.get $block) (local.get $size)))
    (local.get $block))

  ;; ---- The life of a plugin: a root context (parent 0), started and then configured. ----
  (func (export "proxy_on_context_create") (param $context i32) (param $parent i32))
  (func (export "proxy_on_vm_start") (param $root i32) (param $config_size i32) (result i32)
    (i32.const 1))                                     ;; 1: yes, start
  (func (export "proxy_on_configure") (param $root i32) (param $config_size i32) (result i32)
    (i32.const 1))                                     ;; 1: the configuration is fine

  ;; ---- The life of a request: a stream context, whose parent is the root context. ----
  (func (export "proxy_on_request_headers")
    (param $stream i32) (param $count i32) (param $end_of_stream i32) (result i32)
    (global.set $free (global.get $arena))
    (if (i32.eqz (call $get_header
          (i32.const 0)                                ;; map 0: the request headers
          (i32.const 16) (i32.const 13)                ;; "authorization"
          (i32.const 0) (i32.const 4)))                ;; the two cells
      (then
        (drop (call $log (i32.const 2)                 ;; level 2: info
          (i32.load (i32.const 0)) (i32.load (i32.const 4))))))
    (drop (call $add_header
      (i32.const 0)                                    ;; the request headers
      (i32.const 32) (i32.const 6)                     ;; "x-wasm"
      (i32.const 40) (i32.const 3)))                   ;; "wat"
    (i32.const 0))                                     ;; 0: continue with the next filter

  ;; The stream is over: access-log time.
  (func (export "proxy_on_log") (param $stream i32)
    (drop (call $log (i32.const 2) (i32.const 48) (i32.const 7))))

  ;; Streams and, at shutdown, the root context end with these two.
  (func (export "proxy_on_done") (param $context i32) (result i32)
    (i32.const 1))                                     ;; 1: nothing left to wait for
  (func (export "proxy_on_delete") (param $context i32)))
