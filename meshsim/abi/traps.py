"""How Envoy's V8 words a trap that wasmtime reports in other words."""

from __future__ import annotations

from meshsim.errors import Frame, GuestTrap
from meshsim.wasm import ModuleFacts

#: wasmtime's trap codes and V8's message; from runs of Envoy 1.40 with one module a trap.
V8_WORDS = {
    "unreachable": "Uncaught RuntimeError: unreachable",
    "memory_out_of_bounds": "Uncaught RuntimeError: memory access out of bounds",
    "table_out_of_bounds": "Uncaught RuntimeError: table index is out of bounds",
    "indirect_call_to_null": "Uncaught RuntimeError: function signature mismatch",
    "bad_signature": "Uncaught RuntimeError: function signature mismatch",
    "integer_overflow": "Uncaught RuntimeError: divide result unrepresentable",
    "integer_division_by_zero": "Uncaught RuntimeError: divide by zero",
    "bad_conversion_to_integer": "Uncaught RuntimeError: float unrepresentable in integer range",
    "restricted_callback": "Uncaught Error: restricted_callback",
    "stack_overflow": "Uncaught RangeError: Maximum call stack size exceeded",
}


#: Where the engine has one code for what V8 tells apart: the instructions (by opcode) that have other words.
_BY_INSTRUCTION = {
    # i32.rem_s, i32.rem_u, i64.rem_s, i64.rem_u
    "integer_division_by_zero": ((0x6F, 0x70, 0x81, 0x82), "Uncaught RuntimeError: remainder by zero"),
    # i32.trunc_f32_s to i32.trunc_f64_u, i64.trunc_f32_s to i64.trunc_f64_u
    "integer_overflow": (
        (*range(0xA8, 0xAC), *range(0xAE, 0xB2)),
        "Uncaught RuntimeError: float unrepresentable in integer range",
    ),
}


def failure_text(function: str, trap: GuestTrap, facts: ModuleFacts) -> str:
    """Envoy's line for a trap; the backtrace is there when the module names its functions."""
    words = V8_WORDS.get(trap.code, f"Uncaught RuntimeError: {trap.message}")
    opcodes, other_words = _BY_INSTRUCTION.get(trap.code, ((), ""))
    if trap.frames and facts.data[trap.frames[0].offset] in opcodes:
        words = other_words
    lines = [f"Function: {function} failed: {words}"]
    if facts.function_names:
        lines.append("Proxy-Wasm plugin in-VM backtrace:")
        lines += [f"{i:3}:  0x{f.offset:x} - {_name(f)}" for i, f in enumerate(trap.frames)]
    return "\n".join(lines)


def _name(frame: Frame) -> str:
    return frame.name or f"unknown(function index:{frame.function})"
