"""Foreign functions: what Envoy offers to modules beside the ABI, by name.

There are exactly these in Envoy 1.40; any other name is NOT_FOUND. Each takes the calling context (the called one, not
the effective one) and bytes, and gives bytes, None where there is no result (not even an empty one, for which the host
would ask the module for a block), or the status of a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from meshsim.abi.constants import Status
from meshsim.abi.foreign import compression, expressions, filter_state, signatures

if TYPE_CHECKING:
    from meshsim.abi.context import Context

#: A foreign function takes the calling context and bytes, and gives bytes, nothing, or a status that is not OK.
Foreign = Callable[["Context", bytes], "bytes | Status | None"]


def _clear_route_cache(context: Context, data: bytes) -> None:
    context.host.clear_route_cache()


FOREIGN: dict[str, Foreign] = {
    "clear_route_cache": _clear_route_cache,
    "compress": compression.compress,
    "declare_property": filter_state.declare_property,
    "expr_create": expressions.create,
    "expr_delete": expressions.delete,
    "expr_evaluate": expressions.evaluate,
    "set_envoy_filter_state": filter_state.set_envoy_filter_state,
    "sign": signatures.sign,
    "uncompress": compression.uncompress,
    "verify_signature": signatures.verify_signature,
}


def call(name: str, context: Context, argument: bytes) -> bytes | Status | None:
    """Call a foreign function for a context; NOT_FOUND when there is none of the name."""
    function = FOREIGN.get(name)
    return Status.NOT_FOUND if function is None else function(context, argument)
