"""``compress`` and ``uncompress``: zlib streams (RFC 1950) at the default level, byte for byte as in Envoy.

Envoy 1.40 is built with zlib-ng, which finds other matches than zlib in all but short texts; so does this.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from meshsim.abi.constants import Status
from meshsim.abi.foreign.extras import package
from meshsim.errors import NotModelled

if TYPE_CHECKING:
    from meshsim.abi.context import Context

#: The most that one call may unpack to. Envoy has no bound of its own: a small stream that swells would take the host.
MAX_BYTES = 32 << 20


def compress(context: Context, data: bytes) -> bytes | Status:
    """Pack bytes."""
    packed: bytes = package("zlib_ng.zlib_ng", "foreign function compress").compress(data)
    return packed


def uncompress(context: Context, data: bytes) -> bytes | Status:
    """Unpack bytes; SERIALIZATION_FAILURE when they are not one whole zlib stream."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, MAX_BYTES)
    except zlib.error:
        return Status.SERIALIZATION_FAILURE
    if len(text) == MAX_BYTES:
        raise NotModelled(f"uncompress to more than {MAX_BYTES >> 20} MiB")
    return text if unpacker.eof else Status.SERIALIZATION_FAILURE
