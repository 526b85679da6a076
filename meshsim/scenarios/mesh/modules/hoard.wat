;; hoard: a filter that keeps a table in its memory. Its configuration is a number of MiB, one to three digits; the table
;; is made and written to when the plugin starts, once in every VM, that is once for every worker.
(module
  (import "env" "proxy_get_buffer_bytes" (func $get_buffer (param i32 i32 i32 i32 i32) (result i32)))

  (memory (export "memory") 1)

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))

  (func (export "proxy_on_configure") (param $root i32) (param $size i32) (result i32)
    (local $at i32) (local $end i32) (local $mib i32) (local $before i32)
    (drop (call $get_buffer (i32.const 7) (i32.const 0) (local.get $size) (i32.const 0) (i32.const 4)))
    (local.set $at (i32.load (i32.const 0)))
    (local.set $end (i32.add (local.get $at) (i32.load (i32.const 4))))
    (block $read
      (loop $digit
        (br_if $read (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $mib
          (i32.add (i32.mul (local.get $mib) (i32.const 10)) (i32.sub (i32.load8_u (local.get $at)) (i32.const 48))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $digit)))
    ;; 16 pages are a MiB; -1 says that the host gives no more
    (local.set $before (memory.grow (i32.mul (local.get $mib) (i32.const 16))))
    (if (i32.eq (local.get $before) (i32.const -1)) (then (return (i32.const 0))))
    (memory.fill
      (i32.mul (local.get $before) (i32.const 65536)) (i32.const 1) (i32.mul (local.get $mib) (i32.const 1048576)))
    (i32.const 1))

  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0)))
