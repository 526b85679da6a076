"""Broken modules: a good one with a few of its bytes, or a few of its sections, changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

HEADER_BYTES = 8
CODE_SECTION, DATA_SECTION = 10, 11
I32_CONST = 0x41
#: Signed LEB128 integers of 32 bits: small ones, the ends of a memory of one page, the ends of what there is.
CONSTANTS = tuple(
    bytes.fromhex(text)
    for text in ("00", "01", "02", "03", "08", "20", "7f", "7c", "e400", "808004", "ffff03", "fcff03", "ffffffff07",
                 "8080808078", "808040", "80f07f")
)  # fmt: skip

#: Bytes that mean something in most places: limits of LEB128 integers, value types, opcodes, section ids.
TELLING = bytes.fromhex("00 01 02 04 0b 0c 10 20 23 3f 40 41 5e 60 6f 70 7b 7f 80 c0 d2 fb fc fd fe ff")
#: LEB128 integers at the edges, and beyond what they may be.
NUMBERS = tuple(
    bytes.fromhex(text) for text in ("00", "7f", "8001", "ffff03", "ffffffff07", "ffffffff0f", "8080808080808000")
)
#: Names that a host looks for.
NAMES = (
    b"memory", b"malloc", b"main", b"_start", b"_initialize", b"proxy_on_memory_allocate", b"proxy_abi_version_0_2_1",
    b"proxy_abi_version_0_1_0", b"proxy_on_vm_start", b"proxy_on_request_headers", b"proxy_on_tick", b"env", b"name",
    b"proxy_log", b"\xff\xfe", b"\0", b"",
)  # fmt: skip

Change = Callable[[Random, bytearray], None]


def leb(value: int) -> bytes:
    """The shortest unsigned LEB128 of a number.

    >>> leb(624485).hex()
    'e58e26'
    """
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


# --- bytes -----------------------------------------------------------------------------------------------------------


def _span(random: Random, data: bytearray, longest: int = 24) -> slice:
    start = random.randrange(len(data) + 1)
    return slice(start, start + random.randint(1, longest))


def _flip(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(random: Random, data: bytearray) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice(TELLING)


def _number(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data) + 1)
    data[at : at + random.randint(0, 2)] = random.choice(NUMBERS)


def _name(random: Random, data: bytearray) -> None:
    name = random.choice(NAMES)
    data[_span(random, data)] = leb(len(name)) + name


def _drop(random: Random, data: bytearray) -> None:
    del data[_span(random, data)]


def _repeat(random: Random, data: bytearray) -> None:
    span = _span(random, data)
    data[span.stop : span.stop] = data[span] * random.choice((1, 1, 2, 50))


def _insert(random: Random, data: bytearray) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.randint(1, 12))


def _move(random: Random, data: bytearray) -> None:
    span = _span(random, data)
    piece = bytes(data[span])
    del data[span]
    at = random.randrange(len(data) + 1)
    data[at:at] = piece


def _cut(random: Random, data: bytearray) -> None:
    del data[random.randrange(len(data) + 1) :]


BYTE_CHANGES: tuple[Change, ...] = (_flip, _flip, _set, _set, _number, _name, _drop, _repeat, _insert, _move, _cut)


# --- sections --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Section:
    """A section with its content, whose size is right when it is written."""

    id: int
    content: bytearray

    def bytes(self) -> bytes:
        return bytes([self.id]) + leb(len(self.content)) + self.content


def split(module: bytes) -> list[Section]:
    """The sections of a good module."""
    sections, at = [], HEADER_BYTES
    while at < len(module):
        kind, at = module[at], at + 1
        size, at = _read_leb(module, at)
        sections.append(Section(kind, bytearray(module[at : at + size])))
        at += size
    return sections


def _read_leb(data: bytes | bytearray, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def _constants(random: Random, body: bytearray) -> None:
    """Give one constant of a function another value, which as a rule leaves it valid: a pointer, a length, a status."""
    found = [at for at, byte in enumerate(body[:-1]) if byte == I32_CONST and body[at + 1] < 0x80]
    if found:
        at = random.choice(found) + 1
        body[at : at + 1] = random.choice(CONSTANTS)


def _code_change(random: Random, section: Section, change: Change) -> None:
    """Change bodies of functions and keep all sizes right, so that the engine's validator has to look."""
    with contextlib.suppress(IndexError):  # another change has been here before, and the sizes do not hold
        _change_bodies(random, section, change)


def _change_bodies(random: Random, section: Section, change: Change) -> None:
    count, at = _read_leb(section.content, 0)
    if not count:
        return
    bodies = []
    for _ in range(count):
        size, at = _read_leb(section.content, at)
        bodies.append(bytearray(section.content[at : at + size]))
        at += size
    for _ in range(random.choice((1, 1, 2, 3))):
        change(random, random.choice(bodies))
    section.content = bytearray(leb(count) + b"".join(leb(len(each)) + each for each in bodies))


def change_sections(random: Random, module: bytes, other: bytes) -> bytes:
    """Drop, double, move, exchange, rename or change sections; sizes stay right."""
    sections, others = split(module), split(other)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if not sections:
            break
        at = random.randrange(len(sections))
        section = sections[at]
        match random.randrange(16):
            case 0:
                del sections[at]
            case 1:
                sections.insert(random.randrange(len(sections) + 1), Section(section.id, section.content[:]))
            case 2:
                sections.insert(random.randrange(len(sections)), sections.pop(at))
            case 3:
                section.id = random.choice((*range(15), 255))
            case 4:
                same = [each for each in others if each.id == section.id]
                sections[at] = random.choice(same or others)
            case 5:
                name = random.choice(NAMES)
                sections.insert(at, Section(0, bytearray(leb(len(name)) + name + random.randbytes(9))))
            case 6 | 7 | 8 | 9 | 10 | 11:
                change = random.choice((_constants, _constants, random.choice(BYTE_CHANGES[:-1])))
                for code in [each for each in sections if each.id == CODE_SECTION][:1]:
                    _code_change(random, code, change)
            case 12 | 13:
                for data in [each for each in sections if each.id == DATA_SECTION][:1]:
                    _set(random, data.content)
            case _:
                random.choice(BYTE_CHANGES[:-1])(random, section.content)
    return module[:HEADER_BYTES] + b"".join(section.bytes() for section in sections)


def change_bytes(random: Random, module: bytes) -> bytes:
    """Change a few bytes anywhere."""
    data = bytearray(module)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        random.choice(BYTE_CHANGES)(random, data)
    return bytes(data)


def mutant(random: Random, modules: tuple[bytes, ...], module: bytes) -> bytes:
    """A broken form of a module; the others lend parts."""
    if random.random() < 0.25:
        return change_bytes(random, module)
    return change_sections(random, module, random.choice(modules))
