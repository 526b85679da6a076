"""The client: sends what a load says, and keeps what becomes of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from meshsim.mesh.application import Caller
from meshsim.mesh.legs import Ledger, Leg
from meshsim.mesh.load import ClosedLoop, Load
from meshsim.mesh.rows import CLIENT
from meshsim.sim import Kernel, Streams


class Client:
    """What both loops need: requests by number, and who takes their answers."""

    def __init__(self, kernel: Kernel, caller: Caller, entry: str, request_bytes: int, ledger: Ledger) -> None:
        self.kernel = kernel
        self._caller = caller
        self._entry = entry
        self._bytes = request_bytes
        self.ledger = ledger
        self.sent = 0
        self.pending = 0
        #: From when on nothing is sent.
        self.end_ns = 0

    def request(self, due_ns: int) -> None:
        """Send a request that was due at ``due_ns``."""
        now_ns = self.kernel.now_ns
        root = Leg(self.sent, None, "", CLIENT, due_ns)
        self.sent += 1
        self.pending += 1
        root.own_queue_ns = now_ns - due_ns
        leg = Leg(root.request, root, CLIENT, self._entry, now_ns)

        def done(leg: Leg) -> None:
            now_ns = self.kernel.now_ns
            root.status, root.bytes_sent, root.flags, root.tries = leg.status, leg.bytes_sent, leg.flags, 1
            self.ledger.over(leg, now_ns)
            self.ledger.over(root, now_ns)
            self.pending -= 1
            self.answered()
            if not self.pending and now_ns >= self.end_ns:
                self.kernel.stop()

        self._caller.send(leg, self._bytes, done)

    def answered(self) -> None:
        """Go on behind an answer."""


class _Open(Client):
    """Sends when it is due, or as soon as a connection is free."""

    arrivals: Iterator[int]
    connections: int
    start_ns: int

    def start(self, arrivals: Iterator[int], connections: int, end_ns: int) -> None:
        self.arrivals, self.connections, self.end_ns = arrivals, connections, end_ns
        self.start_ns = self.kernel.now_ns
        self._late: deque[int] = deque()
        self._under_way = 0
        self._plan()

    def _plan(self) -> None:
        due_ns = next(self.arrivals, None)
        if due_ns is not None and self.start_ns + due_ns < self.end_ns:
            self.kernel.at(self.start_ns + due_ns, self._due, self.start_ns + due_ns)

    def _due(self, due_ns: int) -> None:
        self._plan()
        if self.connections and self._under_way >= self.connections:
            self._late.append(due_ns)
        else:
            self._under_way += 1
            self.request(due_ns)

    def answered(self) -> None:
        """Send what has waited longest."""
        if self._late:
            self.request(self._late.popleft())
        else:
            self._under_way -= 1


class _Closed(Client):
    """Users, each of whom sends again when it has an answer and has thought."""

    def start(self, load: ClosedLoop, streams: Streams, end_ns: int) -> None:
        self._think, self.end_ns = load.thinking(streams), end_ns
        for _ in range(load.users):
            self.kernel.after(self._think(), self._send)

    def _send(self, _: object) -> None:
        if self.kernel.now_ns < self.end_ns:
            self.request(self.kernel.now_ns)

    def answered(self) -> None:
        """Let the user think."""
        self.kernel.after(self._think(), self._send)


def client_of(
    load: Load,
    kernel: Kernel,
    caller: Caller,
    entry: str,
    request_bytes: int,
    ledger: Ledger,
    streams: Streams,
    end_ns: int,
) -> Client:
    """Let a load send from now on until ``end_ns``; the kernel is stopped behind the last answer."""
    if isinstance(load, ClosedLoop):
        users = _Closed(kernel, caller, entry, request_bytes, ledger)
        users.start(load, streams, end_ns)
        return users
    sender = _Open(kernel, caller, entry, request_bytes, ledger)
    sender.start(load.arrivals_ns(streams), load.connections, end_ns)
    return sender
