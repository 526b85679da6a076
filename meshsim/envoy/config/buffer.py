"""The buffer filter: ``envoy.extensions.filters.http.buffer.v3``."""

from __future__ import annotations

from meshsim.envoy.config.base import Message

_BUFFER = "envoy.extensions.filters.http.buffer.v3"


class Buffer(Message):
    """The filter: requests go on when they are whole, up to so many bytes."""

    proto = f"{_BUFFER}.Buffer"
    max_request_bytes: int | None = None


class BufferPerRoute(Message):
    """What a route wants: no buffering, or another size."""

    proto = f"{_BUFFER}.BufferPerRoute"
    disabled: bool | None = None
    buffer: Buffer | None = None
