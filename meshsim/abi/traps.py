"""How Envoy's V8 words a trap that wasmtime reports in other words."""

from __future__ import annotations

from meshsim.errors import Frame, GuestTrap
from meshsim.wasm import ModuleFacts

#: wasmtime's trap codes and V8's message; from runs of Envoy 1.40 with one module a trap.
V8_WORDS = {
    "unreachable": "Uncaught RuntimeError: unreachable",
    "memory_out_of_bounds": "Uncaught RuntimeError: memory access out of bounds",
    "table_out_of_bounds": "Uncaught RuntimeError: table index is out of bounds",
    "indirect_call_to_null": "Uncaught RuntimeError: null function or function signature mismatch",
    "bad_signature": "Uncaught RuntimeError: null function or function signature mismatch",
    "integer_overflow": "Uncaught RuntimeError: divide result unrepresentable",
    "integer_division_by_zero": "Uncaught RuntimeError: divide by zero",
    "bad_conversion_to_integer": "Uncaught RuntimeError: float unrepresentable in integer range",
    "restricted_callback": "Uncaught Error: restricted_callback",
    "stack_overflow": "Uncaught RangeError: Maximum call stack size exceeded",
}


def failure_text(function: str, trap: GuestTrap, facts: ModuleFacts) -> str:
    """Envoy's line for a trap; the backtrace is there when the module names its functions."""
    words = V8_WORDS.get(trap.code, f"Uncaught RuntimeError: {trap.message}")
    lines = [f"Function: {function} failed: {words}"]
    if facts.function_names:
        lines.append("Proxy-Wasm plugin in-VM backtrace:")
        lines += [f"  {i}:  0x{f.offset:x} - {_name(f)}" for i, f in enumerate(trap.frames)]
    return "\n".join(lines)


def _name(frame: Frame) -> str:
    return frame.name or f"unknown(function index:{frame.function})"
