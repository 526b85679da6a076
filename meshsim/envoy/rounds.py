"""The rounds of a worker's loop: what happens first of several things that one thread writes, or reads, at once.

Theory of operation (libevent's loop, and Envoy 1.40 on it). In each round the loop first deals with sockets that are
ready, in the order in which they became so, then with timers that are due. Time is read once a round. What is written
on a connection leaves in the next round, by a timer without delay: several of them leave in the order of the heap of
all the thread's timers (:mod:`meshsim.envoy.timer_heap`). A connection that is new is ready to write in the next round,
and what has waited for it leaves at once: before that of older connections. In the same round the listener accepts
it, and all others that have been begun. What a thread writes to itself it reads in the round behind.

So the order matters where one task writes to its own thread several times, or begins several connections. All that
follows from these is done round by round here. A thing alone, or on its way to another thread, is no matter of order:
it leaves at the end of its task, and takes its time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from meshsim.envoy.address import Address, local_address
from meshsim.envoy.timer_heap import Armed, TimerHeap
from meshsim.envoy.wire import Arrival, Socket

if TYPE_CHECKING:
    from meshsim.envoy.threads import Task, Thread
    from meshsim.sim.kernel import Handle

_MS = 1_000_000
#: A worker's own timers: the watchdog's, and a second one. Their number was found by replaying traces of heaps.
_OWN_PERIODS_NS = (100 * _MS, 200 * _MS)
#: Envoy's defaults, for which nobody waits here: until a connection is made, without a request, with one.
CONNECT_NS, IDLE_NS, STREAM_IDLE_NS = 5_000 * _MS, 3_600_000 * _MS, 300_000 * _MS


class Beginner(Protocol):
    """Who begins connections."""

    @property
    def address(self) -> Address | None:
        """Where they lead."""

    def open(self) -> Socket | None:
        """Make a connection; None when it is refused."""

    def opened(self, socket: Socket | None) -> None:
        """Use a connection, or tell of the refusal."""


class Rounds:
    """The rounds of one thread, and the timers that are armed on it.

    Parameters
    ----------
    thread : Thread
        Whose loop it is.
    """

    def __init__(self, thread: Thread) -> None:
        self._loop = thread
        self._kernel = thread.kernel
        self._heap = TimerHeap()
        self._own = [self.arm(period_ns) for period_ns in _OWN_PERIODS_NS]
        self._written: list[Socket] = []
        #: What is ready in the next round: connections that are begun, and those that write a last time.
        self._ready: list[tuple[Beginner, Handle] | Socket] = []
        self._soon: list[tuple[Task, Handle]] = []
        self._now_ns = 0
        self._ends = False
        #: What the listener does with the connections of this moment, while a round begins some.
        self._greetings: list[Task] | None = None
        #: What comes last in the round that runs.
        self._last: list[Task] | None = None

    # -- timers ---

    def arm(self, delay_ns: int) -> Armed:
        """Put a timer into the heap; who waits for it does so elsewhere."""
        return self._heap.push(Armed(self._kernel.now_ns + delay_ns))

    def disarm(self, timer: Armed | None) -> None:
        """Take a timer out, if it is there."""
        if timer is not None and timer.place >= 0:
            self._heap.remove(timer)

    # -- what a task does ---

    def write(self, socket: Socket) -> None:
        """Take note that something has been written: it leaves when the task is over."""
        if socket.armed is None:
            if not self._written:
                self._read_clock()
            socket.armed = self._heap.push(Armed(self._now_ns, socket))
            self._written.append(socket)
            self._end_later()

    def _read_clock(self) -> None:
        self._now_ns = self._kernel.now_ns
        for timer, period_ns in zip(self._own, _OWN_PERIODS_NS, strict=True):
            if timer.due_ns <= self._now_ns:
                self._heap.remove(timer)
                timer.due_ns = self._now_ns + period_ns
                self._heap.push(timer)

    def connect(self, beginner: Beginner, event: Handle) -> None:
        """Take note of a connection that is begun, and that ``event`` makes."""
        self._ready.append((beginner, event))
        self._end_later()

    def hasten(self, socket: Socket) -> None:
        """Let a connection that ends write as soon as it is ready, as Envoy does, which waits for that anew."""
        if socket.armed is not None:
            self._heap.remove(socket.armed)
            socket.armed = None
            self._ready.append(socket)

    def accept(self, greeting: Task) -> None:
        """Let the listener take a connection: now, or in its turn of the round."""
        if self._greetings is None:
            greeting()
        else:
            self._greetings.append(greeting)

    def soon(self, task: Task) -> None:
        """Run a task behind everything of this round, or behind this task."""
        if self._last is None:
            self._soon.append((task, self._loop.post_at(task, self._loop.now_ns)))
            self._end_later()
        else:
            self._last.append(task)

    # -- from one round to the next ---

    def _end_later(self) -> None:
        if not self._ends:
            self._ends = True
            self._loop.at_end_of_task(self._end)

    def _end(self) -> None:
        """Let everything leave: in the order of rounds where there is an order to see."""
        soon, self._soon = self._soon, []
        if any(isinstance(ready, tuple) for ready in self._ready):
            for task, event in soon:
                self._kernel.cancel(event)
                task()
        self._ends = False
        written, self._written = self._written, []
        ready, self._ready = self._ready, []
        expired = self._expire()
        events = [entry[1] for entry in ready if isinstance(entry, tuple)]
        leaving = [entry for entry in (*ready, *expired) if not isinstance(entry, tuple)]
        own = [socket for socket in leaving if socket.is_own and socket.has_output]
        if len(events) + len(own) < 2:
            for socket in written:
                socket.flush()
            return
        for socket in leaving:
            if not socket.is_own:
                socket.flush()
        if events:
            for event in events:
                self._kernel.cancel(event)
            first = [entry[0] if isinstance(entry, tuple) else entry for entry in ready]
            self._loop.post_at(lambda: self._round(lambda: self._connect(first, expired)), events[-1][0])
        else:
            self._pass_on(self._leave(own))

    def _expire(self) -> list[Socket]:
        """Take out the timers of what has been written; others that are due wait for the clock."""
        heap, sockets, others = self._heap, [], []
        while len(heap) and heap.first.due_ns <= self._now_ns:
            timer = heap.pop()
            if timer.socket is None:
                others.append(timer)
            else:
                timer.socket.armed = None
                sockets.append(timer.socket)
        for timer in others:
            heap.push(timer)
        return sockets

    def _round(self, run: Callable[[], None]) -> None:
        self._last = []
        try:
            run()
            while self._last:
                self._last.pop(0)()
        finally:
            self._last = None

    def _connect(self, ready: Sequence[Beginner | Socket], others: Sequence[Socket]) -> None:
        """Deal with what is ready, each listener behind the first connection of its own; then the others write."""
        greetings: dict[Address | None, list[Task]] = {}
        accepted: dict[Address | None, list[Socket]] = {}
        opened: dict[int, Socket | None] = {}
        for number, entry in enumerate(ready):
            if not isinstance(entry, Socket):
                opened[number] = self._open(entry, greetings, accepted)
        arrivals: list[Arrival] = []
        for number, entry in enumerate(ready):
            if isinstance(entry, Socket):
                arrivals += self._leave([entry])
                continue
            socket = opened[number]
            entry.opened(socket)
            if socket is not None:
                arrivals += self._leave([socket])
            for greet in greetings.pop(_place(entry), ()):
                greet()
        order = {far: i for i, far in enumerate(far for ends in accepted.values() for far in ends)}
        arrivals.sort(key=lambda arrival: order.get(arrival.peer, len(order)))
        self._pass_on(arrivals + self._leave(others))

    def _open(
        self,
        beginner: Beginner,
        greetings: dict[Address | None, list[Task]],
        accepted: dict[Address | None, list[Socket]],
    ) -> Socket | None:
        self._greetings = greetings.setdefault(_place(beginner), [])
        try:
            socket = beginner.open()
        finally:
            self._greetings = None
        if socket is not None and socket.peer is not None:
            accepted.setdefault(_place(beginner), []).append(socket.peer)
        return socket

    def _leave(self, sockets: Sequence[Socket]) -> list[Arrival]:
        """Let everything leave; return what comes to this thread, in its next round."""
        own = []
        for socket in sockets:
            arrival = socket.leave()
            if arrival is not None and socket.is_own:
                own.append(arrival)
            elif arrival is not None:
                arrival.post()
        return own

    def _pass_on(self, arrivals: Sequence[Arrival]) -> None:
        """Read in one round what this thread has written to itself in the one before."""
        if arrivals:
            time_ns = max(arrival.time_ns for arrival in arrivals)
            self._loop.post_at(lambda: self._round(lambda: _read(arrivals)), time_ns)


def _read(arrivals: Sequence[Arrival]) -> None:
    for arrival in arrivals:
        arrival.deliver()


def _place(beginner: Beginner) -> Address | None:
    """Tell which listener a connection leads to."""
    return local_address(beginner.address) if beginner.address else None
