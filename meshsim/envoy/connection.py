"""The HTTP connection manager: connections to streams, and what it adds to requests and responses itself.

All rules here were seen in Envoy 1.40 (``HttpConnectionManager``, HTTP/1.1): which headers it removes, adds and in
what order, what it answers before any filter runs, when it closes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.codec import request_from_wire, response_to_wire, unreadable
from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.routing import Match
from meshsim.envoy.stats import Counters
from meshsim.envoy.stream import Stream, StreamInfo
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Data, End, Head, MessageReader, Part, Socket

_HOP_BY_HOP = (b"connection", b"upgrade", b"transfer-encoding", b"keep-alive", b"proxy-connection", b"expect")
#: Request headers that only Envoy itself may set, removed from requests that come from outside.
_INTERNAL = (
    b"x-envoy-internal x-envoy-decorator-operation x-envoy-downstream-service-cluster "
    b"x-envoy-downstream-service-node x-envoy-expected-rq-timeout-ms x-envoy-force-trace "
    b"x-envoy-hedge-on-per-try-timeout x-envoy-ip-tags x-envoy-is-timeout-retry x-envoy-max-retries "
    b"x-envoy-original-url x-envoy-retriable-header-names x-envoy-retriable-status-codes x-envoy-retry-grpc-on "
    b"x-envoy-retry-on x-envoy-upstream-alt-stat-name x-envoy-upstream-rq-per-try-timeout-ms "
    b"x-envoy-upstream-rq-timeout-alt-response x-envoy-upstream-rq-timeout-ms x-envoy-upstream-stream-duration-ms"
).split()
_BAD_REQUEST = 400
_REPLIES = {400: b"Bad Request", 501: b"Not Implemented"}


@dataclass(frozen=True, slots=True)
class ManagerHost:
    """What a connection manager needs of the worker it runs on.

    ``filters`` makes a stream's filters from its route-independent configuration, ``route`` chooses a route,
    ``request_id`` and ``date`` come from seeded streams and virtual time.
    """

    thread: Thread
    stats: Counters
    filters: Callable[[], Sequence[HttpFilter]]
    route: Callable[[HeaderMap], Match | None]
    request_id: Callable[[], bytes]
    date: Callable[[], bytes]
    limit_bytes: int


class ServerConnection:
    """One downstream connection; HTTP/1.1 has one stream at a time."""

    def __init__(
        self, config: HttpConnectionManager, host: ManagerHost, socket: Socket, info: Callable[[], StreamInfo]
    ) -> None:
        self._config = config
        self._host = host
        self._socket = socket
        self._info = info
        self._stream: Stream | None = None
        self._reader: MessageReader | None = None
        self._close_wanted = False
        self._trailers = bool(config.http_protocol_options and config.http_protocol_options.enable_trailers)
        self._unread: list[Part] = []
        socket.reader = self

    # -- reading -------------------------------------------------------------------------------------------------------

    def on_read(self, parts: list[Part]) -> None:
        """Take what has arrived."""
        if self._socket.closed:
            return
        if self._reader is None or self._reader.complete:
            if self._stream is not None:
                self._unread += parts
                return
            self._reader = MessageReader(self, self._trailers)
        self._unread = self._reader.read(parts)

    def on_close(self) -> None:
        """Cut the stream that is open."""
        if self._stream is not None and not self._stream.over:
            self._stream.info.flags.append("DC")
            self._stream.reset()

    def headers(self, head: Head, end: bool) -> None:
        """Begin a stream."""
        self._host.stats.add("downstream_rq_total")
        refused = unreadable(head)
        stream = self._stream = Stream(self, self._info(), self._host.filters(), self._host.limit_bytes)
        stream.request_complete = end
        headers = request_from_wire(head)
        self._close_wanted = (headers.get(b"connection") or b"").lower() == b"close"
        if refused:
            self._close_wanted = True
            stream.request_headers = headers
            stream.reply(LocalReply(refused, _REPLIES[refused], "http1.codec_error", flag="DPE"))
            return
        if (headers.get(b"expect") or b"").lower() == b"100-continue":
            self._socket.write(Head((), status=100))
            self._host.stats.add("downstream_rq_1xx")
        early = self._early_answer(headers)
        self._prepare(headers)
        if early is not None:
            stream.request_headers = headers
            stream.reply(early)
            return
        stream.receive_headers(headers, end)

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the request's body."""
        if self._stream:
            self._stream.receive_data(data, end)

    def trailers(self, trailers: HeaderMap) -> None:
        """Take the request's trailers."""
        if self._stream:
            self._stream.receive_trailers(trailers)

    def _prepare(self, headers: HeaderMap) -> None:
        """Remove what is for this hop only, add what Envoy adds."""
        config = self._config
        for name in _HOP_BY_HOP:
            headers.remove(name)
        if (headers.get(b"te") or b"trailers").lower() != b"trailers":
            headers.remove(b"te")
        for name in _INTERNAL:
            headers.remove(name)
        proto = headers.get(b"x-forwarded-proto")
        if b":scheme" not in headers:
            headers.add(b":scheme", proto if proto in (b"http", b"https") else b"http")
        if proto is None:
            headers.add(b"x-forwarded-proto", b"http")
        if config.via:
            headers.add(b"via", config.via.encode())
        if b"x-request-id" not in headers and config.generate_request_id is not False:
            headers.add(b"x-request-id", self._host.request_id())

    def _early_answer(self, headers: HeaderMap) -> LocalReply | None:
        """Answer what the connection manager does not hand to the filters."""
        path = headers.get(b":path") or b""
        if b":authority" not in headers:
            return LocalReply(400, details="missing_host_header")
        if b"#" in path:
            return LocalReply(400, details="path_normalization_failed")
        if not path.startswith(b"/"):
            return LocalReply(404, details="missing_path_rejected" if not path else "absolute_path_rejected")
        if b"upgrade" in headers and b"upgrade" in (headers.get(b"connection") or b"").lower():
            self._close_wanted = True
            return LocalReply(403, details="upgrade_failed")
        return None

    # -- writing: the stream's downstream --------------------------------------------------------------------------------

    def route_of(self, stream: Stream) -> Match | None:
        """Choose the route."""
        return self._host.route(stream.request_headers)

    def send_headers(self, stream: Stream, headers: HeaderMap, end: bool) -> None:
        """Complete the response's headers and write them."""
        self._complete(stream, headers)
        status = int(headers.get(b":status") or 0)
        stream.info.code = status
        self._host.stats.add("downstream_rq_completed")
        self._host.stats.add_status("downstream_rq", status)
        self._socket.write(response_to_wire(headers, end, to_head=stream.is_head))

    def _complete(self, stream: Stream, headers: HeaderMap) -> None:
        config = self._config
        if b"date" not in headers:
            headers.add(b"date", self._host.date())
        server = (config.server_name or "envoy").encode()
        if config.server_header_transformation == "OVERWRITE":
            headers.put(b"server", server)
        elif config.server_header_transformation == "APPEND_IF_ABSENT" and b"server" not in headers:
            headers.add(b"server", server)
        for name in (b"connection", b"transfer-encoding", b"keep-alive", b"proxy-connection"):
            headers.remove(name)
        if config.always_set_request_id_in_response and b"x-request-id" in stream.request_headers:
            headers.put(b"x-request-id", stream.request_headers[b"x-request-id"])
        if config.via:
            headers.add(b"via", config.via.encode())
        if self._close_wanted or not stream.request_complete:
            self._close_wanted = True
            headers.put(b"connection", b"close")

    def replying(self, reply: LocalReply) -> None:
        """A reply of 400 says that the messages on the connection cannot be trusted."""
        self._close_wanted = self._close_wanted or reply.status == _BAD_REQUEST

    def send_data(self, stream: Stream, data: bytes, end: bool) -> None:
        """Write a piece of the response's body."""
        if data:
            self._socket.write(Data(data))
        if end:
            self._socket.write(End())

    def send_trailers(self, stream: Stream, trailers: HeaderMap) -> None:
        """Write the end of the response, with trailers where they are allowed."""
        self._socket.write(End(tuple(trailers.pairs()) if self._trailers else ()))

    def stream_ended(self, stream: Stream, *, reset: bool) -> None:
        """Close, or make room for the next stream."""
        stream.info.ended_ns = self._host.thread.now_ns
        if reset or self._close_wanted:
            self._socket.close()
        self._stream = None
        if self._unread and not self._socket.closed:
            unread, self._unread = self._unread, []
            self._host.thread.post(lambda: self.on_read(unread))
