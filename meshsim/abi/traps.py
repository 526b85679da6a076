"""How Envoy's V8 words a trap that wasmtime reports in other words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from meshsim.errors import Frame, GuestTrap, MeshsimError
from meshsim.wasm import ModuleFacts

if TYPE_CHECKING:
    from meshsim.abi.context import Plugin

#: wasmtime's trap codes and V8's message; from runs of Envoy 1.40 with one module a trap.
V8_WORDS = {
    "unreachable": "Uncaught RuntimeError: unreachable",
    "memory_out_of_bounds": "Uncaught RuntimeError: memory access out of bounds",
    "heap_misaligned": "Uncaught RuntimeError: operation does not support unaligned accesses",
    "atomic_wait_non_shared_memory": "Uncaught RuntimeError: Atomics.wait cannot be called in this context",
    "table_out_of_bounds": "Uncaught RuntimeError: table index is out of bounds",
    "indirect_call_to_null": "Uncaught RuntimeError: function signature mismatch",
    "bad_signature": "Uncaught RuntimeError: function signature mismatch",
    "integer_overflow": "Uncaught RuntimeError: divide result unrepresentable",
    "integer_division_by_zero": "Uncaught RuntimeError: divide by zero",
    "bad_conversion_to_integer": "Uncaught RuntimeError: float unrepresentable in integer range",
    "null_reference": "Uncaught RuntimeError: dereferencing a null pointer",
    "array_out_of_bounds": "Uncaught RuntimeError: array element access out of bounds",
    "allocation_too_large": "Uncaught RuntimeError: requested new array is too large",
    "cast_failure": "Uncaught RuntimeError: illegal cast",
    "restricted_callback": "Uncaught Error: restricted_callback",
    "stack_overflow": "Uncaught RangeError: Maximum call stack size exceeded",
    "uncaught_exception": "Uncaught #<Exception>",
    "out_of_fuel": "the fuel that one call may burn is spent (a limit of meshsim: Envoy has none)",
}


#: Where the engine has one code for what V8 tells apart: how the instructions begin that have other words.
_BY_INSTRUCTION: Mapping[str, tuple[tuple[bytes, ...], str]] = {
    # i32.rem_s, i32.rem_u, i64.rem_s, i64.rem_u
    "integer_division_by_zero": ((b"\x6f", b"\x70", b"\x81", b"\x82"), "Uncaught RuntimeError: remainder by zero"),
    # i32.trunc_f32_s to i32.trunc_f64_u, i64.trunc_f32_s to i64.trunc_f64_u
    "integer_overflow": (
        tuple(bytes([opcode]) for opcode in (*range(0xA8, 0xAC), *range(0xAE, 0xB2))),
        "Uncaught RuntimeError: float unrepresentable in integer range",
    ),
    # throw_ref
    "null_reference": ((b"\x0a",), "Uncaught RuntimeError: rethrowing null value"),
    # array.new_data
    "memory_out_of_bounds": ((b"\xfb\x09",), "Uncaught RuntimeError: data segment out of bounds"),
}

#: V8 knows no more where a Wasm exception came from once nobody has caught it.
_WITHOUT_FRAMES = frozenset({"uncaught_exception"})


_PLUGIN = "plugin "


def failure_text(function: str, trap: GuestTrap, facts: ModuleFacts) -> str:
    """Envoy's line for a trap; the backtrace is there when the module names its functions."""
    words = V8_WORDS.get(trap.code, f"Uncaught RuntimeError: {trap.message}")
    openings, other_words = _BY_INSTRUCTION.get(trap.code, ((), ""))
    if trap.frames and facts.data.startswith(openings, trap.frames[0].offset):
        words = other_words
    lines = [f"Function: {function} failed: {words}"]
    if facts.function_names:
        lines.append("Proxy-Wasm plugin in-VM backtrace:")
        frames = () if trap.code in _WITHOUT_FRAMES else trap.frames
        lines += [f"{i:3}:  0x{f.offset:x} - {_name(f)}" for i, f in enumerate(frames)]
    return "\n".join(lines)


def within(error: MeshsimError, function: str, plugin: Plugin | None = None) -> None:
    """Put before an error's place the function that it comes out of, of the host or of a plugin's module."""
    error.where = f"{function} > {error.where}" if error.where else function
    if plugin:
        by_plugin(error, plugin)


def by_plugin(error: MeshsimError, plugin: Plugin) -> None:
    """Put before an error's place the plugin, unless one is named already."""
    if not error.where.startswith(_PLUGIN):
        error.where = f"{_PLUGIN}{plugin.name!r} (VM {plugin.vm_id!r}), {error.where or 'its module'}"


def _name(frame: Frame) -> str:
    return frame.name or f"unknown(function index:{frame.function})"
