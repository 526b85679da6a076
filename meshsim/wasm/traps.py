"""How a guest's end reads: traps and errors of the engine, with the guest's backtrace.

Nothing here takes ownership; who got a trap or an error from the engine frees it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from meshsim.errors import DeadlineExceeded, Frame, GuestTrap, MeshsimError
from meshsim.wasm.capi import ffi, lib
from meshsim.wasm.exchange import OWN_MODULES

_TRAP_CODES = (
    "stack_overflow", "memory_out_of_bounds", "heap_misaligned", "table_out_of_bounds", "indirect_call_to_null",
    "bad_signature", "integer_overflow", "integer_division_by_zero", "bad_conversion_to_integer", "unreachable",
    "interrupt", "out_of_fuel", "atomic_wait_non_shared_memory", "null_reference", "array_out_of_bounds",
    "allocation_too_large", "cast_failure",
)  # fmt: skip
"""Names of ``wasmtime_trap_code_t`` in its order, as far as core modules can get there."""

_NO_OFFSET = (1 << 64) - 1  # the engine stopped before the first instruction of a function


def from_trap(trap: int, otherwise: str) -> MeshsimError:
    """What a trap says; a trap without a code gets the code ``otherwise``."""
    number = ffi.new("uint8_t *")
    code = _code_name(number[0]) if lib.wasmtime_trap_code(trap, number) else otherwise
    if code == "interrupt":
        return DeadlineExceeded("the guest did not return before its deadline")
    message = _plain(_text(functools.partial(lib.wasm_trap_message, trap)).rstrip("\0"))
    return GuestTrap(code, message, _frames(functools.partial(lib.wasm_trap_trace, trap)))


def error_text(error: int) -> str:
    """What an error says, without the backtrace."""
    return _plain(_text(functools.partial(lib.wasmtime_error_message, error)))


def error_frames(error: int) -> tuple[Frame, ...]:
    """The guest's backtrace, innermost first."""
    return _frames(functools.partial(lib.wasmtime_error_wasm_trace, error))


def _code_name(number: int) -> str:
    return _TRAP_CODES[number] if number < len(_TRAP_CODES) else f"trap_{number}"


def _plain(text: str) -> str:
    """The cause alone, out of a report that may begin with a backtrace."""
    return text.rpartition("wasm trap: ")[2].rpartition("Caused by:")[2].strip()


def _text(fill: Callable[[Any], None]) -> str:
    vector = ffi.new("wasm_byte_vec_t *")
    fill(vector)
    try:
        return _string(vector) if vector.size else ""
    finally:
        lib.wasm_byte_vec_delete(vector)


def _string(vector: Any) -> str:
    return str(ffi.unpack(vector.data, vector.size), "utf-8", "replace")


def _frames(fill: Callable[[Any], None]) -> tuple[Frame, ...]:
    vector = ffi.new("wasm_frame_vec_t *")
    fill(vector)
    try:
        frames = (vector.data[i] for i in range(vector.size))
        return tuple(_frame(frame) for frame in frames if not _is_own(frame))
    finally:
        lib.wasm_frame_vec_delete(vector)


def _is_own(frame: Any) -> bool:
    """Whether the function stands between guest and host."""
    name = lib.wasmtime_frame_module_name(frame)
    return bool(name) and _string(name) in OWN_MODULES


def _frame(frame: Any) -> Frame:
    name, offset = lib.wasmtime_frame_func_name(frame), lib.wasm_frame_module_offset(frame)
    if offset == _NO_OFFSET:
        offset = 0
    return Frame(lib.wasm_frame_func_index(frame), _string(name) if name else None, offset)
