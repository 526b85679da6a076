"""Which parts of WebAssembly beyond 1.0 a module's code uses.

The walk goes over every instruction without decoding most of them: one regular expression matches runs of
WebAssembly 1.0 instructions at the speed of ``re``, and Python looks only at what stopped it. An opcode that nobody
here knows ends the walk of its function; whether code is valid is the engine's to say.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Sequence

from meshsim.errors import ModuleError
from meshsim.wasm.reader import Reader
from meshsim.wasm.types import VALUE_FEATURES

_LEB = rb"[\x80-\xff]*[\x00-\x7f]"

_skip_leb = re.compile(_LEB).match

_STRAIGHT = (
    rb"[\x00\x01\x05\x0b\x0f\x1a\x1b\x45-\xbf]"  # no immediates: control, parametric, numeric
    rb"|[\x10\x20-\x24\x41\x42]" + _LEB  # a function, a variable, an integer constant
    + rb"|[\x28-\x3e][\x00-\x3f]" + _LEB  # load, store: alignment, offset
    + rb"|\x11" + _LEB + rb"\x00"  # call_indirect through table 0
    + rb"|[\x3f\x40]\x00"  # memory.size, memory.grow
    + rb"|\x43.{4}|\x44.{8}"
)  # fmt: skip
_BRANCH = rb"[\x0c\x0d]" + _LEB + rb"|[\x02-\x04][\x40\x7c-\x7f]"  # br, br_if; block, loop, if

_skip_plain = re.compile(rb"(?:" + _STRAIGHT + rb"|" + _BRANCH + rb")*+", re.DOTALL).match
"""Match the longest run of WebAssembly 1.0 instructions."""

_skip_to_branch = re.compile(rb"(?:" + _STRAIGHT + rb")*+(" + _BRANCH + rb")?", re.DOTALL).match
"""Match a run without branches, and the branch behind it."""

_BRANCHES = frozenset((0x02, 0x03, 0x04, 0x0C, 0x0D, 0x0E))
SAMPLE_BYTES = 256 << 10
"""How much of a module's code is looked at for branches; its functions are alike."""

Op = tuple[str | None, str]
"""A feature (None: of 1.0) and the immediates: ``n`` a LEB128 integer, ``1`` ``8`` ``16`` that many bytes, ``m`` where
in memory, ``b`` type of a block, ``j`` table of labels, ``t`` value types, ``h`` handlers of exceptions, ``r`` of
continuations."""

_OPS: dict[int, Op] = {
    **dict.fromkeys((0x00, 0x01, 0x05, 0x0B, 0x0F, 0x1A, 0x1B), (None, "")),
    **dict.fromkeys(range(0x45, 0xC0), (None, "")),
    **dict.fromkeys((0x0C, 0x0D, 0x10, 0x41, 0x42), (None, "n")),
    **dict.fromkeys(range(0x20, 0x25), (None, "n")),
    **dict.fromkeys((0x02, 0x03, 0x04), (None, "b")),
    **dict.fromkeys(range(0x28, 0x3F), (None, "m")),
    0x0E: (None, "j"), 0x11: (None, "nn"), 0x3F: (None, "n"), 0x40: (None, "n"), 0x43: (None, "4"), 0x44: (None, "8"),
    0x06: ("legacy-exceptions", "b"), 0x07: ("legacy-exceptions", "n"), 0x09: ("legacy-exceptions", "n"),
    0x18: ("legacy-exceptions", "n"), 0x19: ("legacy-exceptions", ""),
    0x08: (None, "n"), 0x0A: ("exceptions", ""), 0x1F: ("exceptions", "bh"),
    0x12: ("tail-call", "n"), 0x13: ("tail-call", "nn"),
    0x14: ("function-references", "n"), 0x15: ("function-references", "n"),
    0x1C: ("reference-types", "t"), 0x25: ("reference-types", "n"), 0x26: ("reference-types", "n"),
    **dict.fromkeys(range(0xC0, 0xC5), ("sign-extension", "")),
    0xD0: ("reference-types", "n"), 0xD1: ("reference-types", ""), 0xD2: ("reference-types", "n"), 0xD3: ("gc", ""),
    0xE0: ("stack-switching", "n"), 0xE1: ("stack-switching", "nn"), 0xE2: ("stack-switching", "n"),
    0xE3: ("stack-switching", "nr"), 0xE4: ("stack-switching", "nnr"), 0xE6: ("stack-switching", "nn"),
    0xD4: ("function-references", ""), 0xD5: ("function-references", "n"), 0xD6: ("function-references", "n"),
}  # fmt: skip
"""Opcodes of one byte (core specification, 5.4). ``throw`` (08) belongs to both exception proposals."""

