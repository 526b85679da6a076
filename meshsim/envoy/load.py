"""Load on one Envoy: clients that send as soon as they are answered, as ``wrk`` does."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from meshsim.envoy.client import CLIENT_TURN_NS, Exchange, response_of
from meshsim.envoy.connection import ServerConnection
from meshsim.envoy.outcome import Response
from meshsim.envoy.requests import Request
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import LOOPBACK_NS, Socket
from meshsim.sim import Histogram

if TYPE_CHECKING:
    from meshsim.envoy.express.course import Over
    from meshsim.envoy.express.lane import Lane
    from meshsim.envoy.express.passage import Passage

Connect = Callable[[Thread], Socket | None]
Heard = Callable[[Response], None]


@dataclass(frozen=True, slots=True)
class Driven:
    """What a load has brought.

    Attributes
    ----------
    count, errors : int
        Requests that were sent, and those of them without a whole answer.
    took_ns : int
        Virtual time from the first request to the last answer.
    latency : Histogram
        From the sending of a request to the end of its answer, in ns.
    statuses : Counter
        How often each status came; 0 for no answer.
    """

    count: int
    errors: int
    took_ns: int
    latency: Histogram
    statuses: Counter[int]

    @property
    def per_second(self) -> float:
        """Requests a second of virtual time."""
        return self.count * 1e9 / self.took_ns if self.took_ns else 0.0


@dataclass(eq=False, slots=True)
class ClosedLoop:
    """A number of users, each with one connection, who together send ``count`` requests.

    ``over`` is called when the last answer has come, ``heard`` with every answer; ``lane_of`` gives the lane of the
    request on a connection, ``pause_ns`` how long a user (by number) waits before a request; without it none does.
    """

    request: Request
    count: int
    client: Thread
    connect: Connect
    over: Callable[[], None]
    heard: Heard | None
    lane_of: Callable[[Request, Socket], Lane | None]
    pause_ns: Callable[[int], int] | None = None
    sent: int = 0
    answered: int = 0
    errors: int = 0
    started_ns: int = 0
    ended_ns: int = 0
    latency: Histogram = field(default_factory=Histogram)
    _statuses: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    _users: list[_User] = field(default_factory=list)

    def begin(self, connections: int) -> None:
        """Let the users send their first requests."""
        self.started_ns = self.client.now_ns
        self._users = [_User(self, number) for number in range(min(connections, self.count))]
        for user in self._users:
            self.client.post(user.send, user.pause_ns())

    def take(self, sent_ns: int, time_ns: int, status: int, *, failed: bool = False) -> None:
        """Take note of an answer that comes at ``time_ns``."""
        self.latency.add(time_ns - sent_ns)
        self._statuses[status] += 1
        self.errors += failed
        self.answered += 1
        if time_ns > self.ended_ns:
            self.ended_ns = time_ns
        if self.answered == self.count:
            self.client.post_at(self._end, self.ended_ns)

    def _end(self) -> None:
        """Close the connections, as ``wrk`` does when it ends."""
        for user in self._users:
            user.close()
        self.over()

    def result(self) -> Driven:
        """Return what has come so far."""
        took_ns = self.ended_ns - self.started_ns
        return Driven(self.answered, self.errors, took_ns, self.latency, Counter(self._statuses))


class _User:
    """One connection, which is made anew when the proxy has closed it; the caller of a lane."""

    __slots__ = ("_lane", "_load", "_number", "_sent_ns", "_socket", "connection")

    #: The proxy's end, once there is one that is no connection of bytes.
    connection: ServerConnection

    def __init__(self, load: ClosedLoop, number: int) -> None:
        self._load = load
        self._number = number
        self._socket: Socket | None = None
        self._lane: Lane | None = None
        self._sent_ns = 0

    def pause_ns(self) -> int:
        """Return how long this user waits before the next request."""
        pause_ns = self._load.pause_ns
        return pause_ns(self._number) if pause_ns else 0

    def send(self) -> None:
        """Send a request, if one is left."""
        load = self._load
        if load.sent < load.count:
            load.sent += 1
            self._sent_ns = load.client.now_ns
            if self._socket is None or self._socket.closed:
                self._lane = None
                self._exchange().begin(self._connect)
            elif (lane := self._find_lane(self._socket)) is not None:
                lane.enter(self, self._sent_ns + LOOPBACK_NS)
            else:
                self._exchange().begin_on(self._socket)

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None and not self._socket.closed:
            self._socket.close()

    def _exchange(self) -> Exchange:
        load = self._load
        return Exchange(load.request, load.client, self._heard, keep_alive=True)

    def _connect(self, client: Thread) -> Socket | None:
        self._socket = self._load.connect(client)
        return self._socket

    def _find_lane(self, socket: Socket) -> Lane | None:
        peer = socket.peer
        if self._lane is None and peer is not None and isinstance(peer.reader, ServerConnection):
            self.connection = peer.reader
            self._lane = self._load.lane_of(self._load.request, peer)
        return self._lane if self._lane is not None and self._lane.open else None

    def _heard(self, response: Response) -> None:
        load = self._load
        load.client.post(self.send, CLIENT_TURN_NS + self.pause_ns())
        if load.heard:
            load.heard(response)
        load.take(self._sent_ns, load.client.now_ns, response.status, failed=response.error is not None)

    # -- on a lane ---

    def answered(self, passage: Passage, over: Over, end_ns: int) -> None:
        """Take the answer, which comes a little later, and send the next request, later again."""
        load, time_ns = self._load, end_ns + LOOPBACK_NS
        if load.heard:
            response = response_of(load.request, passage.response())
            assert response
            load.client.post_at(partial(load.heard, response), time_ns)
        sent_ns, self._sent_ns = self._sent_ns, time_ns + CLIENT_TURN_NS + self.pause_ns()
        if load.sent < load.count:
            lane = passage.lane
            if lane.open and load.pause_ns is None:  # after a pause somebody else may be first
                load.sent += 1
                lane.enter(self, self._sent_ns + LOOPBACK_NS)
            else:
                load.client.post_at(self.send, self._sent_ns)
        load.take(sent_ns, time_ns, over.hop.status)

    def left(self) -> None:
        """Take the answer from the connection."""
        assert self._socket
        self._exchange().expect_on(self._socket, self._sent_ns)
