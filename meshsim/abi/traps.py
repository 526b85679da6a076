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


#: Opcodes of i32.rem_s, i32.rem_u, i64.rem_s and i64.rem_u.
_REMAINDERS = frozenset((0x6F, 0x70, 0x81, 0x82))


def failure_text(function: str, trap: GuestTrap, facts: ModuleFacts) -> str:
    """Envoy's line for a trap; the backtrace is there when the module names its functions."""
    words = V8_WORDS.get(trap.code, f"Uncaught RuntimeError: {trap.message}")
    if trap.code == "integer_division_by_zero" and _is_remainder(trap, facts):
        words = "Uncaught RuntimeError: remainder by zero"
    lines = [f"Function: {function} failed: {words}"]
    if facts.function_names:
        lines.append("Proxy-Wasm plugin in-VM backtrace:")
        lines += [f"{i:3}:  0x{f.offset:x} - {_name(f)}" for i, f in enumerate(trap.frames)]
    return "\n".join(lines)


def _is_remainder(trap: GuestTrap, facts: ModuleFacts) -> bool:
    """The engine has one code for both; the instruction tells them apart."""
    return bool(trap.frames) and facts.data[trap.frames[0].offset] in _REMAINDERS


def _name(frame: Frame) -> str:
    return frame.name or f"unknown(function index:{frame.function})"
