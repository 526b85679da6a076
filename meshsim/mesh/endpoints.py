"""Applications and the client as a proxy sees them: what takes its connections, and what makes connections to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from meshsim.envoy.account import Account
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.connection import ServerConnection
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.pool import Pool
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Data, End, Head, MessageReader, Part, Socket, size_of
from meshsim.mesh.application import OK, Application, Visit
from meshsim.mesh.legs import Leg

if TYPE_CHECKING:
    from meshsim.envoy.express.course import Over
    from meshsim.envoy.express.lane import Lane
    from meshsim.envoy.express.passage import Passage

Done = Callable[[Leg], None]
Parts = tuple[Part, ...]


class Endpoint:
    """An application behind a proxy: takes HTTP connections, one request at a time on each.

    ``own`` is told of the proxy's ends.
    """

    def __init__(self, app: Application, thread: Thread, own: Callable[[Socket], None]) -> None:
        self.app = app
        self._own = own
        self.thread = thread
        self._answers: dict[tuple[int, bool], tuple[list[Part], int]] = {}

    @property
    def ahead(self) -> Endpoint:
        """Where requests of lanes go: straight here."""
        return self

    open = True

    def enter(self, caller: Passage, time_ns: int, carried: bytes, account: Account | None) -> _Ridden:
        """Let a request of a lane arrive."""
        assert caller.socket is not None
        far = caller.socket.peer
        assert far is not None
        ridden = _Ridden(self, caller, far, account)
        self.app.kernel.at(time_ns, self.thread.due, ridden.arrive)
        return ridden

    def accept(self, client: Thread, *, http2: bool = False) -> Socket:
        """Make a connection; return the proxy's end."""
        near, far = Socket.pair(client, self.thread, http2=http2)
        far.reader = _Served(self, far)
        self._own(near)
        return near

    def answer(self, status: int, *, http2: bool) -> tuple[list[Part], int]:
        """Return what is written for a status, always the same list, and how many bytes that is."""
        answer = self._answers.get((status, http2))
        if answer is None:
            parts = _response(status, self.app.response_bytes if status == OK else 0)
            parts = _in_http2(parts) if http2 else parts
            answer = self._answers[status, http2] = parts, size_of(parts)
        return answer

    def visit(self, account: Account | None, worker: str, answer: Callable[[Visit], None]) -> None:
        """Take a request that is there whole."""
        if not isinstance(account, Leg):  # a module's own call, which belongs to no request
            account = Leg(-1, None, "", self.app.service.name, self.thread.now_ns)
        account.worker = worker
        self.app.arrive(Visit(account, answer))


def _response(status: int, size_bytes: int) -> list[Part]:
    head = Head(((b"content-length", b"%d" % size_bytes),), status=status)
    return [head, Data(bytes(size_bytes)), End()] if size_bytes else [head]


class _Served:
    """A connection to an application."""

    __slots__ = ("_endpoint", "_reader", "socket")

    def __init__(self, endpoint: Endpoint, socket: Socket) -> None:
        self._endpoint = endpoint
        self.socket = socket
        self._reader = MessageReader(self, http2=socket.http2)

    def on_read(self, parts: list[Part]) -> None:
        """Take what has arrived."""
        while parts:
            if self._reader.complete:
                self._reader = MessageReader(self, http2=self.socket.http2)
            parts = self._reader.read(parts)

    def on_close(self) -> None:
        """The proxy has closed; the application goes on, and nobody hears of it."""

    def headers(self, head: Head, end: bool) -> None:
        """Take a request's head."""
        if end:
            self._arrive()

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the body."""
        if end:
            self._arrive()

    def trailers(self, trailers: HeaderMap) -> None:
        """Take the end of the body."""
        self._arrive()

    def _arrive(self) -> None:
        peer = self.socket.peer
        assert peer is not None
        self._endpoint.visit(self.socket.account, peer.thread.name, self._answer)

    def _answer(self, visit: Visit) -> None:
        _write(self.socket, self._endpoint.answer(visit.status, http2=self.socket.http2)[0])


class _Ridden:
    """A request that has come on a lane; its answer goes back there, or on the connection when the lane was left."""

    __slots__ = ("_account", "_caller", "_derailed", "_endpoint", "_far")

    def __init__(self, endpoint: Endpoint, caller: Passage, far: Socket, account: Account | None) -> None:
        self._endpoint = endpoint
        self._caller = caller
        self._far = far
        self._account = account
        self._derailed = False

    def arrive(self) -> None:
        """Take the request: a task of the application's thread."""
        self._endpoint.visit(self._account, self._caller.lane.thread.name, self._answer)

    def derail(self) -> None:
        """Answer on the connection."""
        self._derailed = True

    def _answer(self, visit: Visit) -> None:
        parts, size_bytes = self._endpoint.answer(visit.status, http2=self._far.http2)
        if self._derailed:
            _write(self._far, parts)
        else:
            self._caller.hear(parts, self._endpoint.app.kernel.now_ns, size_bytes)


def _write(socket: Socket, parts: list[Part]) -> None:
    if not socket.closed:
        socket.write_all(list(parts))


def _in_http2(parts: list[Part]) -> list[Part]:
    head, *rest = parts
    assert isinstance(head, Head)
    pieces: list[Part] = [Data(part.data, True) for part in rest if isinstance(part, Data)]
    fields = ((b":status", b"%d" % head.status), *head.headers)
    return [Head(fields, status=head.status, protocol=b"HTTP/2", end=not pieces), *pieces]


