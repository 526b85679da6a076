"""The shortest way into a guest: a call, and what it has left of the fuel, in one step.

A wheel with compiled modules has that step in C (``crossing.c``). Without, it is two calls through cffi, each of which
takes longer than to enter a guest and to come back. Both give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meshsim.wasm.capi import ffi, lib

try:
    from meshsim.wasm import _crossing as compiled  # type: ignore[attr-defined, unused-ignore]  # not in a checkout
except ImportError:
    compiled = None


class Crossing:
    """The way in Python; its parts are those of ``crossing_t`` in ``crossing.h``."""

    __slots__ = ("_arguments", "_context", "_fuel", "_overhead", "_trap", "error")

    def __init__(self, arguments: tuple[Any, ...], overhead: memoryview) -> None:
        self._arguments = arguments
        self._context, self._trap = arguments[0], arguments[-1]
        self._overhead = overhead
        self._fuel = ffi.new("uint64_t *")
        self.error = 0

    def cross(self) -> int:
        """As ``cross`` in ``crossing.h``."""
        self.error = lib.wasmtime_func_call_unchecked(*self._arguments)
        if self.error or self._trap[0]:
            return -1
        lib.wasmtime_context_get_fuel(self._context, self._fuel)
        return int(self._fuel[0] + self._overhead[0])


def way_into(
    context: Any, function: Any, slots: Any, count: int, trap: Any, overhead: memoryview
) -> tuple[Callable[[Any], int], Any]:
    """What to call with what: it gives the fuel left to the guest, -1 after an error or a trap.

    Parameters
    ----------
    context, function, slots, count, trap
        As ``wasmtime_func_call_unchecked`` wants them; to be kept alive.
    overhead : memoryview
        Of one unsigned long: what is not the guest's of the fuel that is gone, in all. To be kept alive.

    Returns
    -------
    (callable, object)
        The object's ``error`` is that of the last call, or 0.
    """
    if compiled is None:
        return Crossing.cross, Crossing((context, function, slots, count, trap), overhead)
    calls = (lib.wasmtime_func_call_unchecked, lib.wasmtime_context_get_fuel)
    call, fuel = (int(ffi.cast("uintptr_t", each)) for each in calls)
    parts = [int(ffi.cast("uintptr_t", each)) for each in (context, function, slots)]
    places = [int(ffi.cast("uintptr_t", each)) for each in (trap, ffi.from_buffer(overhead))]
    return compiled.lib.cross, compiled.ffi.new("crossing_t *", [call, fuel, *parts, count, *places])
