"""What a module is when it has just been instantiated: its globals, tables and memory, out of its sections.

For :mod:`~meshsim.wasm.stepper`, which runs a module without an engine (core specification, 4.5.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from meshsim.errors import GuestTrap
from meshsim.wasm.disasm import VALUE_LETTERS, NotSteppable
from meshsim.wasm.module import ModuleFacts
from meshsim.wasm.numerics import OPERATIONS
from meshsim.wasm.reader import Reader
from meshsim.wasm.types import PAGE_BYTES

_TABLE, _GLOBAL, _ELEMENT, _DATA = 4, 6, 9, 11
_MOST_BYTES = 1 << 30
"""A memory cannot be larger here, as in a Proxy-Wasm host."""


@dataclass(frozen=True, slots=True)
class Global:
    """A global: the letter of its type, the bits of its value."""

    letter: str
    bits: int


@dataclass(frozen=True)
class Initial:
    """A module, instantiated.

    Attributes
    ----------
    tables : tuple of lists
        Of indices of functions; None where there is none.
    memory : bytearray
        The first memory; empty without one.
    most_pages : int
        As far as it may grow.
    """

    globals: tuple[Global, ...]
    tables: tuple[list[int | None], ...]
    memory: bytearray
    most_pages: int


def instantiate(facts: ModuleFacts, imported_globals: Sequence[Global] = ()) -> Initial:
    """Return what a module begins with; its start function is not run.

    Raises
    ------
    NotSteppable
        It begins with something that is not stepped through: references in globals, say.
    GuestTrap
        A segment lies outside of its memory or table.
    """
    limits = facts.memory
    globals_ = _globals(facts, imported_globals)
    tables = tuple(_tables(facts))
    memory = bytearray((limits.minimum if limits else 0) * PAGE_BYTES)
    most = _MOST_BYTES // PAGE_BYTES
    if limits is not None and limits.maximum is not None:
        most = min(most, limits.maximum)
    for table, offset, functions in _elements(facts, globals_):
        if offset + len(functions) > len(tables[table]):
            raise GuestTrap("table_out_of_bounds", "out of bounds table access")
        tables[table][offset : offset + len(functions)] = functions
    for offset, data in _data(facts, globals_):
        if offset + len(data) > len(memory):
            raise GuestTrap("memory_out_of_bounds", "out of bounds memory access")
        memory[offset : offset + len(data)] = data
    return Initial(globals_, tables, memory, most)


def _section(facts: ModuleFacts, number: int) -> Iterator[Reader]:
    """A reader of a section, at the first of its entries, for each of them."""
    if number in facts.sections.contents:
        reader = Reader(facts.data, *facts.sections.contents[number], "a section")
        for _ in range(reader.u32()):
            yield reader


def _globals(facts: ModuleFacts, imported: Sequence[Global]) -> tuple[Global, ...]:
    wanted = sum(item.kind == "global" for item in facts.imports)
    if wanted != len(imported):
        raise NotSteppable("imported globals")
    found = list(imported)
    for reader in _section(facts, _GLOBAL):
        letter = VALUE_LETTERS.get(reader.byte())
        reader.byte()  # mutable or not: the validator has looked
        if letter is None:
            raise NotSteppable("globals with references or vectors")
        found.append(Global(letter, _constant(reader, found)))
    return tuple(found)


def _tables(facts: ModuleFacts) -> Iterator[list[int | None]]:
    for item in facts.imports:
        if item.kind == "table":
            raise NotSteppable("imported tables")
    for reader in _section(facts, _TABLE):
        if reader.byte() == 0x40:
            raise NotSteppable("tables with an initial value")
        bounded = reader.byte()
        size = reader.u32()
        if bounded & 1:
            reader.u32()
        yield [None] * size


def _elements(facts: ModuleFacts, known: Sequence[Global]) -> Iterator[tuple[int, int, list[int | None]]]:
    """Segments that are put into tables at once: table, offset, functions (core specification, 5.5.12)."""
    for reader in _section(facts, _ELEMENT):
        form = reader.u32()
        active, named, expressions = not form & 1, form & 2, form & 4
        table = reader.u32() if active and named else 0
        offset = _constant(reader, known) if active else 0
        if not active or named:
            reader.byte()  # the kind of the elements: functions
        functions: list[int | None] = [_reference(reader) if expressions else reader.u32() for _ in range(reader.u32())]
        if active:
            yield table, offset, functions


def _data(facts: ModuleFacts, known: Sequence[Global]) -> Iterator[tuple[int, bytes]]:
    """Segments that are put into the memory at once: offset, bytes (core specification, 5.5.14)."""
    for reader in _section(facts, _DATA):
        form = reader.u32()
        if form == 2 and reader.u32():
            raise NotSteppable("a second memory")
        offset = _constant(reader, known) if form != 1 else None
        data = reader.take(reader.u32())
        if offset is not None:
            yield offset, data


_CONSTANTS: Mapping[int, tuple[str, int]] = {0x41: ("i", 32), 0x42: ("I", 64)}


def _constant(reader: Reader, known: Sequence[Global]) -> int:
    """The bits that a constant expression gives (core specification, 3.4.17)."""
    stack: list[int] = []
    while (opcode := reader.byte()) != 0x0B:
        if opcode in _CONSTANTS:
            bits = _CONSTANTS[opcode][1]
            stack.append(reader.signed(bits) & ((1 << bits) - 1))
        elif opcode in (0x43, 0x44):
            stack.append(int.from_bytes(reader.take(4 if opcode == 0x43 else 8), "little"))
        elif opcode == 0x23:
            stack.append(known[reader.u32()].bits)
        elif opcode in OPERATIONS and len(stack) > 1:
            right, left = stack.pop(), stack.pop()
            stack.append(OPERATIONS[opcode].compute(left, right))
        else:
            raise NotSteppable(f"a constant expression with instruction {opcode:#04x}")
    return stack[-1]


def _reference(reader: Reader) -> int | None:
    """What an element's expression refers to: ``ref.func`` or ``ref.null``."""
    opcode = reader.byte()
    if opcode == 0xD2:
        found: int | None = reader.u32()
    elif opcode == 0xD0:
        reader.signed(33)
        found = None
    else:
        raise NotSteppable("an element that is no function")
    reader.byte()
    return found
