"""A worker whose event loop goes round as libevent's does: first all that has come, then what was written before.

In Envoy a write to a connection only activates it; the bytes go out in the next round of the loop, behind every
connection that has become readable meanwhile. So an answer that is ready waits for the filters of the requests that
came while it was made. Without load there are none, and nothing is different.

Where guests run, it knows too what it costs to enter one that is not in the caches: once for a task of the worker,
because what comes behind the first finds them warm.

This is about time, under load. In which order one task's own writes happen, in no time, is the matter of
:mod:`meshsim.envoy.rounds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from meshsim.envoy.threads import Task, Thread


@dataclass(slots=True, eq=False)
class Loop(Thread):
    """A thread that writes in rounds; see the module. Its tasks are atomic: there are no ``turns``.

    Examples
    --------
    >>> from meshsim.sim import Kernel
    >>> kernel, seen = Kernel(), []
    >>> loop = Loop("worker_0", kernel)
    >>> def request(name):
    ...     loop.at_end_of_task(lambda: seen.append(f"{name} leaves at {loop.now_ns}"))
    ...     loop.spend(100)
    >>> for due_ns, name in enumerate("abc"):
    ...     _ = loop.post_at(partial(request, name), 60 * due_ns)
    >>> kernel.run()
    >>> seen
    ['a leaves at 200', 'b leaves at 300', 'c leaves at 300']
    """

    #: What it costs besides to enter a guest: where it is not a new request that does, and on a worker that was woken.
    reentry_ns: int = 0
    cold_entry_ns: int = 0
    _entered: bool = False
    _written: list[Task] = field(default_factory=list)
    #: Tasks of this round that have not run yet, at the head of those that wait.
    _left: int = 0

    # ``super()`` knows no class that was made anew for its slots: the methods of Thread are called by their names.

    def enter(self, is_new: bool = False) -> None:
        """The running task goes into a guest; what it costs besides is charged the first time."""
        if not self._entered:
            self._entered = True
            self.spent_ns += (0 if is_new else self.reentry_ns) + (self.cold_entry_ns if self._woken_ns else 0)

    def at_end_of_task(self, task: Task) -> None:
        """Run something in the next round, behind what has come until then."""
        self._written.append(task)
        if len(self._written) == 1 and not self._running and not self._waiting:
            self.kernel.at(self.idle_from_ns, self._next, None)

    def due(self, task: Task) -> None:
        """Run a task now, or when its round comes: an event of the kernel."""
        is_asleep = not (self._waiting or self._running or self._written)
        self._waiting.append(task)
        if is_asleep:
            self._next()

    def _next(self, _: object = None) -> None:
        if not self._left and self.kernel.now_ns >= self._busy_until_ns:
            if self._written:
                written, self._written = self._written, []
                self._waiting.append(partial(_run_all, written))
            self._left = len(self._waiting)
        Thread._next(self)

    def _run(self, task: Task) -> None:
        self._left -= 1
        self._entered = False
        try:
            Thread._run(self, task)
        finally:
            if self._written and not self._waiting:
                self.kernel.at(self._busy_until_ns, self._next, None)


def _run_all(tasks: Sequence[Task]) -> None:
    for task in tasks:
        task()
