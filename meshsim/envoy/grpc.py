"""gRPC callouts over a cluster: framing of messages, and what HTTP says about a call's end.

Rules of Envoy's gRPC client, seen in Envoy 1.40: an answer with only headers is all trailing metadata; an HTTP status
other than 200 stands for a gRPC status; what the proxy itself has to say about an upstream comes as such an answer,
with the reason in braces behind the message.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from meshsim.abi.grpc import GrpcEvents, GrpcRequest
from meshsim.envoy.address import Address
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.headers import HeaderMap, Kind, as_number
from meshsim.envoy.local_reply import GRPC_OF_HTTP, GRPC_UNKNOWN, LocalReply, read_grpc_status
from meshsim.envoy.upstream import Upstream, UpstreamFailure

_FRAME = struct.Struct(">BI")
_INTERNAL = 13
_MASK_32 = (1 << 32) - 1
_HTTP_OK = 200
_MAX_TIMEOUT_DIGITS = 99_999_999


def request_headers(request: GrpcRequest) -> HeaderMap:
    """Make a call's headers."""
    headers = HeaderMap(kind=Kind.REQUEST)
    headers.add(b":method", b"POST")
    headers.add(b":path", request.path.encode("utf-8", "surrogateescape"))
    headers.add(b":authority", request.service.authority.encode("utf-8", "surrogateescape"))
    headers.add(b":scheme", b"http")
    headers.add(b"te", b"trailers")
    if request.timeout_ms is not None:
        headers.add(b"grpc-timeout", timeout_text(request.timeout_ms))
    headers.add(b"content-type", b"application/grpc")
    for key, value in request.metadata:
        headers.add(key.lower(), value)
    return headers


def timeout_text(timeout_ms: int) -> bytes:
    """Write a time-out as gRPC does: at most eight digits and a unit.

    Examples
    --------
    >>> timeout_text(1000), timeout_text(4294967295)
    (b'1000m', b'4294967S')
    """
    return b"%dm" % timeout_ms if timeout_ms <= _MAX_TIMEOUT_DIGITS else b"%dS" % (timeout_ms // 1000)


class GrpcCall:
    """A unary call or a stream."""

    def __init__(self, cluster: Cluster, request: GrpcRequest, now_ns: Callable[[], int], events: GrpcEvents) -> None:
        self._cluster = cluster
        self._request = request
        self._now_ns = now_ns
        self._events = events
        self._upstream: Upstream | None = None
        self._received = bytearray()
        self._begun = False
        self._half_closed_ns = -1
        self.over = False

    @property
    def half_closed(self) -> bool:
        """Whether the module sends no more."""
        return self._half_closed_ns >= 0

    # -- the module's side ---

    def begin(self, message: bytes | None) -> None:
        """Send the headers, and the message of a unary call."""
        headers = request_headers(self._request)
        timeout_ns = (self._request.timeout_ms or 0) * 1_000_000
        self._upstream = self._cluster.request(self, headers, False, timeout_ns)
        if message is not None:
            self.send(message, True)

    def send(self, message: bytes, end: bool) -> None:
        """Send a message; nothing is sent on a stream that is half closed."""
        if self._upstream is None or self.over or self.half_closed:
            return
        if end:
            self._half_closed_ns = self._now_ns()
        self._upstream.send_data(_FRAME.pack(0, len(message)) + message, end)

    def close(self) -> None:
        """Send no more."""
        if self._upstream is not None and not self.over and not self.half_closed:
            self._half_closed_ns = self._now_ns()
            self._upstream.send_data(b"", True)

    def cancel(self) -> None:
        """Leave."""
        self.over = True
        if self._upstream is not None:
            self._upstream.cancel()

    # -- the upstream's side ---

    def upstream_chosen(self, address: Address) -> None:
        """Nothing depends on the host."""

    def upstream_connected(self) -> None:
        """Nothing depends on the connection."""

    def upstream_informational(self, status: int) -> None:
        """Nobody waits for a word before the answer."""

    def upstream_headers(self, headers: HeaderMap, end: bool) -> None:
        """Take the headers."""
        self._cluster.count_answer(as_number(headers.get(b":status")) or 0)
        if self._half_closed_ns >= 0:
            elapsed_ms = (self._now_ns() - self._half_closed_ns) // 1_000_000
            headers.put(b"x-envoy-upstream-service-time", b"%d" % elapsed_ms)
        self._take_headers(headers, end, "via_upstream")

    def _take_headers(self, headers: HeaderMap, end: bool, details: str) -> None:
        self._begun = True
        status = as_number(headers.get(b":status")) or 0
        self._events.initial_metadata(headers if status == _HTTP_OK and not end else HeaderMap())
        if status != _HTTP_OK and not (end and b"grpc-status" in headers):
            self._break(GRPC_OF_HTTP.get(status, GRPC_UNKNOWN), details)
        elif end:
            self._finish(headers, details)

    def upstream_data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the body; each whole message in it is told."""
        if self.over:
            return
        self._received += data.data
        while len(self._received) >= _FRAME.size and not self.over:
            flag, size = _FRAME.unpack_from(self._received)
            if flag > 1:
                self._break(_INTERNAL, "via_upstream")
                return
            if len(self._received) < _FRAME.size + size:
                break
            message = bytes(self._received[_FRAME.size : _FRAME.size + size])
            del self._received[: _FRAME.size + size]
            self._events.message(message)
        if end and not self.over:
            self._break(GRPC_UNKNOWN, "via_upstream")

    def upstream_trailers(self, trailers: HeaderMap) -> None:
        """Take the trailers, which end the call."""
        if not self.over:
            self._finish(trailers, "via_upstream")

    def upstream_failed(self, failure: UpstreamFailure) -> None:
        """Take the proxy's word for an upstream that did not answer."""
        if self.over:
            return
        if self._begun:
            self._break(_INTERNAL, failure.details)
            return
        self._cluster.count_failure(failure)
        headers, _ = LocalReply(failure.status, failure.body, failure.details).compose(grpc=True)
        self._take_headers(headers, True, failure.details)

    def _finish(self, metadata: HeaderMap, details: str) -> None:
        self.over = True
        self._events.trailing_metadata(metadata)
        status = read_grpc_status(metadata.get(b"grpc-status"))
        status = GRPC_UNKNOWN if status is None else status & _MASK_32  # modules see -1 without a sign
        self._close(status, metadata.get(b"grpc-message") or b"", details)

    def _break(self, status: int, details: str) -> None:
        self.over = True
        self._events.trailing_metadata(HeaderMap())
        if self._upstream is not None:
            self._upstream.cancel()
        self._close(status, b"", details)

    def _close(self, status: int, message: bytes, details: str) -> None:
        message = message + b"{%s}" % details.encode() if message else details.encode()
        self._events.closed(status, message)