_SIMD_ODD: dict[int, Op] = {
    **dict.fromkeys((*range(12), 92, 93), ("simd", "m")),
    **dict.fromkeys((12, 13), ("simd", "16")),
    **dict.fromkeys(range(21, 35), ("simd", "1")),
    **dict.fromkeys(range(84, 92), ("simd", "m1")),
}

_PREFIXED: dict[int, dict[int, Op]] = {
    0xFB: {
        **dict.fromkeys((0, 1, 6, 7, 11, 12, 13, 14, 16, 20, 21, 22, 23), ("gc", "n")),
        **dict.fromkeys((2, 3, 4, 5, 8, 9, 10, 17, 18, 19), ("gc", "nn")),
        **dict.fromkeys((15, 26, 27, 28, 29, 30), ("gc", "")),
        **dict.fromkeys((24, 25), ("gc", "1nnn")),
    },
    0xFC: {
        **dict.fromkeys(range(8), ("nontrapping-float-to-int", "")),
        **dict.fromkeys((8, 10, 12, 14), ("bulk-memory", "nn")),
        **dict.fromkeys((9, 11, 13), ("bulk-memory", "n")),
        **dict.fromkeys((15, 16, 17), ("reference-types", "n")),
        **dict.fromkeys(range(19, 23), ("wide-arithmetic", "")),
    },
    0xFD: {
        **dict.fromkeys(range(256), ("simd", "")),
        **_SIMD_ODD,
        **dict.fromkeys(range(256, 276), ("relaxed-simd", "")),
    },
    0xFE: {**dict.fromkeys(range(0x4F), ("threads", "m")), 0x03: ("threads", "1")},
}
"""Opcodes with a prefix byte and a LEB128 number behind it."""


class _Unknown(Exception):
    """An opcode that is not in the tables; the walk of this function ends."""


def used(data: bytes, bodies: Iterable[tuple[int, int]], global_section: tuple[int, int]) -> frozenset[str]:
    """The features that a module's code shows.

    Parameters
    ----------
    data : bytes
        The module.
    bodies : iterable of (int, int)
        Where each function's body starts, with its locals, and ends.
    global_section : (int, int)
        Where the content of the global section starts and ends.
    """
    found: set[str] = set()
    for start, end in bodies:
        body = Reader(data, start, end, "code")
        try:
            _locals(body, found)
            _walk(body, found)
        except (_Unknown, ModuleError):
            continue
    with contextlib.suppress(_Unknown, ModuleError):
        _globals(Reader(data, *global_section, "the global section"), found)
    return frozenset(found)


