"""A simulated HTTP/1.1 client: one exchange, on a connection of its own or on one that goes on."""

from __future__ import annotations

from collections.abc import Callable

from meshsim.envoy.headers import as_number
from meshsim.envoy.outcome import CLOSED, MALFORMED, REFUSED, TIMEOUT, Header, Response, as_text
from meshsim.envoy.requests import PACE_MS, Request
from meshsim.envoy.threads import Thread, Timer
from meshsim.envoy.wire import Data, End, Head, Part, Socket
from meshsim.sim import Kernel

#: How long the client waits for the end of an answer after its last piece, in ms of virtual time.
PATIENCE_MS = 10_000
#: From one answer to the next request, in ns: assumed, not measured. It is between one way over the loopback interface
#: and two, because in runs of the real Envoy a close had reached the next listener by then, while the answer to a
#: callout that nobody waited for had not come.
CLIENT_TURN_NS = 30_000
_MS = 1_000_000
_WITHOUT_BODY = (101, 204, 304)
#: A client reads three digits.
_LEAST_STATUS, _GREATEST_STATUS = 100, 999


def parts_of(request: Request) -> list[tuple[int, list[Part]]]:
    """Return what is sent and after which pause (ms), as :func:`meshsim.envoy.requests.wire` does in bytes."""
    fields = [("host", request.authority), *request.headers]
    body = None if request.body is None else request.body.encode()
    if request.chunked:
        fields.append(("transfer-encoding", "chunked"))
    elif body is not None:
        fields.append(("content-length", str(len(body))))
    head = Head(_encoded(fields), request.method.encode(), request.path.encode())
    if not request.chunked:
        rest: list[Part] = [] if body is None else [Data(body), End()]
        return [(0, [head, *rest])]
    datas = [chunk.encode() for chunk in request.chunks or ()]
    chunks: list[tuple[int, list[Part]]] = [(PACE_MS, [Data(data)] if data else []) for data in datas]
    return [(0, [head]), *chunks, (PACE_MS, [End(_encoded(list(request.trailers)))])]


def _encoded(fields: list[Header]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, value in fields)


#: A thread for readers that never wait.
_NOBODY = Thread("nobody", Kernel())


class Exchange:
    """One request and its answer; ``done`` is called once, with the response.

    The connection is closed then; with ``keep_alive`` it stays open behind an answer that is whole.
    """

    def __init__(
        self, request: Request, thread: Thread, done: Callable[[Response], None], *, keep_alive: bool = False
    ) -> None:
        self._request = request
        self._thread = thread
        self._done = done
        self._status = 0
        self._headers: tuple[Header, ...] = ()
        self._trailers: tuple[Header, ...] = ()
        self._body = bytearray()
        self._left: int | None = None
        self._until_close = False
        self._over = False
        self._keep_alive = keep_alive
        self._patience: Timer | None = None
        self._socket: Socket | None = None
        self._pieces = parts_of(request)

    def begin(self, connect: Callable[[Thread], Socket | None]) -> None:
        """Connect (None: refused), and send."""
        socket = connect(self._thread)
        if socket is None:
            self._finish(REFUSED)
        else:
            self.begin_on(socket)

    def begin_on(self, socket: Socket) -> None:
        """Send on a connection that is there."""
        self._socket = socket
        socket.reader = self
        self._send()

    def expect_on(self, socket: Socket, since_ns: int) -> None:
        """Take the answer to a request that was sent otherwise, at ``since_ns``."""
        self._socket = socket
        socket.reader = self
        left_ns = PATIENCE_MS * _MS - (self._thread.now_ns - since_ns)
        self._patience = self._thread.timer(lambda: self._finish(TIMEOUT), max(0, left_ns))

    def _send(self) -> None:
        """Send the next piece; after the last one, wait so long and no longer."""
        if self._over or self._socket is None:
            return
        _, parts = self._pieces.pop(0)
        for part in parts:
            self._socket.write(part)
        if self._pieces:
            self._thread.post(self._send, self._pieces[0][0] * _MS)
        else:
            self._patience = self._thread.timer(lambda: self._finish(TIMEOUT), PATIENCE_MS * _MS)

    # -- the answer ---

    def on_read(self, parts: list[Part]) -> None:
        """Take what has arrived."""
        for part in parts:
            if not self._over:
                self._take(part)

    def _take(self, part: Part) -> None:
        match part:
            case Head() if not _LEAST_STATUS <= part.status <= _GREATEST_STATUS:
                self._finish(MALFORMED)
            case Head() if part.status >= 200 or part.status == 101:
                self._begin(part)
            case Data() | End() if not self._status:
                pass  # of an interim answer, which has none: a client takes it for the beginning of the next head
            case Data():
                self._body += part.data if self._left is None else part.data[: self._left]
                if self._left is not None:
                    self._left -= min(self._left, len(part.data))
                    self._finish_if(not self._left)
            case End() if self._left is None:
                self._trailers = _decoded(part.trailers)
                self._finish_if(True)

    def _begin(self, head: Head) -> None:
        self._status, self._headers = head.status, _decoded(head.headers)
        self._keep_alive = self._keep_alive and (head.value(b"connection") or b"").lower() != b"close"
        if self._request.method == "HEAD" or head.status in _WITHOUT_BODY:
            self._finish_if(True)
        elif not head.is_framed:
            self._finish(MALFORMED)
        elif not head.chunked and head.value(b"content-length") is not None:
            self._left = as_number(head.value(b"content-length")) or 0
            self._finish_if(not self._left)
        else:
            self._until_close = not head.chunked

    def on_close(self) -> None:
        """Take note that the proxy has closed: an error, unless this ends a body that has no other end."""
        self._finish(None if self._until_close else CLOSED)

    def _finish_if(self, ended: bool) -> None:
        if ended:
            self._finish(None)

    def _finish(self, error: str | None) -> None:
        if self._over:
            return
        self._over = True
        if self._patience is not None:
            self._patience.cancel()
        if self._socket is not None and not (self._keep_alive and error is None):
            self._socket.close()
        self._done(Response(self._status, self._headers, as_text(bytes(self._body)), self._trailers, error))


def response_of(request: Request, parts: list[Part]) -> Response | None:
    """Read an answer that has come whole; None when it is not."""
    answers: list[Response] = []
    Exchange(request, _NOBODY, answers.append).on_read(parts)
    return answers[0] if answers else None


def _decoded(pairs: tuple[tuple[bytes, bytes], ...]) -> tuple[Header, ...]:
    return tuple((as_text(name), as_text(value)) for name, value in pairs)
