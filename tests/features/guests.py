"""One small guest a feature: it computes a number by that feature's means and logs as many bytes.

So the trace and the log show not only that a module with the feature is taken, but that it does what it should.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import wasmtime

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
"""What guests log the beginning of."""

_GUEST = """(module
  {types}
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  {memory}
  (data ({address}.const 64) "{digits}")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  {declarations}
  (func $number (result i32) {number})
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $log (i32.const 2) (i32.const 64) (call $number)))
    (i32.const 0)))"""


_MEMORY = '(memory (export "memory") 1)'


@dataclass(frozen=True, slots=True)
class Guest:
    """A guest that uses one feature.

    Attributes
    ----------
    number : str
        Instructions that leave an i32 on the stack.
    logged : int
        That i32: how many bytes are logged.
    declarations, types : str
        What they need outside of the function; types come before the imports.
    memory, address : str
        The memory that the host sees, and the type of its addresses.
    """

    number: str
    logged: int
    declarations: str = ""
    types: str = ""
    memory: str = _MEMORY
    address: str = "i32"

    @property
    def use(self) -> str:
        """What of the text is about the feature; the memory only where it is another than usual."""
        memory = "" if self.memory == _MEMORY else self.memory
        return " ".join(filter(None, (self.types, memory, self.declarations, self.number)))

    @property
    def text(self) -> str:
        """The module in the text format."""
        return _GUEST.format(
            types=self.types,
            memory=self.memory,
            address=self.address,
            digits=DIGITS,
            declarations=self.declarations,
            number=self.number,
        )

    @property
    def module(self) -> bytes:
        """The module, which nobody has validated."""
        return bytes(wasmtime.wat2wasm(self.text))


GUESTS: Mapping[str, Guest] = {
    "bulk-memory": Guest(
        "(memory.fill (i32.const 512) (i32.const 3) (i32.const 8)) (i32.load8_u (i32.const 519))",
        3,
    ),
    "custom-page-sizes": Guest(
        "(i32.sub (memory.size) (i32.const 65530))", 6, memory='(memory (export "memory") 65536 (pagesize 1))'
    ),
    "exceptions": Guest(
        "(block $caught (result i32) (try_table (catch $oops $caught) (throw $oops (i32.const 5))) unreachable)",
        5,
        "(tag $oops (param i32))",
    ),
    "extended-const": Guest("(global.get $sum)", 9, "(global $sum i32 (i32.add (i32.const 4) (i32.const 5)))"),
    "function-references": Guest(
        "(call_ref $give (ref.func $six))",
        6,
        "(elem declare func $six) (func $six (type $give) (i32.const 6))",
        "(type $give (func (result i32)))",
    ),
    "gc": Guest(
        "(struct.get $point $y (struct.new $point (i32.const 1) (i32.const 8)))",
        8,
        types="(type $point (struct (field $x i32) (field $y i32)))",
    ),
    "legacy-exceptions": Guest(
        "try (result i32) i32.const 5 throw $oops catch $oops end",
        5,
        "(tag $oops (param i32))",
    ),
    "memory64": Guest(
        "(i32.store (i64.const 512) (i32.const 4)) (i32.load (i64.const 512))",
        4,
        memory='(memory (export "memory") i64 1)',
        address="i64",
    ),
    "multi-memory": Guest(
        "(i32.store $other (i32.const 64) (i32.const 2)) (i32.load $other (i32.const 64))",
        2,
        "(memory $other 1)",
    ),
    "multi-value": Guest("(call $pair) i32.add", 7, "(func $pair (result i32 i32) (i32.const 3) (i32.const 4))"),
    "nontrapping-float-to-int": Guest("(i32.sub (i32.trunc_sat_f64_s (f64.const 1e10)) (i32.const 2147483641))", 6),
    "reference-types": Guest(
        "(table.set $refs (i32.const 1) (ref.null func)) (table.size $refs)", 3, "(table $refs 3 funcref)"
    ),
    "relaxed-simd": Guest("(i32x4.extract_lane 1 (i32x4.relaxed_trunc_f32x4_s (v128.const f32x4 1 5 1 1)))", 5),
    "shared-memory": Guest(
        "(i32.atomic.rmw.add (i32.const 512) (i32.const 1)) (drop) (i32.load (i32.const 512))",
        1,
        memory='(memory (export "memory") 1 1 shared)',
    ),
    "sign-extension": Guest("(i32.add (i32.extend8_s (i32.const 255)) (i32.const 5))", 4),
    "simd": Guest("(i32x4.extract_lane 2 (v128.const i32x4 1 1 6 1))", 6),
    "stack-switching": Guest(
        "(resume $task (cont.new $task (ref.func $eight)))",
        8,
        "(elem declare func $eight) (func $eight (type $give) (i32.const 8))",
        "(type $give (func (result i32))) (type $task (cont $give))",
    ),
    "tail-call": Guest("(return_call $nine)", 9, "(func $nine (result i32) (i32.const 9))"),
    "threads": Guest("(i32.atomic.rmw.add (i32.const 512) (i32.const 1)) (i32.atomic.load (i32.const 512)) i32.add", 1),
    "wide-arithmetic": Guest(
        "(local i32) (i64.mul_wide_u (i64.const -1) (i64.const 4)) (i32.wrap_i64) (local.set 0) (drop) (local.get 0)",
        3,
    ),
}
"""Feature -> a guest that uses it."""

_TYPES = "(type $point (struct (field $x i32))) (type $list (array (mut i32))) (type $wide (struct (field i64)))"

TRAPS: Mapping[str, Guest] = {
    "a field of null": Guest("(struct.get $point $x (ref.null $point))", 0, types=_TYPES),
    "a list beyond its end": Guest(
        "(array.get $list (array.new $list (i32.const 1) (i32.const 2)) (i32.const 5))", 0, types=_TYPES
    ),
    "a list that is too long": Guest("(array.len (array.new $list (i32.const 1) (i32.const -1)))", 0, types=_TYPES),
    "a cast to another struct": Guest(
        "(struct.get $point $x (ref.cast (ref $point) (ref.cast (ref struct) (struct.new $wide (i64.const 1)))))",
        0,
        types=_TYPES,
    ),
    "a list of data that is not there": Guest(
        "(array.len (array.new_data $list $d (i32.const 0) (i32.const 10)))", 0, '(data $d "abc")', _TYPES
    ),
    "an unaligned atomic": Guest("(i32.atomic.load (i32.const 3))", 0),
    "waiting on a memory of one's own": Guest("(memory.atomic.wait32 (i32.const 64) (i32.const 0) (i64.const 0))", 0),
    "an exception that nobody catches": Guest("(throw $oops (i32.const 7))", 0, "(tag $oops (param i32))"),
    "throwing null": Guest("(throw_ref (ref.null exn))", 0),
    "memory beyond its end": Guest("(i32.load (i32.const -1))", 0),
    "filling beyond the end": Guest("(memory.fill (i32.const 65530) (i32.const 0) (i32.const 10)) (i32.const 0)", 0),
    "a table beyond its end": Guest("(table.get $t (i32.const 9)) (drop) (i32.const 0)", 0, "(table $t 3 funcref)"),
}
"""What goes wrong -> a guest in which it does; the engines have one word each for it, and a host shows V8's."""