def branches(data: bytes, bodies: Sequence[tuple[int, int]]) -> int:
    """How many branches there are: ``block``, ``loop``, ``if``, ``br``, ``br_if``, ``br_table``.

    Of a module with more code than :data:`SAMPLE_BYTES` an estimate, from functions all over it.
    """
    total = sum(end - start for start, end in bodies)
    sample = bodies[:: max(1, total // SAMPLE_BYTES)]
    seen = sum(end - start for start, end in sample)
    found = sum(_branches(Reader(data, start, end, "code")) for start, end in sample)
    return round(found * total / seen) if seen else 0


def _branches(body: Reader) -> int:
    """Those of one function, up to the first instruction that nobody here knows."""
    count, seen = 0, set[str]()
    with contextlib.suppress(_Unknown, ModuleError):
        _locals(body, seen)
        while body.pos < body.end:
            run = _skip_to_branch(body.data, body.pos, body.end)
            if run is not None and run.end() > body.pos:
                body.pos = run.end()
                count += run[1] is not None
            else:
                count += body.data[body.pos] in _BRANCHES
                _instruction(body, seen)
    return count


def skip_instruction(reader: Reader) -> None:
    """Go over one instruction, whatever it is.

    Raises
    ------
    ModuleError
        Nobody here knows it, or its bytes end early.
    """
    at = reader.pos
    try:
        _instruction(reader, set())
    except _Unknown:
        raise reader.fail(f"unknown instruction 0x{reader.data[at]:02x}", at) from None


def _locals(reader: Reader, found: set[str]) -> None:
    for _ in range(reader.u32()):
        reader.u32()
        _value(reader, found)


def _value(reader: Reader, found: set[str]) -> None:
    """Go over a value type."""
    byte = reader.byte()
    if (feature := VALUE_FEATURES.get(byte)) is not None:
        found.add(feature)
    if byte in (0x63, 0x64):  # (ref null ht), (ref ht)
        reader.s33()


def _globals(reader: Reader, found: set[str]) -> None:
    arithmetic = frozenset((*range(0x6A, 0x6D), *range(0x7C, 0x7F)))  # i32 and i64: add, sub, mul
    if reader.pos == reader.end:
        return
    for _ in range(reader.u32()):
        _value(reader, found)
        reader.byte()
        while (opcode := reader.data[reader.pos] if reader.pos < reader.end else 0x0B) != 0x0B:
            if opcode in arithmetic:
                found.add("extended-const")
            _instruction(reader, found)
        reader.byte()


def _walk(reader: Reader, found: set[str]) -> None:
    """Go over a function's instructions."""
    data, end = reader.data, reader.end
    while True:
        run = _skip_plain(data, reader.pos, end)
        if run is not None:
            reader.pos = run.end()
        if reader.pos >= end:
            return
        _instruction(reader, found)


def _instruction(reader: Reader, found: set[str]) -> None:
    """Go over one instruction, whatever it is."""
    opcode = reader.byte()
    prefixed = _PREFIXED.get(opcode)
    op = _OPS.get(opcode) if prefixed is None else prefixed.get(reader.u32())
    if op is None:
        raise _Unknown
    feature, immediates = op
    if feature is not None:
        found.add(feature)
    if immediates in ("4", "8", "16"):
        reader.skip(int(immediates))
        return
    for immediate in immediates:
        _IMMEDIATES[immediate](reader, found)


def _number(reader: Reader, found: set[str]) -> None:
    match = _skip_leb(reader.data, reader.pos, reader.end)
    if match is None:
        raise _Unknown
    reader.pos = match.end()


def _byte(reader: Reader, found: set[str]) -> None:
    reader.byte()


def _where(reader: Reader, found: set[str]) -> None:
    """Alignment, with a bit that says that the memory's index follows; offset."""
    if reader.u32() & 0x40:
        found.add("multi-memory")
        reader.u32()
    _number(reader, found)


def _block(reader: Reader, found: set[str]) -> None:
    start = reader.pos
    if reader.byte() == 0x40:
        return
    reader.pos = start
    if reader.s33() >= 0:
        found.add("multi-value")
    else:
        reader.pos = start
        _value(reader, found)


def _labels(reader: Reader, found: set[str]) -> None:
    for _ in range(reader.u32() + 1):
        _number(reader, found)


def _types(reader: Reader, found: set[str]) -> None:
    for _ in range(reader.u32()):
        _value(reader, found)


def _handlers(reader: Reader, found: set[str]) -> None:
    """Clauses of try_table: kind 0 and 1 name a tag, all name a label."""
    for _ in range(reader.u32()):
        if reader.byte() < 2:
            reader.u32()
        reader.u32()


def _resumptions(reader: Reader, found: set[str]) -> None:
    """Clauses of resume: a tag, and a label unless the clause switches."""
    for _ in range(reader.u32()):
        kind = reader.byte()
        reader.u32()
        if kind == 0:
            reader.u32()


_IMMEDIATES = {
    "n": _number, "1": _byte, "m": _where, "b": _block, "j": _labels, "t": _types, "h": _handlers, "r": _resumptions,
}  # fmt: skip
