"""Foreign functions: what Envoy offers to modules beside the ABI, by name.

A name that Envoy does not know is NOT_FOUND. A name that it knows and that is not modelled ends the run.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from meshsim.abi.constants import Status
from meshsim.errors import NotModelled

if TYPE_CHECKING:
    from meshsim.abi.context import Context

#: A foreign function takes the calling context and bytes, and gives bytes or a status that is not OK.
Foreign = Callable[["Context", bytes], "bytes | Status"]

_NOT_MODELLED = frozenset(
    {
        "declare_property",
        "expr_create",
        "expr_delete",
        "expr_evaluate",
        "set_envoy_filter_state",
        "sign",
        "verify_signature",
    }
)


def _compress(context: Context, data: bytes) -> bytes | Status:
    return zlib.compress(data)


def _uncompress(context: Context, data: bytes) -> bytes | Status:
    try:
        return zlib.decompress(data)
    except zlib.error:
        return Status.SERIALIZATION_FAILURE


def _clear_route_cache(context: Context, data: bytes) -> bytes | Status:
    context.host.clear_route_cache()
    return b""


FOREIGN: dict[str, Foreign] = {
    "clear_route_cache": _clear_route_cache,
    "compress": _compress,
    "uncompress": _uncompress,
}


def call(name: str, context: Context, argument: bytes) -> bytes | Status:
    """Call a foreign function for a context."""
    if name in _NOT_MODELLED:
        raise NotModelled(f"proxy_call_foreign_function {name}")
    function = FOREIGN.get(name)
    return Status.NOT_FOUND if function is None else function(context, argument)
