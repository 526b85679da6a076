"""Random programs, for holding one engine against another: every kind of instruction that the stepper executes.

They end: loops count down, functions call only those behind them. What they do is drawn from a seed alone.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

from meshsim.wasm.numerics import OPERATIONS, WIDTHS
from meshsim.wasm.opcodes import LOADS, STORES
from meshsim.wasm.types import VALUE_NAMES

LETTERS = "iIfF"
FUNCTIONS = 5
_FLOATS = [0.0, -0.0, 1.0, -1.5, 0.5, 2.5, 1e-45, 3.4e38, 1e308, 2147483648.0, -2147483649.0, 9.3e18, 1.9e19,
           16777217.0, float("inf"), float("-inf"), float("nan"), 0.1]  # fmt: skip
_STATEMENTS = ("set", "set", "set", "store", "if", "block", "loop", "table", "global", "drop", "fill", "copy", "return")
#: Function type -> name in the module's text; the functions of a module take turns with them.
_TYPES = ("iI", "fF", "", "iiF", "IfI")
_RESULTS = ("i", "F", "I", "f", "iI")


@dataclass(frozen=True, slots=True)
class Program:
    """A module as text, with its exported functions: name, letters of the parameters, letters of the results."""

    text: str
    functions: tuple[tuple[str, str, str], ...]


def number(draw: random.Random, letter: str) -> int | float:
    """A number to give to an engine, often one at an edge; integers signed, f32 as what an f32 can hold."""
    if letter in "iI":
        bits = WIDTHS[letter]
        edges = [0, 1, -1, 2, 31, 32, 63, 64, 255, 65535, -(1 << (bits - 1)), (1 << (bits - 1)) - 1]
        return draw.choice(edges) if draw.random() < 0.6 else draw.randrange(-(1 << (bits - 1)), 1 << (bits - 1))
    value = draw.choice(_FLOATS) if draw.random() < 0.6 else draw.uniform(-1e6, 1e6)
    if letter == "f":
        value = value if abs(value) < 3.5e38 or value in (float("inf"), float("-inf")) or value != value else 1e38
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    return value


def _constant(draw: random.Random, letter: str) -> str:
    return f"({VALUE_NAMES[letter]}.const {number(draw, letter)!r})"


class _Writer:
    """Writes one function."""

    def __init__(self, draw: random.Random, index: int) -> None:
        self.draw = draw
        self.index = index
        self.params, self.results = _TYPES[index], _RESULTS[index]
        self.locals = self.params + "iIfF"
        self.counters = 0
        self.labels = 0
        self.budget = 60  # of expressions, so that a program is small

    def text(self) -> str:
        body = "\n".join(self.statement(3) for _ in range(self.draw.randrange(1, 5)))
        values = "\n".join(self.value(letter, 3) for letter in self.results)
        declared = "".join(f"(local {VALUE_NAMES[x]}) " for x in "iIfF" + "i" * self.counters)
        params = "".join(f"(param {VALUE_NAMES[x]}) " for x in self.params)
        results = "".join(f"(result {VALUE_NAMES[x]}) " for x in self.results)
        return f'(func $f{self.index} (export "f{self.index}") {params}{results}{declared}\n{body}\n{values})'

    # --- statements leave the stack as it was ------------------------------------------------------------------------

    def statement(self, depth: int) -> str:
        kind = self.draw.choice(_STATEMENTS) if depth else "set"
        return str(getattr(self, f"_{kind}")(depth))

    def _set(self, depth: int) -> str:
        place = self.draw.randrange(len(self.locals))
        return f"(local.set {place} {self.value(self.locals[place], depth)})"

    def _global(self, depth: int) -> str:
        letter = self.draw.choice(LETTERS)
        return f"(global.set $g{letter} {self.value(letter, depth)})"

    def _drop(self, depth: int) -> str:
        return f"(drop {self.value(self.draw.choice(LETTERS), depth)})"

    def _store(self, depth: int) -> str:
        name = self.draw.choice(list(STORES.values()))
        letter = next(x for x in LETTERS if VALUE_NAMES[x] == name[:3])
        return f"({name} offset={self.draw.randrange(40)} {self.address(depth)} {self.value(letter, depth)})"

    def _if(self, depth: int) -> str:
        otherwise = f"(else {self.statement(depth - 1)})" if self.draw.random() < 0.5 else ""
        return f"(if {self.value('i', depth)} (then {self.statement(depth - 1)}) {otherwise})"

    def _block(self, depth: int) -> str:
        self.labels += 1
        label = f"$l{self.labels}"
        leave = f"(br_if {label} {self.value('i', 1)})"
        return f"(block {label} {self.statement(depth - 1)} {leave} {self.statement(depth - 1)})"

    def _loop(self, depth: int) -> str:
        self.counters += 1
        self.labels += 1
        place, label = len(self.params) + 3 + self.counters, f"$l{self.labels}"
        less = f"(local.tee {place} (i32.sub (local.get {place}) (i32.const 1)))"
        times = self.draw.randrange(1, 5)
        return (
            f"(local.set {place} (i32.const {times})) (loop {label} {self.statement(depth - 1)} (br_if {label} {less}))"
        )

    def _table(self, depth: int) -> str:
        self.labels += 3
        a, b, c = (f"$l{self.labels - i}" for i in range(3))
        return (
            f"(block {a} (block {b} (block {c} (br_table {a} {b} {c} {self.value('i', 2)})) "
            f"{self.statement(depth - 1)}) {self.statement(depth - 1)})"
        )

    def _fill(self, depth: int) -> str:
        return f"(memory.fill {self.address(1)} {self.value('i', 1)} {self.size()})"

    def _copy(self, depth: int) -> str:
        return f"(memory.copy {self.address(1)} {self.address(1)} {self.size()})"

    def _return(self, depth: int) -> str:
        values = " ".join(self.value(letter, 1) for letter in self.results)
        return f"(if {self.value('i', 1)} (then {values} return))"

    # --- values ------------------------------------------------------------------------------------------------------

    def value(self, letter: str, depth: int) -> str:
        self.budget -= 1
        chance = self.draw.random()
        if depth <= 0 or self.budget < 0 or chance < 0.15:
            return _constant(self.draw, letter)
        if chance < 0.35:
            places = [place for place, other in enumerate(self.locals) if other == letter]
            return f"(local.get {self.draw.choice(places)})"
        if chance < 0.75:
            operation = self.draw.choice([item for item in OPERATIONS.values() if item.result == letter])
            return f"({operation.name} {' '.join(self.value(x, depth - 1) for x in operation.params)})"
        return self.draw.choice((self._load, self._choice, self._called, self._labelled, self._other))(
            letter, depth - 1
        )

    def _load(self, letter: str, depth: int) -> str:
        name = self.draw.choice([name for name in LOADS.values() if name.startswith(VALUE_NAMES[letter])])
        return f"({name} offset={self.draw.randrange(40)} {self.address(depth)})"

    def _choice(self, letter: str, depth: int) -> str:
        one, other, condition = self.value(letter, depth), self.value(letter, depth), self.value("i", depth)
        if self.draw.random() < 0.5:
            return f"(select {one} {other} {condition})"
        return f"(if (result {VALUE_NAMES[letter]}) {condition} (then {one}) (else {other}))"

    def _labelled(self, letter: str, depth: int) -> str:
        """A block that is left with its value, on one way or another."""
        self.labels += 1
        label, type_ = f"$l{self.labels}", VALUE_NAMES[letter]
        leave = f"(drop (br_if {label} {self.value(letter, depth)} {self.value('i', depth)}))"
        return f"(block {label} (result {type_}) {leave} {self.value(letter, depth)})"

    def _called(self, letter: str, depth: int) -> str:
        behind = [place for place in range(self.index + 1, FUNCTIONS) if _RESULTS[place] == letter]
        if not behind:
            return self._other(letter, depth)
        place = self.draw.choice(behind)
        arguments = " ".join(self.value(x, depth - 1) for x in _TYPES[place])
        if self.draw.random() < 0.6:
            return f"(call $f{place} {arguments})"
        index = place if self.draw.random() < 0.7 else self.draw.choice([FUNCTIONS - 1, FUNCTIONS, 99])
        return f"(call_indirect (type $t{place}) {arguments} (i32.const {index}))"

    def _other(self, letter: str, depth: int) -> str:
        if letter == "i" and self.draw.random() < 0.3:
            return f"(memory.grow (i32.const {self.draw.randrange(3)}))" if depth else "(memory.size)"
        if self.draw.random() < 0.2:
            place = self.locals.index(letter)
            return f"(local.tee {place} {self.value(letter, depth)})"
        return f"(global.get $g{letter})"

    def address(self, depth: int) -> str:
        """An address that is mostly inside of the memory."""
        value = self.value("i", depth)
        return value if self.draw.random() < 0.1 else f"(i32.and {value} (i32.const 0xffff))"

    def size(self) -> str:
        return f"(i32.and {self.value('i', 1)} (i32.const 0x3f))"


def program(seed: int) -> Program:
    """The program of a seed."""
    draw = random.Random(f"program {seed}")
    types = "\n".join(
        f"(type $t{i} (func {''.join(f'(param {VALUE_NAMES[x]}) ' for x in _TYPES[i])}"
        f"{''.join(f'(result {VALUE_NAMES[x]}) ' for x in _RESULTS[i])}))"
        for i in range(FUNCTIONS)
    )
    globals_ = "\n".join(f'(global $g{x} (export "g{x}") (mut {VALUE_NAMES[x]}) {_constant(draw, x)})' for x in LETTERS)
    functions = "\n".join(_Writer(draw, index).text() for index in range(FUNCTIONS))
    data = "".join(f"\\{byte:02x}" for byte in draw.randbytes(64))
    text = f"""(module
{types}
(memory (export "memory") 1 3)
(data (i32.const 0) "{data}")
(table {FUNCTIONS + 1} funcref)
(elem (i32.const 0) {" ".join(f"$f{i}" for i in range(FUNCTIONS))})
{globals_}
{functions})"""
    return Program(text, tuple((f"f{i}", _TYPES[i], _RESULTS[i]) for i in range(FUNCTIONS)))
