"""What a stack machine is made of at one moment: values, the functions under way, what a step changed beside them."""

from __future__ import annotations

from dataclasses import dataclass

from meshsim.errors import ConfigError
from meshsim.wasm.disasm import Code, value_text
from meshsim.wasm.initial import Global
from meshsim.wasm.numerics import WIDTHS, to_bits, to_float

Number = int | float


@dataclass(frozen=True, slots=True)
class Value:
    """A value on the operand stack or in a local: the letter of its type, its bits."""

    letter: str
    bits: int

    @property
    def number(self) -> Number:
        """It as Python has it; integers unsigned, as host functions get them."""
        return self.bits if self.letter in "iI" else to_float(self.bits, self.letter)

    def __str__(self) -> str:
        return value_text(self.letter, self.bits)


def value_of(number: Number, letter: str) -> Value:
    """Return a Python number as a value of a type; integers may be signed or unsigned."""
    if letter in "fF":
        return Value(letter, to_bits(float(number), letter))
    if not isinstance(number, int):
        raise ConfigError(f"{number!r} is no integer")
    return Value(letter, number & ((1 << WIDTHS[letter]) - 1))


@dataclass(frozen=True, slots=True)
class Label:
    """Where a branch to a block goes, how many values it takes along, and what it leaves on the stack."""

    target: int
    arity: int
    height: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One function under way.

    Attributes
    ----------
    place : int
        Of the next instruction in the function's code.
    caller : Frame or None
        Who waits for its results, already behind the call.
    """

    code: Code
    place: int
    locals: tuple[Value, ...]
    stack: tuple[Value, ...] = ()
    labels: tuple[Label, ...] = ()
    caller: Frame | None = None
    depth: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """What an instruction changed beside its frame: bytes of the memory, a global, the memory's size."""

    kind: str
    where: int
    old: bytes | Global | int
    new: bytes | Global | int


@dataclass(frozen=True, slots=True)
class HostCall:
    """A call that left the module."""

    name: str
    arguments: tuple[Number, ...]
    answer: Number | None

    def __str__(self) -> str:
        arguments = ", ".join(map(str, self.arguments))
        return f"{self.name}({arguments})" + ("" if self.answer is None else f" = {self.answer}")
