"""One HTTP stream: a request, its response, and the filters between.

Theory of operation. The codec hands a request's pieces to the *request chain*; its last filter, the router, makes a
response come back through the *response chain*, whose end writes to the client. A *local reply* can be asked for at
any time, by a filter or by Envoy itself, and what becomes of it depends on how far the response is
(:mod:`meshsim.envoy.stream_states`). The stream ends when its response is complete, whatever the request does:
filters log, in order, and are then destroyed, in order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.chain import Chain
from meshsim.envoy.config.route import VirtualHost
from meshsim.envoy.filters.base import HttpFilter, RequestHalf, ResponseHalf
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import Form, LocalReply, is_grpc
from meshsim.envoy.routing import Match, Routed
from meshsim.envoy.stream_info import StreamInfo
from meshsim.envoy.stream_states import LOCAL_REPLY, RESPONSE, Event, Reply, Response
from meshsim.envoy.tracing import Traced


class Downstream(Protocol):
    """The codec's side of a stream."""

    def route_of(self, stream: Stream) -> Routed:
        """Choose the route, for the first time or anew."""

    def pass_informational(self, status: int) -> None:
        """Pass on a head that comes before the answer's."""

    def send_headers(self, stream: Stream, headers: HeaderMap, end: bool) -> None:
        """Complete the headers and write them."""

    def send_data(self, stream: Stream, data: bytes, end: bool) -> None:
        """Write a piece of the body."""

    def send_trailers(self, stream: Stream, trailers: HeaderMap) -> None:
        """Write the end of the body, with trailers."""

    def replying(self, reply: LocalReply) -> None:
        """Take note of a local reply that is about to be sent."""

    def form_of(self, stream: Stream) -> Form | None:
        """Give what changes the form of local replies, if anything does."""

    def edit_reply(self, stream: Stream, headers: HeaderMap) -> None:
        """Change the headers of a local reply as the stream's route says."""

    def stream_ended(self, stream: Stream, *, reset: bool) -> None:
        """Take note that a stream is over."""


class Stream:
    """A request and its response.

    Parameters
    ----------
    downstream : Downstream
        The connection manager.
    info : StreamInfo
        Facts of the connection, and those that gather.
    filters : sequence of HttpFilter
        In configuration order; the last is the router.
    limit_bytes : int
        Bound of each direction's buffer.
    routed : Routed
        The route that the request had when it came; a filter may have it chosen anew.
    """

    def __init__(
        self, downstream: Downstream, info: StreamInfo, filters: Sequence[HttpFilter], limit_bytes: int, routed: Routed
    ) -> None:
        self.downstream = downstream
        self.info = info
        self.filters = list(filters)
        self.response = Response.NONE
        self.request_headers = HeaderMap()
        self.traced: Traced | None = None
        self.is_head = False
        self._is_grpc = False
        self.request_complete = False
        self.response_headers: HeaderMap | None = None
        self.over = False
        self._routed = routed
        self._route_is_stale = False
        self._prepared: LocalReply | None = None
        self._reply_sent = False
        self._response_whole = False
        self.request = Chain(_RequestEnd(self), limit_bytes)
        self.answer = Chain(_ResponseEnd(self), limit_bytes, trailers_wait=True)
        for http_filter in self.filters:
            http_filter.stream = self
            http_filter.request_slot = self.request.add(RequestHalf(http_filter))
        for http_filter in reversed(self.filters[:-1]):
            http_filter.response_slot = self.answer.add(ResponseHalf(http_filter))

    # -- the request, from the codec ---

    def receive_headers(self, headers: HeaderMap, end: bool) -> None:
        """Take the request's headers; whether it wants a head alone or speaks gRPC, no filter changes afterwards."""
        self.request_headers = headers
        self.is_head = headers.get(b":method") == b"HEAD"
        self._is_grpc = is_grpc(headers)
        self.request_complete = end
        self.request.receive_headers(headers, end)

    def receive_data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the request's body."""
        self.info.bytes_received += data.size()
        self.request_complete = self.request_complete or end
        if not self.is_deaf:
            self.request.receive_data(data, end)

    def receive_trailers(self, trailers: HeaderMap) -> None:
        """Take the request's trailers."""
        self.request_complete = True
        if not self.is_deaf:
            self.request.receive_trailers(trailers)

    @property
    def is_deaf(self) -> bool:
        """Whether nothing more of the request matters: the response is whole, even if a filter still holds it."""
        return self.over or self._response_whole

    # -- the route ---

    @property
    def route(self) -> Match | None:
        """The route that was chosen last: attributes show it even when it is to be chosen anew."""
        return self._routed.match

    @property
    def virtual_host(self) -> VirtualHost | None:
        """The virtual host, which a request can have without a route."""
        return self._routed.host

    @property
    def response_trailers(self) -> HeaderMap | None:
        """The response's trailers, whoever made them."""
        return self.answer.message_trailers

    def take_route(self) -> Match | None:
        """Return the route to follow, chosen anew when a filter has changed the request."""
        if self._route_is_stale:
            self._routed = self.downstream.route_of(self)
            self._route_is_stale = False
        return self._routed.match

    def clear_route_cache(self) -> None:
        """Choose the route anew when it is next taken."""
        self._route_is_stale = True

    # -- the response ---

    def respond_headers(self, headers: HeaderMap, end: bool) -> None:
        """Send a response's headers through the filters."""
        self._move(Event.HEADERS)
        self.response_headers = headers
        self._response_whole = end
        self.answer.receive_headers(headers, end)

    def respond_data(self, data: BodyBuffer, end: bool) -> None:
        """Send a piece of a response's body through the filters."""
        if not self.over:
            self._response_whole = end
            self.answer.receive_data(data, end)

    def respond_trailers(self, trailers: HeaderMap) -> None:
        """Send a response's trailers through the filters."""
        if not self.over:
            self._response_whole = True
            self.answer.receive_trailers(trailers)

    def _move(self, event: Event) -> None:
        self.response = RESPONSE[self.response, event]

    # -- local replies ---

    def reply(self, reply: LocalReply) -> None:
        """Answer from the proxy; a reply asked for inside a request callback waits for its end."""
        if self.request.calls:
            self.request.aborted = True
        elif self.answer.calls:
            self.answer.aborted = True
        match LOCAL_REPLY[self.response]:
            case Reply.THROUGH_FILTERS if self._prepared is None and not self._reply_sent:
                self._note(reply)
                if self.request.calls:
                    self._prepared = reply
                else:
                    self._send_through_filters(reply)
            case Reply.STRAIGHT_TO_CLIENT:
                self._note(reply)
                self._send_straight(reply)
            case Reply.RESET_STREAM:
                self._note(reply)
                self.reset()

    def _note(self, reply: LocalReply) -> None:
        self.info.details = reply.details
        for http_filter in self.filters:
            http_filter.answered_locally()
        self.downstream.replying(reply)
        if reply.flag:
            self.info.flags.append(reply.flag)

    def run_prepared_reply(self) -> None:
        """Send the reply that a request callback asked for, now that the callback is over; none when it also closed."""
        reply, self._prepared = self._prepared, None
        if reply is not None and not self.over:
            self._send_through_filters(reply)

    def _compose(self, reply: LocalReply) -> tuple[HeaderMap, bytes]:
        """Make a reply's headers and body; a route that forwards edits them first, then the reply's own edits come.

        Command operators read the reply's headers as far as they are made, and its status once the edits are over.
        """

        def edit(headers: HeaderMap) -> None:
            self.response_headers = headers
            match = self.take_route()
            if match is not None and match.route.route is not None:
                self.downstream.edit_reply(self, headers)
            if reply.edit:
                reply.edit(headers)
            self.info.code = reply.status

        return replace(reply, edit=edit).compose(
            grpc=self._is_grpc, head=self.is_head, form=self.downstream.form_of(self)
        )

    def _send_through_filters(self, reply: LocalReply) -> None:
        self._reply_sent = True
        headers, body = self._compose(reply)
        alone = not body or self.is_head
        self.respond_headers(headers, alone)
        if not alone:
            self.respond_data(BodyBuffer(bytearray(body)), True)

    def _send_straight(self, reply: LocalReply) -> None:
        headers, body = self._compose(reply)
        alone = not body or self.is_head
        end = _ResponseEnd(self)
        end.headers(headers, alone)
        if not alone:
            end.data(BodyBuffer(bytearray(body)), True)

    # -- the end ---

    def sent_headers(self) -> None:
        """Take note that the response's headers have gone out."""
        self._move(Event.SEND)

    def complete(self) -> None:
        """Take note that all of the response has gone out, unless writing it has closed the connection."""
        if not self.over:
            self._move(Event.END)
            self._finish(reset=False)

    def reset(self) -> None:
        """Cut the stream: the client gets no more."""
        if not self.over:
            self._move(Event.RESET)
            self._finish(reset=True)

    def _finish(self, *, reset: bool) -> None:
        self.over = True
        self.downstream.stream_ended(self, reset=reset)
        for http_filter in self.filters:
            http_filter.log()
        for http_filter in self.filters:
            http_filter.destroy()


