"""Envoy's threads as event loops in virtual time.

A thread does one thing at a time, run to completion, first come, first served. While a task runs, what it costs
moves the thread's own clock forward; a task that becomes due meanwhile waits. That waiting is where tails come from.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from meshsim.sim import Kernel
from meshsim.sim.kernel import Handle

Task = Callable[[], None]


@dataclass(slots=True, eq=False)
class Thread:
    """One event loop.

    ``name`` is ``main`` or ``worker_K``. :attr:`now_ns` is the thread's clock: inside a task it runs ahead of the
    kernel's by what the task has cost so far.
    """

    name: str
    kernel: Kernel
    _spent_ns: int = 0
    _busy_until_ns: int = 0
    _running: bool = False
    _waiting: deque[Task] = field(default_factory=deque)
    _at_end: list[Task] = field(default_factory=list)

    @property
    def now_ns(self) -> int:
        """Virtual time on this thread, in ns."""
        return self.kernel.now_ns + self._spent_ns

    @property
    def idle_from_ns(self) -> int:
        """When the last task that ran is over."""
        return max(self._busy_until_ns, self.kernel.now_ns)

    def spend(self, cost_ns: int) -> None:
        """Let the running task take time."""
        self._spent_ns += cost_ns

    def post(self, task: Task, delay_ns: int = 0) -> None:
        """Run a task on this thread, at the earliest ``delay_ns`` from the caller's now."""
        self.post_at(task, self.now_ns + delay_ns)

    def post_at(self, task: Task, time_ns: int) -> Handle:
        """Run a task on this thread, at the earliest at ``time_ns``; give the kernel's handle of that event."""
        return self.kernel.at(max(time_ns, self.kernel.now_ns), self._due, task)

    def timer(self, task: Task, delay_ns: int) -> Timer:
        """Run a task later, unless it is cancelled."""
        return Timer(self, task, self.now_ns + delay_ns)

    def at_end_of_task(self, task: Task) -> None:
        """Run something when the current task is over, as an event loop flushes what a callback has written."""
        self._at_end.append(task)
        if not self._running:
            self.post(_nothing)

    def _due(self, task: Task) -> None:
        self._waiting.append(task)
        if len(self._waiting) == 1 and not self._running:
            self._next()

    def _next(self, _: object = None) -> None:
        if self.kernel.now_ns < self._busy_until_ns:
            self.kernel.at(self._busy_until_ns, self._next, None)
            return
        task = self._waiting.popleft()
        self._spent_ns, self._running = 0, True
        try:
            task()
            while self._at_end:
                self._at_end.pop(0)()
        finally:
            self._busy_until_ns = self.kernel.now_ns + self._spent_ns
            self._spent_ns, self._running = 0, False
            if self._waiting:
                self.kernel.at(self._busy_until_ns, self._next, None)


class Timer:
    """A task that can be taken back until it runs."""

    __slots__ = ("_handle", "_kernel", "_task")

    def __init__(self, thread: Thread, task: Task, time_ns: int) -> None:
        self._task: Task | None = task
        self._kernel = thread.kernel
        self._handle = thread.post_at(self._fire, time_ns)

    def cancel(self) -> None:
        """Take the task back, also when it is due and waits for its thread."""
        self._task = None
        self._kernel.cancel(self._handle)

    def _fire(self) -> None:
        task, self._task = self._task, None
        if task:
            task()


def _nothing() -> None:
    """Wake the loop."""
