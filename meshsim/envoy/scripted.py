"""Scripted upstreams: services that answer what a test or an experiment tells them to.

An endpoint that is no listener of the bootstrap refuses connections, as on a machine where nothing listens. A scripted
upstream stands there instead: it keeps every request that it gets, and gives answers in virtual time. It reads and
writes as Envoy's own listeners do, over HTTP/1.1 or HTTP/2, whichever the cluster speaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from meshsim.envoy import codec2
from meshsim.envoy.answers import Answer, Failure, Script, UpstreamRequest
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.codec import request_from_wire
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.outcome import Header, as_text
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Data, Head, MessageReader, Part, Socket
from meshsim.errors import ConfigError

#: What has been written is read by then, before the connection is cut.
_CUT_AFTER_NS = 1_000_000


def _decoded(headers: Iterable[tuple[bytes, bytes]]) -> tuple[Header, ...]:
    return tuple((as_text(name), as_text(value)) for name, value in headers)


class ScriptedUpstream:
    """A service at an endpoint; :attr:`requests` is what came to it, in the order in which it came.

    A script is one answer for all requests; several, of which the last one stays; or a function of the request.
    """

    def __init__(self, name: str, thread: Thread) -> None:
        self.name = name
        self.requests: list[UpstreamRequest] = []
        self.early = False
        self._thread = thread
        self._connections: list[_Connection] = []
        self._answers: list[Answer] = [Answer()]
        self._function: Callable[[UpstreamRequest], Answer] | None = None

    def follow(self, script: Script, *, early: bool = False) -> None:
        """Answer by this script from now on.

        With ``early`` the answer follows the request's headers, whatever comes of its body: a gRPC server that speaks
        before the client has said all.
        """
        self.early = early
        if isinstance(script, Answer):
            self._function, self._answers = None, [script]
        elif callable(script):
            self._function, self._answers = script, []
        else:
            self._function, self._answers = None, list(script)
            if not self._answers:
                raise ConfigError("a script without answers", f"upstream {self.name}", "give one answer at least")
        self.close_if_refusing()

    def accept(self, client: Thread, *, http2: bool = False) -> Socket | None:
        """Make a connection, and return the client's end; None refuses."""
        if self._refuses:
            self._next_in_list()
            return None
        near, far = Socket.pair(client, self._thread, http2=http2)
        self._connections.append(_Connection(self, self._thread, far))
        return near

    def answer_to(self, request: UpstreamRequest) -> Answer:
        """Choose the answer."""
        return self._function(request) if self._function else self._next_in_list()

    def _next_in_list(self) -> Answer:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    @property
    def _refuses(self) -> bool:
        """Whether the next connection is refused; a function can only be asked when there is a request."""
        return bool(self._answers) and self._answers[0].failure is Failure.REFUSED

    def close_if_refusing(self) -> None:
        """Close the connections without a request when the service is gone: it would have none."""
        if self._refuses:
            for connection in self._connections:
                connection.close_if_idle()

    def forget(self, connection: _Connection) -> None:
        """Take note that a connection is closed."""
        if connection in self._connections:
            self._connections.remove(connection)


class _Connection:
    """One connection to an upstream; in both protocols one request at a time."""

    def __init__(self, upstream: ScriptedUpstream, thread: Thread, socket: Socket) -> None:
        self._upstream = upstream
        self._thread = thread
        self._socket = socket
        self._place = -1
        self._body = bytearray()
        self._busy = False
        self._reader = self._new_reader()
        socket.reader = self

    def _new_reader(self) -> MessageReader:
        return MessageReader(self, keep_trailers=True, http2=self._socket.http2)

    def close_if_idle(self) -> None:
        """Close, unless a request is under way."""
        if not self._busy:
            self._thread.post(self._close)

    def _close(self) -> None:
        self._socket.close()
        self._upstream.forget(self)

    # -- the request ---

    def on_read(self, parts: list[Part]) -> None:
        """Take what has arrived."""
        while parts:
            if self._reader.complete:
                self._reader = self._new_reader()
            parts = self._reader.read(parts)

    def on_close(self) -> None:
        """Take note that the other end has closed."""
        self._upstream.forget(self)

    def headers(self, head: Head, end: bool) -> None:
        """Begin a request."""
        headers = codec2.request_from_wire(head) if self._socket.http2 else request_from_wire(head)
        requests = self._upstream.requests
        self._place, self._busy = len(requests), True
        self._body.clear()
        requests.append(UpstreamRequest(self._thread.now_ns, _decoded(headers), complete=end))
        if end or self._upstream.early:
            self._choose()

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the body."""
        self._body += data.data
        self._more(end)

    def trailers(self, trailers: HeaderMap) -> None:
        """Take the trailers."""
        self._more(True, _decoded(trailers))

    def _more(self, end: bool, trailers: tuple[Header, ...] = ()) -> None:
        requests, body = self._upstream.requests, as_text(bytes(self._body))
        requests[self._place] = replace(requests[self._place], body=body, trailers=trailers, complete=end)
        if end and not self._upstream.early:
            self._choose()

    # -- the answer ---

    def _choose(self) -> None:
        request = self._upstream.requests[self._place]
        answer = self._upstream.answer_to(request)
        if answer.failure is Failure.SILENT:
            return
        to_head = request.header(":method") == "HEAD"
        if answer.latency_ns:
            self._thread.post(lambda: self._write(answer, to_head=to_head), answer.latency_ns)
        else:
            self._write(answer, to_head=to_head)

    def _write(self, answer: Answer, *, to_head: bool) -> None:
        if self._socket.closed:
            return
        self._busy = False
        if answer.failure in (Failure.RESET, Failure.REFUSED):
            self._close()
            return
        parts = answer.parts(http2=self._socket.http2, to_head=to_head)
        if answer.failure is Failure.CUT:
            self._write_half(parts)
            return
        self._socket.write_all(parts)
        self._upstream.close_if_refusing()

    def _write_half(self, parts: list[Part]) -> None:
        """Write the head and half of the body, and close a moment later, so that the other end has read them."""
        head, *rest = parts
        self._socket.write(replace(head, end=False) if isinstance(head, Head) else head)
        for part in rest:
            if isinstance(part, Data):
                self._socket.write(Data(part.data[: len(part.data) // 2]))
        self._thread.post(self._close, _CUT_AFTER_NS)
