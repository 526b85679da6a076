"""What an expression is parsed into.

``at`` is the offset, in characters, that an error about the node names: an operator's, a selection's dot, a call's
parenthesis.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
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


def children(node: Node) -> Iterable[Node]:
    """Return what stands right below a node (of a tree without comprehensions)."""
    match node:
        case Select():
            return (node.operand,)
        case Call():
            return (*((node.target,) if node.target else ()), *node.arguments)
        case Chain():
            return node.operands
        case Condition():
            return (node.condition, node.then, node.otherwise)
        case MakeList():
            return node.items
        case MakeMap():
            return (part for entry in node.entries for part in entry)
        case MakeStruct():
            return (value for _, value in node.fields)
    return ()


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """Return a node with each child changed (of a tree without comprehensions)."""
    match node:
        case Select():
            return replace(node, operand=change(node.operand))
        case Call():
            target = change(node.target) if node.target else None
            return replace(node, target=target, arguments=tuple(map(change, node.arguments)))
        case Chain():
            return replace(node, operands=tuple(map(change, node.operands)))
        case Condition():
            return Condition(node.at, change(node.condition), change(node.then), change(node.otherwise))
        case MakeList():
            return replace(node, items=tuple(map(change, node.items)))
        case MakeMap():
            return replace(node, entries=tuple((change(key), change(value)) for key, value in node.entries))
        case MakeStruct():
            return replace(node, fields=tuple((name, change(value)) for name, value in node.fields))
    return node
