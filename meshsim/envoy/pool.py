"""Connections to one host, kept by one worker.

Rules of Envoy's connection pool for HTTP/1.1: a request takes a connection that is ready, the one used last; without
one it waits, and as many connections are begun as requests wait. Whatever becomes ready serves the request that has
waited longest. A connection whose request has left is kept all the same; one that is answered is ready when its
answer has been taken, not before. When connecting fails, everybody who waits is told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from meshsim.envoy.address import Address
from meshsim.envoy.breakers import Breakers
from meshsim.envoy.rounds import CONNECT_NS, IDLE_NS
from meshsim.envoy.threads import Thread
from meshsim.envoy.timer_heap import Armed
from meshsim.envoy.wire import LOOPBACK_NS, Part, Socket


class Waiting(Protocol):
    """A request that wants a connection."""

    def connected(self, socket: Socket) -> None:
        """Take a connection."""

    def refused(self) -> None:
        """There is none to be had."""

    def overflowed(self) -> None:
        """As many wait as may wait."""


class _Idle:
    """Nobody waits at this end."""

    def on_read(self, parts: list[Part]) -> None:
        """Nothing is expected."""

    def on_close(self) -> None:
        """The socket knows."""


@dataclass(slots=True, eq=False)
class Pool:
    """The connections of one worker to one host.

    ``connect`` gives the near end of a new one, None when refused; each serves ``max_requests``, 0 for any number.
    ``setup_ns`` says how long it takes to make one; without, as long as over the loopback interface. ``listens`` says
    whether somebody is there, which is asked when a connection is begun: who listens later is too late for it.
    """

    thread: Thread
    connect: Callable[[], Socket | None]
    max_requests: int = 0
    setup_ns: Callable[[], int] | None = None
    breakers: Breakers | None = None
    address: Address | None = None
    listens: Callable[[], bool] | None = None
    _refusals: deque[bool] = field(default_factory=deque)
    _connect_timers: deque[Armed] = field(default_factory=deque)
    _made: list[Socket] = field(default_factory=list)
    _uses: dict[Socket, int] = field(default_factory=dict)
    _ready: list[Socket] = field(default_factory=list)
    _waiting: deque[Waiting] = field(default_factory=deque)
    _connecting: int = 0

    def get(self, request: Waiting) -> None:
        """Give a connection, now or when there is one."""
        socket = self._take_ready()
        if socket is not None:
            self._use(socket)
            request.connected(socket)
            return
        if self.breakers and not self.breakers.pending.is_left():
            self.breakers.stats.add("upstream_rq_pending_overflow")
            request.overflowed()
            return
        self._waiting.append(request)
        if self.breakers:
            self.breakers.pending.take()
        self.connect_more()

    def connect_more(self) -> None:
        """Begin a connection, when more wait than are begun, and breakers let it be."""
        if self._connecting >= len(self._waiting):
            return
        if self.breakers:
            if not self._may_connect(self.breakers):
                return
            self.breakers.connections.take()
        self._connecting += 1
        self._refusals.append(self.listens is not None and not self.listens())
        setup_ns, rounds = self.setup_ns() if self.setup_ns else LOOPBACK_NS, self.thread.rounds
        event = self.thread.post_at(self._connect, self.thread.now_ns + setup_ns)
        if rounds is not None:
            self._connect_timers.append(rounds.arm(CONNECT_NS))
            if setup_ns == LOOPBACK_NS:
                rounds.connect(self, event)

    def _may_connect(self, breakers: Breakers) -> bool:
        """Whether one more connection is allowed; a host that has none always gets one."""
        breakers.sweep()
        if breakers.connections.is_left():
            return True
        breakers.stats.add("upstream_cx_overflow")
        self._made = [socket for socket in self._made if not socket.closed]
        return not self._connecting and not self._made

    def leave(self, request: Waiting) -> None:
        """Wait no more."""
        if request in self._waiting:
            self._waiting.remove(request)
            self._one_less_waits()

    def _one_less_waits(self) -> None:
        if self.breakers:
            self.breakers.pending.give()

    def release(self, socket: Socket) -> None:
        """Take a connection back whose exchange is over; one that has served often enough is closed."""
        if self.max_requests:
            self._uses[socket] = self._uses.get(socket, 0) + 1
            if self._uses[socket] == self.max_requests:
                del self._uses[socket]
                socket.close()
                return
        self.rest(socket)
        socket.reader = _Idle()
        self._ready.append(socket)
        if self._waiting:
            rounds = self.thread.rounds
            if rounds is None:
                self.thread.post(self._serve)
            else:
                rounds.soon(self._serve)

    def promise(self) -> None:
        """Take note that a connection comes back before this task is over: who waits is served behind it."""
        if self._waiting:
            self.thread.post(self._serve)

    def put_back(self, socket: Socket) -> None:
        """Take a connection back that was not used."""
        self.rest(socket)
        socket.reader = _Idle()
        self._ready.append(socket)

    def take_idle(self) -> Socket | None:
        """Give a connection that is ready and that nobody waits for, if there is one."""
        return None if self._waiting else self._take_ready()

    def _take_ready(self) -> Socket | None:
        while self._ready:
            socket = self._ready.pop()
            if not socket.closed:
                return socket
        return None

    def rest(self, socket: Socket) -> None:
        """Arm the timer of a connection that has no request."""
        if socket.idle is None and self.thread.rounds is not None:
            socket.idle = self.thread.rounds.arm(IDLE_NS)

    def _use(self, socket: Socket) -> None:
        """Disarm it."""
        if socket.idle is not None and self.thread.rounds is not None:
            self.thread.rounds.disarm(socket.idle)
            socket.idle = None

    def _connect(self) -> None:
        self.opened(self.open())

    def open(self) -> Socket | None:
        """Make the connection that was begun first; None when it is refused."""
        return None if self._refusals.popleft() else self.connect()

    def opened(self, socket: Socket | None) -> None:
        """Give a new connection to who has waited longest; when there is none, tell everybody who waits."""
        self._connecting -= 1
        if socket is not None:
            self.rest(socket)
        if self._connect_timers and self.thread.rounds is not None:
            self.thread.rounds.disarm(self._connect_timers.popleft())
        if socket is None:
            if self.breakers:
                self.breakers.connections.give()
            refused, self._waiting = self._waiting, deque()
            for request in refused:
                self._one_less_waits()
                request.refused()
            return
        if self.breakers:
            self.breakers.opened(socket)
            self._made.append(socket)
        socket.reader = _Idle()
        self._ready.append(socket)
        self._serve()

    def _serve(self) -> None:
        while self._waiting:
            socket = self._take_ready()
            if socket is None:
                return
            self._one_less_waits()
            self._use(socket)
            self._waiting.popleft().connected(socket)
