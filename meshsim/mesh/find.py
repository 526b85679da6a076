"""A small language to find hops in: ``rt > 100 and code >= 500``, as in Kiali's find box.

It looks like Python and is not run as Python: the text is parsed, every node is checked against a table, and what is
left are comparisons of columns. There are no calls, no attributes and no names but the columns.

======================================  ============================================================================
word                                    means
======================================  ============================================================================
``rt``                                  response time in ms, as the caller saw it
``code``                                the status; 0 when no answer came
``t``                                   when it began, in s of virtual time
``error``, ``root``, ``warm``           no answer or a 5xx; the client's own row; after the warm-up
``callout``                             a request that a filter sent itself; ``filter`` says which
``proxy``, ``queue``, ``app``, ``net``  parts of ``rt`` in ms
``service``, ``source``, ``pod``...     the columns of :class:`~meshsim.mesh.rows.HopRow`, by name
``"UO" in flags``                       a response flag; in other texts ``in`` looks for a part: ``"v2" in pod``
``service in ("a", "b")``               one of several
======================================  ============================================================================

with ``and or not``, ``== != < <= > >=``, ``+ - * /`` and brackets.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn, cast

from meshsim.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from meshsim.mesh.rows import Coded, Hops

_LONGEST = 2000

_MS = 1e6

#: Words for what is no column as it stands.
DERIVED: Mapping[str, Callable[[Hops], Any]] = {
    "rt": lambda hops: hops.took_ns / _MS,
    "code": lambda hops: hops.numbers("status"),
    "t": lambda hops: hops.numbers("start_ns") / 1e9,
    "error": lambda hops: (hops.numbers("status") == 0) | (hops.numbers("status") >= 500),
    "root": lambda hops: hops.numbers("parent") < 0,
    "warm": lambda hops: hops.numbers("warm") != 0,
    "callout": lambda hops: _Text(hops.coded("filter"), "filter").each(bool),
    "proxy": lambda hops: hops.numbers("proxy_ns") / _MS,
    "queue": lambda hops: hops.numbers("queue_ns") / _MS,
    "app": lambda hops: hops.numbers("app_ns") / _MS,
    "net": lambda hops: hops.numbers("network_ns") / _MS,
}
TEXTS = ("source", "service", "pod", "worker", "zone", "flags", "filter")

_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_LANGUAGE = "write comparisons of columns with and, or, not; for example: rt > 100 and code >= 500"


def words() -> tuple[str, ...]:
    """Return every word that an expression can use, in order."""
    from meshsim.mesh.rows import HopRow

    return tuple(dict.fromkeys([*DERIVED, *HopRow._fields]))


def holds(expression: str, hops: Hops) -> NDArray[Any]:
    """Return for each row whether the expression holds.

    Raises
    ------
    ConfigError
        The expression is no comparison of columns.

    Examples
    --------
    >>> from meshsim.mesh.rows import Hops, HopRow
    >>> from meshsim.sim import Table
    >>> holds("rtt > 100", Hops.of(Table(HopRow)))
    Traceback (most recent call last):
    ...
    meshsim.errors.ConfigError: rtt > 100: column 1: there is no 'rtt'
      -> did you mean rt?
    """
    if len(expression) > _LONGEST:
        raise ConfigError(f"an expression of {len(expression)} characters", remedy=f"use at most {_LONGEST}")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        return _Reader(expression.strip(), hops).truth(tree.body)
    except SyntaxError as error:
        raise ConfigError(f"column {error.offset}: not understood", expression, _LANGUAGE) from None
    except (RecursionError, MemoryError, ValueError):
        raise ConfigError("nested too deep, or not readable", "the expression", _LANGUAGE) from None


class _Text:
    """A column of strings: what holds of it is found once for each distinct string."""

    def __init__(self, coded: Coded, word: str) -> None:
        self.codes, self.strings = coded
        self.split = word == "flags"

    def each(self, holds: Callable[[str], bool]) -> NDArray[Any]:
        import numpy as np

        table = np.array([holds(string) for string in self.strings], dtype=bool)
        return cast("NDArray[Any]", table[self.codes]) if len(self.codes) else np.zeros(0, dtype=bool)

    def contains(self, part: str) -> NDArray[Any]:
        """Whether each holds ``part``; of flags, as one of them: UR is not in URX."""
        return self.each(lambda string: part in (string.split(",") if self.split else string))


class _Reader:
    """Turns nodes into columns; what it does not know, it refuses with its place."""

    def __init__(self, expression: str, hops: Hops) -> None:
        self._expression = expression
        self._hops = hops

    def truth(self, node: ast.expr) -> NDArray[Any]:
        """Return what must be true or false."""
        import numpy as np

        match node:
            case ast.BoolOp(op=op, values=values):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return cast("NDArray[Any]", join.reduce([self.truth(value) for value in values]))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.truth(operand)
            case ast.Compare():
                return self._compared(node)
            case ast.Constant(value=bool(value)):
                return np.full(len(self._hops), value)
        value = self._value(node)
        if isinstance(value, _Text):
            return value.each(bool)
        if getattr(value, "dtype", None) != np.bool_:
            self._refuse(node, "is neither true nor false", "compare it: rt > 100")
        return cast("NDArray[Any]", value)

    def _compared(self, node: ast.Compare) -> NDArray[Any]:
        import numpy as np

        sides = [node.left, *node.comparators]
        pairs = zip(sides, node.ops, sides[1:], strict=False)
        return cast("NDArray[Any]", np.logical_and.reduce([self._pair(*pair) for pair in pairs]))

    def _pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> NDArray[Any]:
        import numpy as np

        if isinstance(op, ast.In | ast.NotIn):
            found = self._member(left, right)
            return found if isinstance(op, ast.In) else ~found
        compare = _COMPARISONS.get(type(op)) or self._refuse(left, "'is' is no comparison here", _LANGUAGE)
        a, b = self._value(left), self._value(right)
        if isinstance(b, _Text) and isinstance(a, str):
            text = a
            return b.each(lambda string: bool(compare(text, string)))
        if isinstance(a, _Text) and isinstance(b, str):
            return a.each(lambda string: bool(compare(string, b)))
        if isinstance(a, _Text | str) or isinstance(b, _Text | str):
            self._refuse(left, "a text and something else are compared", 'compare a text with a text: service == "a"')
        return np.broadcast_to(compare(a, b), (len(self._hops),))

    def _member(self, left: ast.expr, right: ast.expr) -> NDArray[Any]:
        import numpy as np

        value = self._value(left)
        if isinstance(right, ast.Tuple | ast.List | ast.Set):
            members = [self._constant(item) for item in right.elts]
            if isinstance(value, _Text):
                return value.each(lambda string: string in members)
            if isinstance(value, str) or any(isinstance(member, str) for member in members):
                self._refuse(left, "a text and numbers are compared", "list what the column holds")
            return np.broadcast_to(np.isin(value, members), (len(self._hops),))
        text = self._value(right)
        if not isinstance(text, _Text) or not isinstance(value, str):
            self._refuse(left, "'in' needs a list, or a text in a column of texts", '"UO" in flags')
        return text.contains(value)

    def _value(self, node: ast.expr) -> Any:
        """Return a column, or one value for all rows."""
        match node:
            case ast.Name(id=name):
                return self._column(node, name)
            case ast.Constant():
                return self._constant(node)
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._number(operand)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._calculated(_ARITHMETIC[type(op)], left, right)
            case ast.Compare() | ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                return self.truth(node)
        return self._refuse(node, f"{ast.unparse(node)!r} is not part of this language", _LANGUAGE)

    def _calculated(self, calculate: Callable[[Any, Any], Any], left: ast.expr, right: ast.expr) -> Any:
        import numpy as np

        with np.errstate(divide="ignore", invalid="ignore"):  # x / 0 is infinite or nothing, and compares as that
            return calculate(np.float64(1) * self._number(left), self._number(right))

    def _number(self, node: ast.expr) -> Any:
        value = self._value(node)
        if isinstance(value, _Text | str):
            self._refuse(node, "there is no arithmetic on texts", _LANGUAGE)
        return value

    def _column(self, node: ast.expr, name: str) -> Any:
        from meshsim.mesh.rows import HopRow

        if name in DERIVED:
            return DERIVED[name](self._hops)
        if name in TEXTS:
            return _Text(self._hops.coded(name), name)
        if name in HopRow._fields:
            return self._hops.numbers(name)
        near = get_close_matches(name, words(), n=1, cutoff=0.5)
        advice = f"did you mean {near[0]}?" if near else f"there are: {', '.join(words())}"
        return self._refuse(node, f"there is no {name!r}", advice)

    def _constant(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float | str):
            return node.value
        return self._refuse(node, f"{ast.unparse(node)!r} is no number or text", _LANGUAGE)

    def _refuse(self, node: ast.expr, what: str, remedy: str) -> NoReturn:
        raise ConfigError(f"column {node.col_offset + 1}: {what}", self._expression, remedy)
