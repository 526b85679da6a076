"""The HTTP connection manager: from connections to streams, and when a connection ends.

Rules seen in Envoy 1.40 (``ConnectionManagerImpl``, HTTP/1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meshsim.envoy import codec2, formatter
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.codec import (
    UNREADABLE,
    HeadRules,
    ends_connection,
    request_from_wire,
    response_to_wire,
    unreadable,
)
from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.connection_limits import ConnectionLimits
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.hops import Hop, HopLog
from meshsim.envoy.local_reply import Form, LocalReply
from meshsim.envoy.manager_headers import Place, complete_response, early_answer, expects_go_on, prepare_request
from meshsim.envoy.reply_forms import ReplyForms
from meshsim.envoy.rounds import IDLE_NS
from meshsim.envoy.routing import Match, Routed
from meshsim.envoy.stats import Counters
from meshsim.envoy.stream import Stream
from meshsim.envoy.stream_info import StreamInfo
from meshsim.envoy.stream_timers import StreamLimits, StreamTimers
from meshsim.envoy.threads import Thread
from meshsim.envoy.timer_heap import Armed
from meshsim.envoy.tracing import Observer
from meshsim.envoy.wire import End, Head, MessageReader, Part, Wire, body_parts
from meshsim.envoy.witness import Witness

if TYPE_CHECKING:
    from meshsim.envoy.express.lane import Lane

_BAD_REQUEST = 400
#: Refusals behind which a connection ends, whatever the request says: 403 for an upgrade, 426 for HTTP/1.0.
_LAST_ANSWERS = frozenset((403, 426))


@dataclass(frozen=True, slots=True)
class ManagerHost:
    """What a connection manager needs of the worker it runs on.

    ``route`` chooses a route and ``filters`` makes a stream's filters, as the route has them; ``request_id`` and
    ``date`` come from seeded streams and virtual time; ``lane`` finds a request's express lane.
    """

    thread: Thread
    stats: Counters
    filters: Callable[[Match | None], Sequence[HttpFilter]]
    route: Callable[[HeaderMap], Routed]
    request_id: Callable[[], bytes]
    date: Callable[[], bytes]
    limit_bytes: int
    place: Place
    forms: ReplyForms | None
    tracing: Observer | None
    hops: HopLog
    witness: Witness | None = None
    lane: Callable[[Thread, tuple[Part, ...]], Lane | None] | None = None


class ServerConnection:
    """One downstream connection; HTTP/1.1 has one stream at a time."""

    def __init__(
        self, config: HttpConnectionManager, host: ManagerHost, socket: Wire, info: Callable[[], StreamInfo]
    ) -> None:
        self._config = config
        self._host = host
        self._socket = socket
        self._info = info
        self._stream: Stream | None = None
        self._timers: StreamTimers | None = None
        self._reader: MessageReader | None = None
        self._close_wanted = self._ended_by_close = self._http10 = self._reading = False
        self._since_ns = host.thread.now_ns
        self._requests = 0
        self._limits = ConnectionLimits.of(config)
        self._rules = HeadRules.of(config)
        self._survives_bad_requests = _survives_bad_requests(config)
        http1 = config.http_protocol_options
        self._accepts_http10 = bool(http1 and http1.accept_http_10)
        self._trailers = bool(http1 and http1.enable_trailers)
        self._unread: list[Part] = []
        #: Whether a request that has come on it waits on a lane (:mod:`meshsim.envoy.express`) for its upstream.
        self.has_passage = False
        self._idle: Armed | None = None
        socket.reader = self
        if host.thread.rounds is not None:
            host.thread.rounds.accept(self._rest)

    # -- reading ---

    def on_read(self, parts: list[Part]) -> None:
        """Take what has arrived."""
        if self._socket.closed:
            return
        if self._reader is None or self._reader.complete:
            if self._stream is not None:
                self._unread += parts
                return
            self._reader = MessageReader(self, self._trailers, http2=self._socket.http2)
        self._reading = True
        try:
            self._unread = self._reader.read(parts)
        finally:
            self._reading = False

    def lane(self, thread: Thread, request: tuple[Part, ...]) -> Lane | None:
        """Return the lane of a request on this connection; None when it has to come as bytes."""
        return self._host.lane(thread, request) if self._host.lane else None

    @property
    def is_idle(self) -> bool:
        """Whether the next request would be served at once."""
        return self._stream is None and not self._unread and not self._socket.closed

    @property
    def is_unused(self) -> bool:
        """Whether nobody waits for an answer on it, neither in the stream model nor on a lane."""
        return self.is_idle and not self.has_passage

    def on_read_told(
        self,
        parts: list[Part],
        filters: Callable[[Match | None], Sequence[HttpFilter]],
        request_id: Callable[[], bytes],
    ) -> None:
        """Take a request whose filters have done something already, and which has its id."""
        host, self._host = self._host, replace(self._host, filters=filters, request_id=request_id)
        try:
            self.on_read(parts)
        finally:
            self._host = host

    def _rest(self) -> None:
        """Arm the timer of a connection that has no request."""
        rounds = self._host.thread.rounds
        if rounds is not None:
            self._idle = rounds.arm(IDLE_NS)

    def _wake(self) -> None:
        """Disarm it."""
        rounds = self._host.thread.rounds
        if rounds is not None:
            rounds.disarm(self._idle)

    def on_close(self) -> None:
        """Cut the stream that is open."""
        self._wake()
        if self._stream is not None and not self._stream.over:
            self._stream.info.flags.append("DC")
            self._stream.info.details = "downstream_remote_disconnect"
            self._stream.reset()

    def headers(self, head: Head, end: bool) -> None:
        """Begin a stream."""
        self._wake()
        self._host.stats.add("downstream_rq_total")
        headers = codec2.request_from_wire(head) if self._socket.http2 else request_from_wire(head, self._rules)
        self._http10 = not self._socket.http2 and head.protocol != b"HTTP/1.1"
        end = end and head.method != b"CONNECT"  # it asks for a tunnel, which nobody has closed yet
        self._requests += 1
        if not self._socket.http2:
            self._close_wanted = ends_connection(head) or self._requests == self._limits.requests
        info = self._info()
        answer = self._codec_answer(head)
        if answer is not None:
            headers = HeaderMap(kind=Kind.REQUEST)  # what cannot be read is nothing
        else:
            self._tell_to_go_on(headers, info)
            answer = self._early_answer(headers)
        info.protocol = "HTTP/1.0" if self._http10 else head.protocol.decode()
        if answer is None:
            self._welcome(headers, info)
            routed, tracing = self._host.route(headers), self._host.tracing
            traced = tracing.begin(headers, routed.match.route if routed.match else None) if tracing else None
            stream = self._open(headers, end, info, routed)
            stream.traced = traced
            stream.receive_headers(headers, end)
            if self._timers:
                self._timers.touched()
        else:
            self._open(headers, end, info, Routed()).reply(answer)

    def _codec_answer(self, head: Head) -> LocalReply | None:
        """Answer what the codec refuses."""
        status = 0 if self._socket.http2 else unreadable(head, self._rules)
        if not status:
            return None
        self._close_wanted = True
        return LocalReply(status, UNREADABLE[status], "http1.codec_error")

    def _early_answer(self, headers: HeaderMap) -> LocalReply | None:
        """Answer what the connection manager refuses."""
        answer = early_answer(headers, self._config, self._host.place.port, old=self._http10)
        if answer is not None and answer.status in _LAST_ANSWERS:
            self._close_wanted = True
        return answer

    def _tell_to_go_on(self, headers: HeaderMap, info: StreamInfo) -> None:
        """Tell a client that waits for it to go on, unless this is left to the upstream."""
        if expects_go_on(headers) and not self._config.proxy_100_continue:
            headers.remove(b"expect")
            self._send_informational(100, info)

    def pass_informational(self, status: int) -> None:
        """Pass on a word of the upstream's, where it is the upstream that gives it."""
        if self._config.proxy_100_continue and self._stream is not None:
            self._send_informational(status, self._stream.info)

    def _send_informational(self, status: int, info: StreamInfo) -> None:
        info.code = status
        self._socket.write(Head((), status=status))
        self._host.stats.add("downstream_rq_completed")
        self._host.stats.add_status("downstream_rq", status)

    def _welcome(self, headers: HeaderMap, info: StreamInfo) -> None:
        """Make of a request's headers what filters see."""
        address = prepare_request(headers, self._config, info.source[0], self._host.place, self._host.request_id)
        if address is not None:
            info.peer, info.source = info.source, (address, 0)

    def _open(self, headers: HeaderMap, end: bool, info: StreamInfo, routed: Routed) -> Stream:
        limit = max(self._host.limit_bytes, (routed.match and routed.match.buffer_limit) or 0)
        stream = self._stream = Stream(self, info, self._host.filters(routed.match), limit, routed)
        if self._host.witness:
            self._host.witness.watch(stream)
        stream.request_headers, stream.request_complete = headers, end
        self._note_end(stream, end)
        self._timers = StreamTimers(stream, self._host.thread, StreamLimits.of(self._config, routed.match))
        self._timers.begin()
        return stream

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the request's body."""
        if self._stream:
            self._note_end(self._stream, end)
            self._stream.receive_data(data, end)
            self._moved()

    def trailers(self, trailers: HeaderMap) -> None:
        """Take the request's trailers."""
        if self._stream:
            self._note_end(self._stream, True)
            self._stream.receive_trailers(trailers)
            self._moved()

    def _note_end(self, stream: Stream, end: bool) -> None:
        if end:
            stream.info.request_end_ns = self._host.thread.now_ns

    def _moved(self) -> None:
        """Something has gone in or out."""
        if self._timers:
            self._timers.moved()

    # -- writing: the stream's downstream ---

    def route_of(self, stream: Stream) -> Routed:
        """Choose the route."""
        return self._host.route(stream.request_headers)

    def send_headers(self, stream: Stream, headers: HeaderMap, end: bool) -> None:
        """Complete the response's headers and write them; an unfinished request closes the connection."""
        if not self._socket.http2 and not self._close_wanted:
            self._close_wanted = not stream.request_complete or self._has_lasted()
        self._ended_by_close = self._writes_http10 and not end and b"content-length" not in headers
        self._close_wanted = self._close_wanted or self._ended_by_close
        lasts = False if self._close_wanted else True if self._http10 else None
        complete_response(headers, self._config, stream.request_headers, self._host.date(), lasts=lasts)
        if stream.traced:
            stream.traced.finish(headers)
        status = int(headers.get(b":status") or 0)
        stream.info.code = status
        self._moved()
        self._host.stats.add("downstream_rq_completed")
        self._host.stats.add_status("downstream_rq", status)
        if self._socket.http2:
            self._socket.write(codec2.response_to_wire(headers, end))
        else:
            self._socket.write(response_to_wire(headers, end, to_head=stream.is_head, http10=self._writes_http10))

    @property
    def _writes_http10(self) -> bool:
        """Whether a client of HTTP/1.0 is answered in kind; one that is refused is not."""
        return self._http10 and self._accepts_http10

    def _has_lasted(self) -> bool:
        """Whether the connection has gone on for long enough."""
        limit_ns = self._limits.duration_ns
        return limit_ns > 0 and self._host.thread.now_ns - self._since_ns >= limit_ns

    def replying(self, reply: LocalReply) -> None:
        """A reply of 400 says that the messages on the connection cannot be trusted."""
        if self._host.witness:
            self._host.witness.replied(self._stream, reply)
        if reply.status == _BAD_REQUEST and not self._survives_bad_requests:
            self._close_wanted = self._close_wanted or not self._socket.http2

    def form_of(self, stream: Stream) -> Form | None:
        """Give the form that this connection manager wants of local replies."""
        forms = self._host.forms
        return None if forms is None else lambda headers, body: forms.apply(stream, headers, body)

    def edit_reply(self, stream: Stream, headers: HeaderMap) -> None:
        """Change the headers of a local reply as the stream's route says."""
        if stream.route is not None:
            stream.route.edit_response(headers, formatter.values_of(stream))

    def send_data(self, stream: Stream, data: bytes, end: bool) -> None:
        """Write a piece of the response's body."""
        self._moved()
        self._socket.write_all(body_parts(data, end, http2=self._socket.http2))

    def send_trailers(self, stream: Stream, trailers: HeaderMap) -> None:
        """Write the end of the response, with trailers where they are allowed."""
        passed_on = self._trailers or self._socket.http2
        self._socket.write(End(tuple(trailers.pairs()) if passed_on else ()))

    def stream_ended(self, stream: Stream, *, reset: bool) -> None:
        """Close, or make room for the next stream."""
        info = stream.info
        info.ended_ns = self._host.thread.now_ns
        if info.account is not None and info.flags:
            info.account.flags = ",".join(info.flags)
        self._host.hops.add(self._hop(stream))
        if self._timers:
            self._timers.end()
        if reset and self._socket.http2:
            self._socket.cut()
        elif reset or self._close_wanted:
            self._end_connection(at_once=not reset and (self._ended_by_close or self._has_read(stream)))
        self._stream = None
        if not self._socket.closed:
            self._rest()
        if self._unread and not self._socket.closed:
            unread, self._unread = self._unread, []
            self._host.thread.post(lambda: self.on_read(unread))

    def _has_read(self, stream: Stream) -> bool:
        """Whether the whole request had been read when its answer was made."""
        return stream.request_complete and not self._reading

    def _end_connection(self, *, at_once: bool) -> None:
        """Close, or leave it for a while to the client, who may still be sending."""
        if at_once or not self._limits.linger_ns:
            self._socket.close()
        else:
            self._socket.linger(self._limits.linger_ns)

    def _hop(self, stream: Stream) -> Hop:
        info = stream.info
        return Hop(
            info.started_ns,
            info.ended_ns - info.started_ns,
            self._host.thread.name,
            info.listener.name,
            (stream.route.cluster or "") if stream.route and info.upstream else "",
            info.code or 0,
            ",".join(info.flags),
            info.bytes_sent,
        )


def _survives_bad_requests(config: HttpConnectionManager) -> bool:
    """Whether a request that is answered with 400 leaves the connection open; what the codec refuses never does."""
    http1 = config.http_protocol_options
    own = http1.override_stream_error_on_invalid_http_message if http1 else None
    return bool(config.stream_error_on_invalid_http_message if own is None else own)
