"""Where requests hold a place in an application: the queues of queueing theory.

A *station* is given a job and how long it takes, and says when it is over. Places are taken in turn by who has waited
longest; or all jobs share the processors, as threads do (processor sharing).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from math import ceil
from typing import Any, Protocol

from meshsim.mesh.busy import Busy
from meshsim.sim import Kernel
from meshsim.sim.kernel import Handle


class Job(Protocol):
    """What holds a place; ``begun_ns`` and ``work_ns`` are the station's to write."""

    begun_ns: int
    work_ns: int


class Station(Protocol):
    """Where jobs are worked on; ``over`` is called with each that is through."""

    def take(self, job: Any) -> bool:
        """Take a job, now or when there is a place; False when there is no room to wait."""

    def release(self) -> None:
        """Give the place of a job back that is over."""


class Places:
    """A number of places, and a queue with room for ``queue`` jobs, None for any number."""

    __slots__ = ("_busy", "_free", "_kernel", "_over", "_queue", "_room")

    def __init__(
        self, kernel: Kernel, places: int, queue: int | None, over: Callable[[Any], object], busy: Busy
    ) -> None:
        self._kernel = kernel
        self._free = places
        self._room = queue
        self._over = over
        self._busy = busy
        self._queue: deque[Any] = deque()

    def take(self, job: Any) -> bool:
        """Take a job, unless all places are taken and the queue is full."""
        if self._free:
            self._free -= 1
            self._begin(job)
            return True
        if self._room is not None and len(self._queue) >= self._room:
            return False
        self._queue.append(job)
        return True

    def release(self) -> None:
        """Let the one go on who has waited longest."""
        if self._queue:
            self._begin(self._queue.popleft())
        else:
            self._free += 1

    def _begin(self, job: Job) -> None:
        now_ns = job.begun_ns = self._kernel.now_ns
        self._busy.add(now_ns, now_ns + job.work_ns)
        self._kernel.after(job.work_ns, self._over, job)


class NoPlaces:
    """As many places as there are jobs."""

    __slots__ = ("_busy", "_kernel", "_over")

    def __init__(self, kernel: Kernel, over: Callable[[Any], object], busy: Busy) -> None:
        self._kernel = kernel
        self._over = over
        self._busy = busy

    def take(self, job: Any) -> bool:
        """Begin at once."""
        now_ns, work_ns = self._kernel.now_ns, job.work_ns
        job.begun_ns = now_ns
        if work_ns:
            self._busy.add(now_ns, now_ns + work_ns)
            self._kernel.after(work_ns, self._over, job)
        else:
            self._over(job)
        return True

    def release(self) -> None:
        """Nobody waits."""


class Processors:
    """Processors that all jobs share equally, none with more than one.

    Work is measured by a clock that runs as fast as each job is served: a job of w ns that comes when the clock shows c
    is over when it shows c + w. So one heap says who is next, and a change of speed moves only one event.
    """

    __slots__ = ("_busy", "_clock", "_due", "_jobs", "_kernel", "_number", "_over", "_processors", "_since_ns")

    def __init__(self, kernel: Kernel, processors: int, over: Callable[[Any], object], busy: Busy) -> None:
        self._kernel = kernel
        self._processors = processors
        self._over = over
        self._busy = busy
        self._jobs: list[tuple[float, int, Any]] = []
        self._clock = 0.0
        self._since_ns = 0
        self._number = 0
        self._due: Handle | None = None

    def take(self, job: Any) -> bool:
        """Begin at once, and slow the others down."""
        self._advance()
        job.begun_ns = self._kernel.now_ns
        self._number += 1
        heappush(self._jobs, (self._clock + job.work_ns, self._number, job))
        self._plan()
        return True

    def release(self) -> None:
        """Nobody waits."""

    @property
    def _speed(self) -> float:
        return min(1.0, self._processors / len(self._jobs)) if self._jobs else 0.0

    def _advance(self) -> None:
        now_ns = self._kernel.now_ns
        busy = min(len(self._jobs), self._processors)
        for _ in range(busy if now_ns > self._since_ns else 0):
            self._busy.add(self._since_ns, now_ns)
        self._clock += (now_ns - self._since_ns) * self._speed
        self._since_ns = now_ns

    def _plan(self) -> None:
        if self._due is not None:
            self._kernel.cancel(self._due)
            self._due = None
        if self._jobs:
            left = max(0.0, self._jobs[0][0] - self._clock)
            self._due = self._kernel.after(ceil(left / self._speed), self._end)

    def _end(self, _: object) -> None:
        self._due = None
        self._advance()
        over = []
        while self._jobs and self._jobs[0][0] <= self._clock + 0.5:
            over.append(heappop(self._jobs)[2])
        self._plan()
        for job in over:
            self._over(job)