class _RequestEnd:
    """Behind the last filter of a request there is nothing: the router keeps everything."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def open(self) -> bool:
        """Whether the request still matters."""
        return not self._stream.is_deaf

    def headers(self, headers: HeaderMap, end: bool) -> None:
        """Nothing is left to do."""

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Nothing is left to do."""

    def trailers(self, trailers: HeaderMap) -> None:
        """Nothing is left to do."""

    def aborted(self) -> None:
        """Send the reply that ended the run."""
        self._stream.run_prepared_reply()

    def too_large(self) -> None:
        """Answer 413."""
        self._stream.reply(LocalReply(413, b"Payload Too Large", "request_payload_too_large"))


class _ResponseEnd:
    """Behind the last filter of a response stands the client."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def open(self) -> bool:
        """Whether the response still matters."""
        return not self._stream.over

    def headers(self, headers: HeaderMap, end: bool) -> None:
        """Write the headers, once; without a valid status the client gets 502 instead."""
        stream = self._stream
        if stream.response is not Response.FILTERING:
            return
        if not _has_valid_status(headers):
            stream.reply(_MISSING_STATUS)
            return
        stream.sent_headers()
        stream.downstream.send_headers(stream, headers, end)
        if end:
            stream.complete()

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Write a piece of the body."""
        stream = self._stream
        if stream.over:
            return
        piece, data.data = bytes(data.data), bytearray()
        stream.info.bytes_sent += len(piece)
        stream.downstream.send_data(stream, piece, end)
        if end:
            stream.complete()

    def trailers(self, trailers: HeaderMap) -> None:
        """Write the trailers."""
        if self._stream.over:
            return
        self._stream.downstream.send_trailers(self._stream, trailers)
        self._stream.complete()

    def aborted(self) -> None:
        """Nothing is left to do: a reply of a response callback has gone straight out."""

    def too_large(self) -> None:
        """Answer 500, or cut a response that has begun."""
        self._stream.reply(LocalReply(500, b"Internal Server Error", "response_payload_too_large"))


_MISSING_STATUS = LocalReply(
    502,
    b"missing required header: :status",
    "filter_removed_required_response_headers{missing_required_header:_:status}",
)


def _has_valid_status(headers: HeaderMap) -> bool:
    return (headers.get(b":status") or b"").isdigit()
