"""The guests of the benchmarks, in the text format."""

from __future__ import annotations

CALLBACKS = 6
"""Callbacks that :data:`FILTER` gets a request: create, request headers, response headers, log, done, delete."""

HOST_CALLS = 10
"""Host calls that :data:`FILTER` makes a request."""

ALLOCATIONS = 5
"""Of these host calls, those that make the host call the guest's allocator."""

FILTER = """
;; A filter of twelve host functions: five serve its start, the others every request.
(module
  (import "env" "proxy_get_log_level" (func $log_level (param i32) (result i32)))
  (import "env" "proxy_get_property" (func $property (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_status" (func $buffer_status (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_buffer_bytes" (func $buffer (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_current_time_nanoseconds" (func $time (param i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_replace_header_map_value" (func $replace (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_remove_header_map_value" (func $remove (param i32 i32 i32) (result i32)))
  (import "env" "proxy_increment_metric" (func $increment (param i32 i64) (result i32)))

  ;; 0 and 4: address and size of what the host gave last; 8 and 12: of what it gave before;
  ;; 16: log level; 20: metric; 24: length of a buffer; 28: its flags; 32: the time.
  (memory (export "memory") 2)
  (data (i32.const 1024) ":path")
  (data (i32.const 1040) "x-user")
  (data (i32.const 1056) ":authority")
  (data (i32.const 1072) "x-filter")
  (data (i32.const 1088) ":status")
  (data (i32.const 1104) "content-type")
  (data (i32.const 1120) "meshsim")
  (data (i32.const 1152) "plugin_root_id")
  (data (i32.const 1168) "requests")

  (func (export "proxy_abi_version_0_2_1"))

  ;; A block lives until its stream ends.
  (global $free (mut i32) (i32.const 4096))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))

  (func (export "proxy_on_vm_start") (param i32 i32) (result i32)
    (i32.and (i32.eqz (call $log_level (i32.const 16)))
             (i32.eqz (call $define (i32.const 0) (i32.const 1168) (i32.const 8) (i32.const 20)))))
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $property (i32.const 1152) (i32.const 14) (i32.const 8) (i32.const 12)))
    (drop (call $log (i32.load (i32.const 16)) (i32.load (i32.const 8)) (i32.load (i32.const 12))))
    (drop (call $buffer_status (i32.const 7) (i32.const 24) (i32.const 28)))
    (drop (call $buffer (i32.const 7) (i32.const 0) (i32.load (i32.const 24)) (i32.const 0) (i32.const 4)))
    (drop (call $log (i32.const 2) (i32.load (i32.const 0)) (i32.load (i32.const 4))))
    (drop (call $time (i32.const 32)))
    (i64.gt_u (i64.load (i32.const 32)) (i64.const 0)))

  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $get (i32.const 0) (i32.const 1024) (i32.const 5) (i32.const 8) (i32.const 12)))
    (drop (call $get (i32.const 0) (i32.const 1056) (i32.const 10) (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 0) (i32.const 1040) (i32.const 6) (i32.const 0) (i32.const 4)))
    (drop (call $add (i32.const 0) (i32.const 1072) (i32.const 8)
                     (i32.load (i32.const 0)) (i32.load (i32.const 4))))
    (drop (call $log (i32.const 2) (i32.load (i32.const 8)) (i32.load (i32.const 12))))
    (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $get (i32.const 2) (i32.const 1088) (i32.const 7) (i32.const 0) (i32.const 4)))
    (drop (call $get (i32.const 2) (i32.const 1104) (i32.const 12) (i32.const 8) (i32.const 12)))
    (drop (call $replace (i32.const 2) (i32.const 1072) (i32.const 8) (i32.const 1120) (i32.const 7)))
    (drop (call $log (i32.const 2) (i32.load (i32.const 8)) (i32.load (i32.const 12))))
    (i32.const 0))
  (func (export "proxy_on_log") (param i32)
    (drop (call $increment (i32.load (i32.const 20)) (i64.const 1))))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_delete") (param i32) (global.set $free (i32.const 4096))))
"""

CALLER = """
;; "run" calls a host function of five arguments $n times and adds up what it answers; "mix" calls nothing.
(module
  (import "env" "five" (func $five (param i32 i32 i32 i32 i32) (result i32)))
  (func (export "run") (param $n i32) (result i32) (local $sum i32)
    (loop $again
      (local.set $sum (i32.add (local.get $sum)
        (call $five (local.get $n) (i32.const 1) (i32.const 2) (i32.const 3) (i32.const 4))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "mix") (param i32 i32 i32 i32 i32) (result i32)
    (i32.xor (i32.xor (local.get 0) (local.get 1))
             (i32.xor (i32.xor (local.get 2) (local.get 3)) (local.get 4)))))
"""
