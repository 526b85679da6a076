"""The HTTP connection manager: from connections to streams, and when a connection ends.

Rules seen in Envoy 1.40 (``ConnectionManagerImpl``, HTTP/1.1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshsim.envoy import codec2
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.codec import UNREADABLE, HeadRules, request_from_wire, response_to_wire, unreadable
from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.local_reply import Form, LocalReply
from meshsim.envoy.manager_headers import Place, complete_response, early_answer, prepare_request
from meshsim.envoy.reply_forms import ReplyForms
from meshsim.envoy.routing import Match, Routed
from meshsim.envoy.stats import Counters
from meshsim.envoy.stream import Stream, StreamInfo
from meshsim.envoy.stream_timers import StreamLimits, StreamTimers
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import End, Head, MessageReader, Part, Wire, body_parts

_BAD_REQUEST, _FORBIDDEN = 400, 403


@dataclass(frozen=True, slots=True)
class ManagerHost:
    """What a connection manager needs of the worker it runs on.

    ``route`` chooses a route and ``filters`` makes a stream's filters, as the route has them; ``request_id`` and
    ``date`` come from seeded streams and virtual time.
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
        self._close_wanted = False
        self._rules = HeadRules.of(config)
        self._survives_bad_requests = _survives_bad_requests(config)
        self._trailers = bool(config.http_protocol_options and config.http_protocol_options.enable_trailers)
        self._unread: list[Part] = []
        socket.reader = self

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
        self._unread = self._reader.read(parts)

    def on_close(self) -> None:
        """Cut the stream that is open."""
        if self._stream is not None and not self._stream.over:
            self._stream.info.flags.append("DC")
            self._stream.info.details = "downstream_remote_disconnect"
            self._stream.reset()

    def headers(self, head: Head, end: bool) -> None:
        """Begin a stream."""
        self._host.stats.add("downstream_rq_total")
        headers = codec2.request_from_wire(head) if self._socket.http2 else request_from_wire(head, self._rules)
        self._close_wanted = (headers.get(b"connection") or b"").lower() == b"close"
        answer = self._codec_answer(head)
        if answer is not None:
            headers = HeaderMap(kind=Kind.REQUEST)  # what cannot be read is nothing
        else:
            answer = self._early_answer(headers)
        info = self._info()
        info.protocol = head.protocol.decode()
        if answer is None:
            self._welcome(headers, info)
            self._open(headers, end, info, self._host.route(headers)).receive_headers(headers, end)
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
        answer = early_answer(headers, self._config, self._host.place.port)
        if answer is not None and answer.status == _FORBIDDEN:
            self._close_wanted = True
        return answer

    def _welcome(self, headers: HeaderMap, info: StreamInfo) -> None:
        """Make of a request's headers what filters see; a client that waits for it is told to go on."""
        if (headers.get(b"expect") or b"").lower() == b"100-continue":
            self._socket.write(Head((), status=100))
            self._host.stats.add("downstream_rq_1xx")
        place, request_id = self._host.place, self._host.request_id()
        address = prepare_request(headers, self._config, info.source[0], place, request_id)
        if address is not None:
            info.source = (address, 0)

    def _open(self, headers: HeaderMap, end: bool, info: StreamInfo, routed: Routed) -> Stream:
        limit = max(self._host.limit_bytes, (routed.match and routed.match.buffer_limit) or 0)
        stream = self._stream = Stream(self, info, self._host.filters(routed.match), limit, routed)
        stream.request_headers, stream.request_complete = headers, end
        self._timers = StreamTimers(stream, self._host.thread, StreamLimits.of(self._config, routed.match))
        self._timers.begin()
        return stream

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the request's body."""
        if self._stream:
            self._stream.receive_data(data, end)
            self._moved()

    def trailers(self, trailers: HeaderMap) -> None:
        """Take the request's trailers."""
        if self._stream:
            self._stream.receive_trailers(trailers)
            self._moved()

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
        unfinished = not stream.request_complete and not self._socket.http2
        self._close_wanted = self._close_wanted or unfinished
        date = self._host.date()
        complete_response(headers, self._config, stream.request_headers, date, close=self._close_wanted)
        status = int(headers.get(b":status") or 0)
        stream.info.code = status
        self._moved()
        self._host.stats.add("downstream_rq_completed")
        self._host.stats.add_status("downstream_rq", status)
        if self._socket.http2:
            self._socket.write(codec2.response_to_wire(headers, end))
        else:
            self._socket.write(response_to_wire(headers, end, to_head=stream.is_head))

    def replying(self, reply: LocalReply) -> None:
        """A reply of 400 says that the messages on the connection cannot be trusted."""
        if reply.status == _BAD_REQUEST and not self._survives_bad_requests:
            self._close_wanted = self._close_wanted or not self._socket.http2

    def form_of(self, stream: Stream) -> Form | None:
        """Give the form that this connection manager wants of local replies."""
        forms = self._host.forms
        return None if forms is None else lambda headers, body: forms.apply(stream, headers, body)

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
        stream.info.ended_ns = self._host.thread.now_ns
        if self._timers:
            self._timers.end()
        if reset and self._socket.http2:
            self._socket.cut()
        elif reset or self._close_wanted:
            self._socket.linger()
        self._stream = None
        if self._unread and not self._socket.closed:
            unread, self._unread = self._unread, []
            self._host.thread.post(lambda: self.on_read(unread))


def _survives_bad_requests(config: HttpConnectionManager) -> bool:
    """Whether a request that is answered with 400 leaves the connection open; what the codec refuses never does."""
    http1 = config.http_protocol_options
    own = http1.override_stream_error_on_invalid_http_message if http1 else None
    return bool(config.stream_error_on_invalid_http_message if own is None else own)
