"""The Common Expression Language as Envoy's evaluator (cel-cpp) runs it.

>>> program = compile_expression("size(name) + 1u == 1u || name.startsWith('m')")
>>> program.evaluate({"name": "meshsim"}.__getitem__)
True

Why an evaluator of our own: the package ``common-expression-language`` (the extra ``cel``) parses what Envoy parses,
but evaluates otherwise in ways that a module sees. Among what differs: it counts a string's size in bytes; it has no
``string(bool)``, ``bool(string)``, ``timestamp(int)`` and no message literals; it cannot index a map by another number
type, keeps no nanoseconds of a time, forgets whether an integer was unsigned, refuses ``1e999``, knows functions that
cel-cpp refuses to compile (``optional.of``), takes unknown functions until they run, sums its errors up in other words
and does not bound loops. So it does what it does alike: say what is wrong with a text that is no expression
(:mod:`meshsim.abi.foreign.cel.library`), and match regular expressions in linear time (:mod:`~.regex`).

What may differ from Envoy all the same:

- the order of the entries of a map of several keys (a hash's in Envoy, insertion's here);
- in some syntax errors, the list of tokens that were expected;
- time zones but UTC and offsets, most messages in literals, and a few errors of regular expressions: they end the run
  as not modelled.
"""

from __future__ import annotations

from meshsim.abi.foreign.cel.evaluate import CannotCompile, Evaluation, Lookup, check
from meshsim.abi.foreign.cel.library import syntax_error
from meshsim.abi.foreign.cel.parser import NoExpression, Refused, parse
from meshsim.abi.foreign.cel.tree import Node
from meshsim.abi.foreign.cel.values import CelAbort, CelError, Value, plain

__all__ = ["CannotCompile", "CannotParse", "CelAbort", "CelError", "Program", "compile_expression", "plain"]


class CannotParse(ValueError):
    """A text that is no expression; ``str()`` gives Envoy's words."""


class Program:
    """A compiled expression."""

    def __init__(self, tree: Node) -> None:
        self._tree = tree

    def evaluate(self, lookup: Lookup) -> Value:
        """Return the expression's value where ``lookup`` finds names; raises CelError."""
        return Evaluation(lookup).value(self._tree)


def compile_expression(source: str) -> Program:
    """Compile an expression.

    Raises
    ------
    CannotParse, CannotCompile
        When Envoy would not take it.

    Examples
    --------
    >>> compile_expression("nope(1)")
    Traceback (most recent call last):
    ...
    meshsim.abi.foreign.cel.evaluate.CannotCompile: No overloads provided for FunctionStep creation
    """
    try:
        tree = parse(source)
    except Refused as refused:
        raise CannotParse(str(refused)) from None
    except NoExpression:
        raise CannotParse(syntax_error(source)) from None
    check(tree)
    return Program(tree)
