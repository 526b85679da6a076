"""What an expression is parsed into.

``at`` is the offset, in characters, that an error about the node names: an operator's, a selection's dot, a call's
parenthesis.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Union

from meshsim.abi.foreign.cel.values import Value


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    at: int
    value: Value


@dataclass(frozen=True, slots=True)
class Ident:
    """A name."""

    at: int
    name: str


@dataclass(frozen=True, slots=True)
class Select:
    """A field of a map or message; with ``test``, whether it is there."""

    at: int
    operand: Node
    field: str
    test: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A function or an operator; ``target`` is what stands before the dot."""

    at: int
    name: str
    target: Node | None
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands of one ``&&`` or ``||`` after the other."""

    at: int
    name: str
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """``a ? b : c``."""

    at: int
    condition: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class MakeList:
    """A list of elements."""

    at: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MakeMap:
    """A map of entries."""

    at: int
    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class MakeStruct:
    """A message of a named type."""

    at: int
    type: str
    fields: tuple[tuple[str, Node], ...]


@dataclass(frozen=True, slots=True)
class Comprehension:
    """A macro's loop: for each ``variable`` of ``over``, while ``condition``: the accumulator becomes ``step``."""

    at: int
    variable: str
    over: Node
    start: Node
    condition: Node
    step: Node
    result: Node


Node = Union[  # noqa: UP007  # a recursive alias
    Literal, Ident, Select, Call, Chain, Condition, MakeList, MakeMap, MakeStruct, Comprehension
]

#: The accumulator's name inside a comprehension.
ACCUMULATOR = "__result__"
