"""The buffer filter: a request goes on when all of it is there."""

from __future__ import annotations

from dataclasses import dataclass

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.config.buffer import Buffer, BufferPerRoute
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.thread_host import ThreadHost


@dataclass(frozen=True, eq=False, slots=True)
class BufferUse:
    """A buffer filter in a chain, by its name in the configuration."""

    name: str
    config: Buffer

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Make the filter for a stream on a worker."""
        host.thread.spend(host.process.costs.native_filter_ns)
        return BufferFilter(self)


class BufferFilter(HttpFilter):
    """The filter on one stream."""

    def __init__(self, use: BufferUse) -> None:
        self._use = use
        self._waits = False
        self._bytes = 0

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Hold a request with a body; its buffer may hold so much and no more."""
        limit = None if end else self._limit()
        if limit is None:
            return HeadersAction.CONTINUE
        self._waits = True
        self.stream.request.limit_bytes = limit
        return HeadersAction.STOP_ITERATION

    def decode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Keep the body until its end."""
        self._bytes += data.size()
        if self._waits and not end:
            return DataAction.STOP_AND_BUFFER
        self._tell_length()
        return DataAction.CONTINUE

    def decode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Let the whole request go on."""
        self._tell_length()
        return TrailersAction.CONTINUE

    def _limit(self) -> int | None:
        """Return how many bytes are kept on this route, None when nothing is."""
        match = self.stream.take_route()
        own = match.own_config(self._use.name) if match else None
        if isinstance(own, BufferPerRoute):
            return own.buffer.max_request_bytes if own.buffer and not own.disabled else None
        return self._use.config.max_request_bytes

    def _tell_length(self) -> None:
        """Say how long the body is, now that it is known."""
        if self._waits and b"content-length" not in self.stream.request_headers:
            self.stream.request_headers.put(b"content-length", b"%d" % self._bytes)
