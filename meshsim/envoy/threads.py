"""Envoy's threads as event loops in virtual time.

A thread does one thing at a time, run to completion, first come, first served. While a task runs, what it costs
moves the thread's own clock forward; a task that becomes due meanwhile waits. That waiting is where tails come from.

To all other threads a task happens in one instant, the one in which it starts. Where this is too coarse, because what
two threads do to the same thing has to interleave, threads share :class:`Turns`: their tasks run in strands, and may
hand over in the middle until it is their turn again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Protocol

from meshsim.sim import Kernel
from meshsim.sim.kernel import Handle
from meshsim.sim.strands import Strand, run_each

if TYPE_CHECKING:
    from meshsim.envoy.rounds import Rounds

Task = Callable[[], None]


class Turns:
    """Whose turn it is, among threads that hand over within their tasks: the earliest's, by lot in the same instant.

    Parameters
    ----------
    kernel : Kernel
        The clock.
    random : Random
        Draws the lots.
    """

    __slots__ = ("_due", "_kernel", "_random")

    def __init__(self, kernel: Kernel, random: Random) -> None:
        self._kernel = kernel
        self._random = random
        self._due: list[Strand] = []

    def until(self, time_ns: int) -> None:
        """Let the running strand wait for ``time_ns``, and for its turn then."""
        self._kernel.at(time_ns, self._arrive, Strand.current())
        Strand.wait()

    def _arrive(self, strand: Strand) -> None:
        # One lot is drawn for each that arrives, when all have arrived that were on their way.
        self._due.append(strand)
        self._kernel.after(0, self._draw)

    def _draw(self, _: object) -> None:
        self._due.pop(self._random.randrange(len(self._due))).resume()


class Meter(Protocol):
    """Who measures how busy a thread is, and may hold it back."""

    @property
    def holds(self) -> bool:
        """Whether :meth:`ready_ns` has to be asked."""

    def ran(self, from_ns: int, until_ns: int) -> None:
        """Take note of a task that has kept the thread busy."""

    def ready_ns(self, now_ns: int) -> int:
        """When the thread may go on that would go on now."""


@dataclass(slots=True, eq=False)
class Thread:
    """One event loop.

    ``name`` is ``main`` or ``worker_K``. :attr:`now_ns` is the thread's clock: inside a task it runs ahead of the
    kernel's by what the task has cost so far. ``turns`` are None for a thread whose tasks are atomic. A ``meter`` is
    told of every task that takes time.
    """

    name: str
    kernel: Kernel
    turns: Turns | None = None
    meter: Meter | None = None
    #: What it costs besides to wake a thread that has nothing to do.
    wake_ns: int = 0
    #: The rounds of its loop; None for a thread of which nobody knows them.
    rounds: Rounds | None = None
    #: What the running task has cost so far.
    spent_ns: int = 0
    _woken_ns: int = 0
    _strand: Strand | None = None
    _busy_until_ns: int = 0
    _running: bool = False
    _halted: bool = False
    _waiting: deque[Task] = field(default_factory=deque)
    _at_end: list[Task] = field(default_factory=list)
    #: ``_next``, bound once.
    _again: Callable[[object], None] = field(init=False)

    def __post_init__(self) -> None:
        self._again = self._next

    @property
    def now_ns(self) -> int:
        """Virtual time on this thread, in ns."""
        return self.kernel.now_ns + self.spent_ns

    @property
    def idle_from_ns(self) -> int:
        """When the last task that ran is over; while one waits for its turn, when that comes."""
        return max(self._busy_until_ns, self.kernel.now_ns)

    @property
    def begun_ns(self) -> int:
        """When the running task began, the thread awake."""
        return self.kernel.now_ns + self._woken_ns

    def spend(self, cost_ns: int) -> None:
        """Let the running task take time."""
        self.spent_ns += cost_ns

    def enter(self, is_new: bool = False) -> None:
        """The running task goes into a guest, for a new request or for something else: free, but see ``Loop``."""

    def rewind(self, time_ns: int) -> None:
        """Set the clock of the running task, for who does again what was done before."""
        self.spent_ns = time_ns - self.kernel.now_ns

    def post(self, task: Task, delay_ns: int = 0) -> None:
        """Run a task on this thread, at the earliest ``delay_ns`` from the caller's now."""
        self.post_at(task, self.now_ns + delay_ns)

    def post_at(self, task: Task, time_ns: int) -> Handle:
        """Run a task on this thread, at the earliest at ``time_ns``; give the kernel's handle of that event."""
        return self.kernel.at(max(time_ns, self.kernel.now_ns), self.due, task)

    def timer(self, task: Task, delay_ns: int) -> Timer:
        """Run a task later, unless it is cancelled."""
        return Timer(self, task, self.now_ns + delay_ns)

    def at_end_of_task(self, task: Task) -> None:
        """Run something when the current task is over, as an event loop flushes what a callback has written."""
        self._at_end.append(task)
        if not self._running:
            self.post(_nothing)

    def due(self, task: Task) -> None:
        """Run a task now, or as soon as the thread has nothing else to do: an event of the kernel."""
        if self._waiting or self._running:
            self._waiting.append(task)
            return
        meter = self.meter
        if self.turns is None and self.kernel.now_ns >= self._busy_until_ns and (meter is None or not meter.holds):
            self._run(task)  # as a rule, and then nothing has to wait
            return
        self._waiting.append(task)
        self._next()

    def halt(self) -> None:
        """Begin no task until :meth:`go_on`; one that runs comes to its end."""
        self._halted = self._running = True

    def go_on(self) -> None:
        """Do from now on what has waited."""
        self._halted = self._running = False
        self._busy_until_ns = self.idle_from_ns
        if self._waiting:
            self.kernel.at(self._busy_until_ns, self._again, None)

    def _next(self, _: object = None) -> None:
        if self._halted:
            return
        if self.kernel.now_ns < self._busy_until_ns:
            self.kernel.at(self._busy_until_ns, self._again, None)
            return
        if self.meter is not None and self.meter.holds:
            ready_ns = self.meter.ready_ns(self.kernel.now_ns)
            if ready_ns > self.kernel.now_ns:
                self.kernel.at(ready_ns, self._again, None)
                return
        task = self._waiting.popleft()
        self._running = True
        if self.turns is None:
            self._run(task)
        else:
            if self._strand is None or self._strand.done:
                self._strand = Strand(run_each)
            self._strand.resume(partial(self._run, task))

    def _run(self, task: Task) -> None:
        self.spent_ns = self._woken_ns = self.wake_ns if self.kernel.now_ns > self._busy_until_ns else 0
        try:
            task()
            while self._at_end:
                self._at_end.pop(0)()
        except BaseException:
            while self._at_end:  # what it has written before it failed leaves all the same
                self._at_end.pop(0)()
            raise
        finally:
            self._busy_until_ns = self.kernel.now_ns + self.spent_ns
            if self.meter is not None and self.spent_ns:
                self.meter.ran(self.kernel.now_ns, self._busy_until_ns)
            self.spent_ns, self._running = 0, self._halted
            if self._waiting:
                self.kernel.at(self._busy_until_ns, self._again, None)

    def hand_over(self) -> None:
        """Within a task: let everybody go first whose time is earlier than this thread's. Needs ``turns``."""
        if self.turns is None or not self._running:
            return
        self._busy_until_ns = self.now_ns
        self.spent_ns = 0
        self.turns.until(self._busy_until_ns)


class Timer:
    """A task that can be taken back until it runs."""

    __slots__ = ("_armed", "_handle", "_kernel", "_rounds", "_task")

    def __init__(self, thread: Thread, task: Task, time_ns: int) -> None:
        self._task: Task | None = task
        self._kernel = thread.kernel
        self._handle = thread.post_at(self._fire, time_ns)
        self._rounds = thread.rounds
        self._armed = self._rounds.arm(time_ns - self._kernel.now_ns) if self._rounds else None

    def cancel(self) -> None:
        """Take the task back, also when it is due and waits for its thread."""
        self._task = None
        self._kernel.cancel(self._handle)
        self._disarm()

    def _fire(self) -> None:
        task, self._task = self._task, None
        self._disarm()
        if task:
            task()

    def _disarm(self) -> None:
        if self._rounds is not None:
            self._rounds.disarm(self._armed)


def _nothing() -> None:
    """Wake the loop."""
