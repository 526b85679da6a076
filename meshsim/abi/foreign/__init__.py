"""Foreign functions: what Envoy offers to modules beside the ABI, by name.

There are exactly these in Envoy 1.40; any other name is NOT_FOUND. Each takes the calling context (the called one, not
the effective one) and bytes, and gives bytes, None where there is no result (not even an empty one, for which the host
would ask the module for a block), or the status of a refusal.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from meshsim.abi.constants import Status

if TYPE_CHECKING:
    from meshsim.abi.context import Context

#: A foreign function takes the calling context and bytes, and gives bytes, nothing, or a status that is not OK.
Foreign = Callable[["Context", bytes], "bytes | Status | None"]

#: Each function, with the module of this package that has it: most modules never call one, so none is loaded yet.
FOREIGN: dict[str, str] = {
    "clear_route_cache": "filter_state",
    "compress": "compression",
    "declare_property": "filter_state",
    "expr_create": "expressions",
    "expr_delete": "expressions",
    "expr_evaluate": "expressions",
    "set_envoy_filter_state": "filter_state",
    "sign": "signatures",
    "uncompress": "compression",
    "verify_signature": "signatures",
}


def call(name: str, context: Context, argument: bytes) -> bytes | Status | None:
    """Call a foreign function for a context; NOT_FOUND when there is none of the name."""
    family = FOREIGN.get(name)
    if family is None:
        return Status.NOT_FOUND
    function: Foreign = getattr(import_module(f"{__name__}.{family}"), name)
    return function(context, argument)
