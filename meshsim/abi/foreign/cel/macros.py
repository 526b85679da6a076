"""Macros: ``has``, ``all``, ``exists``, ``exists_one``, ``map`` and ``filter``, expanded while an expression is parsed.

Source: the language's specification ("Macros") and the error texts of Envoy 1.40.
"""

from __future__ import annotations

from collections.abc import Callable

from meshsim.abi.foreign.cel.tree import (
    ACCUMULATOR,
    Call,
    Chain,
    Comprehension,
    Condition,
    Ident,
    Literal,
    MakeList,
    Node,
    Select,
)


class BadMacro(ValueError):
    """A macro's argument is of the wrong form; ``at`` says where."""

    def __init__(self, at: int, message: str) -> None:
        super().__init__(message)
        self.at = at


def expand(call: Call) -> Node | None:
    """Expand a call that is a macro; None when it is an ordinary call."""
    at, name, target, arguments = call.at, call.name, call.target, call.arguments
    if target is None:
        return _has(arguments[0]) if name == "has" and len(arguments) == 1 else None
    macro = _MACROS.get((name, len(arguments)))
    if macro is None:
        return None
    variable = arguments[0]
    if not isinstance(variable, Ident):
        raise BadMacro(variable.at, f"{name}() variable name must be a simple identifier")
    if variable.name == ACCUMULATOR:
        raise BadMacro(arguments[1].at, f"{name}() variable name cannot be {ACCUMULATOR}")
    return macro(at, variable.name, target, *arguments[1:])


def _has(argument: Node) -> Node:
    if not isinstance(argument, Select):
        raise BadMacro(argument.at, "has() argument must be a field selection")
    return Select(argument.at, argument.operand, argument.field, test=True)


def _accumulator(at: int) -> Ident:
    return Ident(at, ACCUMULATOR)


def _strictly_not(at: int, node: Node) -> Call:
    """Whether to go on: everything but a plain false is a yes, errors too."""
    return Call(at, "@not_strictly_false", None, (node,))


def _all(at: int, variable: str, over: Node, test: Node) -> Node:
    accumulator = _accumulator(at)
    step = Chain(at, "_&&_", (accumulator, test))
    return Comprehension(at, variable, over, Literal(at, True), _strictly_not(at, accumulator), step, accumulator)


def _exists(at: int, variable: str, over: Node, test: Node) -> Node:
    accumulator = _accumulator(at)
    proceed = _strictly_not(at, Call(at, "!_", None, (accumulator,)))
    step = Chain(at, "_||_", (accumulator, test))
    return Comprehension(at, variable, over, Literal(at, False), proceed, step, accumulator)


def _exists_one(at: int, variable: str, over: Node, test: Node) -> Node:
    accumulator, one = _accumulator(at), Literal(at, 1)
    step = Condition(at, test, Call(at, "_+_", None, (accumulator, one)), accumulator)
    result = Call(at, "_==_", None, (accumulator, one))
    return Comprehension(at, variable, over, Literal(at, 0), Literal(at, True), step, result)


def _map(at: int, variable: str, over: Node, value: Node, test: Node | None = None) -> Node:
    accumulator = _accumulator(at)
    step: Node = Call(at, "_+_", None, (accumulator, MakeList(at, (value,))))
    if test is not None:
        step = Condition(at, test, step, accumulator)
    return Comprehension(at, variable, over, MakeList(at, ()), Literal(at, True), step, accumulator)


_MACROS: dict[tuple[str, int], Callable[..., Node]] = {
    ("all", 2): _all,
    ("exists", 2): _exists,
    ("exists_one", 2): _exists_one,
    ("map", 2): _map,
    ("map", 3): lambda at, variable, over, test, value: _map(at, variable, over, value, test),
    ("filter", 2): lambda at, variable, over, test: _map(at, variable, over, Ident(at, variable), test),
}
