"""Compiling and evaluating an expression's tree.

Theory of operation. An error is an exception that goes up until an operator can do without it: ``&&`` and ``||`` need
only one operand that decides, and a loop keeps an error in its accumulator, because a later step may decide. Which of
two errors remains is visible to a module and follows cel-cpp: the left one, but in a conditional step the last.
"""

from __future__ import annotations

from collections.abc import Callable

from meshsim.abi.foreign.cel import structs
from meshsim.abi.foreign.cel.functions import FUNCTIONS, Function, has, select
from meshsim.abi.foreign.cel.tree import (
    ACCUMULATOR,
    Call,
    Chain,
    Comprehension,
    Condition,
    Ident,
    Literal,
    MakeList,
    MakeMap,
    MakeStruct,
    Node,
    Select,
    children,
)
from meshsim.abi.foreign.cel.values import TYPE_NAMES, CelAbort, CelError, CelMap, Type, Value

#: Steps of all loops of one evaluation.
MAX_STEPS = 10_000

#: Finds the value of a name; raises CelError.
Lookup = Callable[[str], Value]
#: What a name, an accumulator say, is bound to in a loop.
Bound = Value | CelError


class CannotCompile(ValueError):
    """An expression that parses and cannot be run; ``str()`` gives Envoy's words."""


def check(node: Node) -> None:
    """Raise :class:`CannotCompile` when a call is of no known function, or a message of no known type."""
    for child in _below(node):
        check(child)
    if isinstance(node, Call) and node.name != "@not_strictly_false":
        _function(node)
    if isinstance(node, MakeStruct):
        structs.check(node.type, [name for name, _ in node.fields], CannotCompile)


def _below(node: Node) -> tuple[Node, ...]:
    if isinstance(node, Comprehension):
        return node.over, node.start, node.condition, node.step, node.result
    return tuple(children(node))


def _function(call: Call) -> Function:
    receiver = call.target is not None
    function = FUNCTIONS.get((call.name, receiver, len(call.arguments) + receiver))
    if function is None:
        raise CannotCompile("No overloads provided for FunctionStep creation")
    return function


class Evaluation:
    """One evaluation of a tree that has been checked.

    Parameters
    ----------
    lookup : callable
        Finds what the expression does not bind itself.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._bound: dict[str, Bound] = {}
        self._steps = 0

    def value(self, node: Node) -> Value:
        """Return a node's value; raises CelError."""
        match node:
            case Literal():
                return node.value
            case Ident():
                return self._name(node.name)
            case Select():
                operand = self.value(node.operand)
                return has(operand, node.field) if node.test else select(operand, node.field)
            case Call():
                return self._call(node)
            case Chain():
                return self._chain(node)
            case Condition():
                return self.value(node.then if self._decide(node.condition) else node.otherwise)
            case MakeList():
                return tuple([self.value(item) for item in node.items])
            case MakeMap():
                return self._map(node)
            case MakeStruct():
                return structs.make(node.type, [(name, self.value(value)) for name, value in node.fields])
        return self._loop(node)

    def _name(self, name: str) -> Value:
        if name in self._bound:
            value = self._bound[name]
            if isinstance(value, CelError):
                raise value
            return value
        return Type(name) if name in TYPE_NAMES else self._lookup(name)

    def _outcome(self, node: Node) -> Bound:
        try:
            return self.value(node)
        except CelAbort:
            raise
        except CelError as error:
            return error

    def _call(self, node: Call) -> Value:
        if node.name == "@not_strictly_false":
            return self._outcome(node.arguments[0]) is not False
        operands = (node.target, *node.arguments) if node.target else node.arguments
        return _function(node)(*[self.value(operand) for operand in operands])

    def _chain(self, node: Chain) -> Value:
        """``&&`` or ``||``: one operand that decides is enough, whatever the others are."""
        decisive = node.name == "_||_"
        left = self._outcome(node.operands[0])
        for operand in node.operands[1:]:
            if left is decisive:
                return left
            left = _joined(node.name, decisive, left, self._outcome(operand))
        if isinstance(left, CelError):
            raise left
        return left

    def _decide(self, node: Node) -> bool:
        condition = self.value(node)
        if not isinstance(condition, bool):
            raise CelError("No matching overloads found : <jump_condition>")
        return condition

    def _map(self, node: MakeMap) -> Value:
        entries = [(self.value(key), self.value(value)) for key, value in node.entries]
        result = CelMap(entries)
        if len(result) < len(entries):
            raise CelAbort("duplicate key in map")
        return result

    def _loop(self, node: Comprehension) -> Value:
        over = self.value(node.over)
        if isinstance(over, CelMap):
            over = tuple(over)
        if not isinstance(over, tuple):
            raise CelError("No matching overloads found : <iter_range>")
        accumulator: Bound = self._outcome(node.start)
        outer = dict(self._bound)
        try:
            for item in over:
                self._bound = {**outer, node.variable: item, ACCUMULATOR: accumulator}
                if not self.value(node.condition):
                    break
                self._steps += 1
                if self._steps >= MAX_STEPS:
                    raise CelAbort("Iteration budget exceeded")
                accumulator = self._outcome(node.step)
            self._bound = {**outer, ACCUMULATOR: accumulator}
            return self.value(node.result)
        finally:
            self._bound = outer


def _joined(name: str, decisive: bool, left: Bound, right: Bound) -> Bound:
    if right is decisive:
        return decisive
    if isinstance(left, bool) and isinstance(right, bool):
        return not decisive
    first = right if isinstance(left, bool) else left
    return first if isinstance(first, CelError) else CelError(f"No matching overloads found : {name}")