class Outlet:
    """Connections to one listener, and requests on them: a :class:`meshsim.mesh.application.Caller`.

    ``connect`` makes a connection, None when it is refused; ``setup_ns`` says how long that takes.
    """

    def __init__(self, thread: Thread, connect: Callable[[Thread], Socket | None], setup_ns: Callable[[], int]) -> None:
        self.thread = thread
        self.pool = Pool(thread, lambda: connect(thread), setup_ns=setup_ns)
        self._requests: dict[tuple[str, int], Shape] = {}

    def send(self, leg: Leg, request_bytes: int, done: Done) -> None:
        """Send a request on a connection that is free, or on a new one."""
        self.pool.get(_Exchange(self, leg, self._request(leg.service, request_bytes), done))

    def _request(self, service: str, size_bytes: int) -> Shape:
        key = service, size_bytes
        shape = self._requests.get(key)
        if shape is None:
            host = (b"host", service.encode())
            length = ((b"content-length", b"%d" % size_bytes),) if size_bytes else ()
            head = Head((host, *length), b"POST" if size_bytes else b"GET", b"/")
            shape = self._requests[key] = Shape((head, Data(bytes(size_bytes)), End()) if size_bytes else (head,))
        return shape


class Shape:
    """What requests of one kind to one listener look like on the wire, and the lanes that they take, by worker."""

    __slots__ = ("_lanes", "parts", "size_bytes")

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.size_bytes = size_of(parts)
        self._lanes: dict[Thread, Lane | None] = {}

    def lane(self, socket: Socket) -> Lane | None:
        """Return the lane of such a request on a connection; None where it has to go as bytes."""
        peer = socket.peer
        if peer is None or not isinstance(peer.reader, ServerConnection):
            return None
        if peer.thread not in self._lanes:
            self._lanes[peer.thread] = peer.reader.lane(peer.thread, self.parts)
        lane = self._lanes[peer.thread]
        return lane if lane is not None and lane.open else None


class _Exchange:
    """One request and its answer, over a connection of an outlet."""

    __slots__ = ("_asked_ns", "_done", "_leg", "_outlet", "_over", "_reader", "_shape", "_socket")

    def __init__(self, outlet: Outlet, leg: Leg, shape: Shape, done: Done) -> None:
        self._outlet = outlet
        self._leg = leg
        self._shape = shape
        self._done = done
        self._over: Over | None = None
        self._asked_ns = outlet.thread.now_ns
        #: Made when bytes come: on a lane none do, and the two would wait for the garbage collector.
        self._reader: MessageReader | None = None
        self._socket: Socket | None = None

    def connected(self, socket: Socket) -> None:
        """Send."""
        leg = self._leg
        thread, shape = self._outlet.thread, self._shape
        leg.network_ns += thread.now_ns - self._asked_ns
        self._socket = socket
        socket.charge(leg)
        socket.reader = self
        lane = shape.lane(socket)
        if lane is None:
            socket.write_all(list(shape.parts))
        else:
            lane.enter(self, socket.arrival_ns(thread.now_ns, shape.size_bytes), account=leg)

    def refused(self) -> None:
        """Nobody listens."""
        self._done(self._leg)

    def overflowed(self) -> None:
        """No room; an outlet has no bounds, and so that never is."""

    def on_read(self, parts: list[Part]) -> None:
        """Take what has arrived."""
        if self._reader is None:
            self._reader = MessageReader(self)
        self._reader.read(parts)

    def on_close(self) -> None:
        """There will be no whole answer."""
        self._leg.status = 0
        self._done(self._leg)

    def headers(self, head: Head, end: bool) -> None:
        """Take the answer's head."""
        self._leg.status = head.status
        if (head.value(b"connection") or b"").lower() == b"close" and self._socket is not None:
            self._socket.close()
        if end:
            self._finish()

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the answer's body."""
        self._leg.bytes_sent += len(data.data)
        if end:
            self._finish()

    def trailers(self, trailers: HeaderMap) -> None:
        """Take the end of the answer."""
        self._finish()

    def _finish(self) -> None:
        assert self._socket is not None
        if not self._socket.closed:
            self._outlet.pool.release(self._socket)
        self._done(self._leg)

    # -- on a lane ---

    @property
    def connection(self) -> ServerConnection:
        """The proxy's end."""
        assert self._socket is not None
        assert self._socket.peer is not None
        reader = self._socket.peer.reader
        assert isinstance(reader, ServerConnection)
        return reader

    def answered(self, passage: Passage, over: Over, end_ns: int) -> None:
        """Take the answer, which comes a little later."""
        assert self._socket is not None
        assert self._socket.peer is not None
        self._over = over
        time_ns = self._socket.peer.arrival_ns(end_ns, over.size_bytes)
        self._outlet.thread.post_at(self._ridden, time_ns)

    def _ridden(self) -> None:
        assert self._over is not None
        assert self._socket is not None
        if self._socket.closed:
            return
        self._leg.status = self._over.hop.status
        self._leg.bytes_sent += self._over.hop.bytes_sent
        self._finish()

    def left(self) -> None:
        """Take the answer from the connection, as ever."""
