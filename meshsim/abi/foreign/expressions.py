"""``expr_create``, ``expr_evaluate``, ``expr_delete``: expressions of a root context, told apart by tokens.

Seen in Envoy 1.40: an expression that parses takes a token even when it does not compile, and no token comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.abi.codec import Unserialisable, encode_value
from meshsim.abi.constants import LogLevel, Status
from meshsim.abi.foreign import attributes
from meshsim.abi.foreign.cel import (
    CannotCompile,
    CannotParse,
    CelAbort,
    CelError,
    compile_expression,
    plain,
)

if TYPE_CHECKING:
    from meshsim.abi.context import Context

_TOKEN_BYTES = 4


def expr_create(context: Context, source: bytes) -> bytes | Status:
    """Compile an expression and give its token."""
    expressions = context.root.foreign.expressions
    try:
        program = compile_expression(source.decode("utf-8", "surrogateescape"))
    except CannotParse as error:
        return _refused(context, "parse", error)
    except CannotCompile as error:
        expressions.new_token()
        return _refused(context, "compile", error)
    token = expressions.new_token()
    expressions.programs[token] = program
    return token.to_bytes(_TOKEN_BYTES, "little")


def _refused(context: Context, step: str, error: ValueError) -> Status:
    context.wasm.host.report(LogLevel.INFO, f"expr_create {step} error: {error}")
    return Status.BAD_ARGUMENT


def expr_evaluate(context: Context, argument: bytes) -> bytes | Status:
    """Evaluate an expression where the called context is (the effective one plays no part)."""
    if len(argument) != _TOKEN_BYTES:
        return Status.BAD_ARGUMENT
    program = context.root.foreign.expressions.programs.get(int.from_bytes(argument, "little"))
    if program is None:
        return Status.NOT_FOUND
    try:
        value = program.evaluate(lambda name: attributes.find(context.host, name))
        return encode_value(plain(value))
    except CelError as error:
        what = "evaluate" if isinstance(error, CelAbort) else "evaluate value"
        context.wasm.host.report(LogLevel.DEBUG, f"expr_{what} error: {error}")
        return Status.INTERNAL_FAILURE
    except Unserialisable:
        return Status.SERIALIZATION_FAILURE


def expr_delete(context: Context, argument: bytes) -> Status | None:
    """Forget an expression; a token of none is fine."""
    if len(argument) != _TOKEN_BYTES:
        return Status.BAD_ARGUMENT
    context.root.foreign.expressions.programs.pop(int.from_bytes(argument, "little"), None)
    return None
