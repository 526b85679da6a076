"""Arguments and results between Python and the 16-byte slots of an unchecked call."""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable
from typing import Any

from meshsim.wasm.capi import ffi
from meshsim.wasm.types import HostImport

SLOT_BYTES = 16
_MASK32 = (1 << 32) - 1
_MASK64 = (1 << 64) - 1

_FORMATS = {"i": "I12x", "I": "Q8x", "f": "f12x", "F": "d8x"}
CASTS: dict[str, Any] = {"i": "I", "I": "Q", "f": "f", "F": "d"}
"""Letter of a type -> how a view of a slot reads it."""

SCALARS = frozenset(_FORMATS)
"""Letters of the types that can pass between Python and a guest."""


class SlotViews(dict[int, memoryview]):
    """Address of an array of slots on the native stack -> a view of it, as 32-bit words.

    A view is only used while the call that owns the address is running. A guest that calls the host from ever
    different depths of its stack cannot make this grow without end.
    """

    CAPACITY = 1024

    def __init__(self, slots: int) -> None:
        super().__init__()
        self._size = SLOT_BYTES * slots

    def __missing__(self, at: int) -> memoryview:
        if len(self) >= self.CAPACITY:
            self.clear()
        view = memoryview(ffi.buffer(ffi.cast("char *", at), self._size)).cast("I")
        self[at] = view
        return view


@functools.cache
def slots_format(params: str) -> struct.Struct:
    """How a list of parameters lies in slots."""
    return struct.Struct("<" + "".join(_FORMATS[letter] for letter in params))


def with_arguments(run: Callable[[], Any], buffer: memoryview, params: str) -> Callable[..., Any]:
    """A callable that stores its arguments in ``buffer`` and runs; the common shapes are written out, for speed.

    One closure is made, and it holds no more than it needs: there may be tens of thousands in a process.
    """
    shape = _SHAPES.get(params)
    return _many(run, buffer, params) if shape is None else shape(run, buffer.cast("I"))


def _none(run: Callable[[], Any], words: memoryview) -> Callable[..., Any]:
    return run


def _one(run: Callable[[], Any], words: memoryview) -> Callable[..., Any]:
    def one(a: int) -> Any:
        words[0] = a & _MASK32
        return run()

    return one


def _two(run: Callable[[], Any], words: memoryview) -> Callable[..., Any]:
    def two(a: int, b: int) -> Any:
        words[0] = a & _MASK32
        words[4] = b & _MASK32
        return run()

    return two


def _three(run: Callable[[], Any], words: memoryview) -> Callable[..., Any]:
    def three(a: int, b: int, c: int) -> Any:
        words[0] = a & _MASK32
        words[4] = b & _MASK32
        words[8] = c & _MASK32
        return run()

    return three


_SHAPES = {"": _none, "i": _one, "ii": _two, "iii": _three}


def _many(run: Callable[[], Any], buffer: memoryview, params: str) -> Callable[..., Any]:
    pack = slots_format(params).pack_into
    masks = [{"i": _MASK32, "I": _MASK64}.get(letter) for letter in params]

    def many(*arguments: float) -> Any:
        try:
            pack(buffer, 0, *arguments)
        except struct.error:  # a negative int, or not as many as there should be
            pack(buffer, 0, *[a if m is None else int(a) & m for a, m in zip(arguments, masks, strict=True)])
        return run()

    return many


def callback(host: HostImport, views: SlotViews) -> Callable[[int, int, int, int], int]:
    """The Python side of a host function: arguments out of the slots, the result into slot 0.

    No ``try``: cffi calls ``onerror`` for whatever is raised here, also before the first line.
    """
    fn, results = host.fn, host.type.results
    unpack = slots_format(host.type.params).unpack_from

    def without_result(_env: int, _caller: int, at: int, _count: int) -> int:
        fn(*unpack(views[at]))
        return 0

    def with_i32(_env: int, _caller: int, at: int, _count: int) -> int:
        view = views[at]
        view[0] = fn(*unpack(view)) & _MASK32  # type: ignore[operator]  # a HostImport with a result returns one
        return 0

    def with_i64(_env: int, _caller: int, at: int, _count: int) -> int:
        view = views[at]
        result = fn(*unpack(view)) & _MASK64  # type: ignore[operator]  # as above
        view[0] = result & _MASK32
        view[1] = result >> 32
        return 0

    pack = struct.Struct("<" + CASTS.get(results, "")).pack_into

    def with_float(_env: int, _caller: int, at: int, _count: int) -> int:
        view = views[at]
        pack(view, 0, fn(*unpack(view)))
        return 0

    return {"": without_result, "i": with_i32, "I": with_i64}.get(results, with_float)
