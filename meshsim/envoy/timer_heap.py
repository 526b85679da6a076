"""The heap of timers of one event loop, place by place as in libevent 2.1 (``minheap-internal.h``).

Of timers that are due at the same time none comes first by right: which one does, follows from where each lies in the
heap, and so from all timers that there are. Envoy writes by such timers, so this order can be seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshsim.envoy.wire import Socket


@dataclass(slots=True, eq=False)
class Armed:
    """A timer in the heap: when it is due, in ns, and its place; ``socket`` is what it has written."""

    due_ns: int
    socket: Socket | None = None
    place: int = -1


class TimerHeap:
    """A binary heap; a timer never passes one that is due at the same time.

    Examples
    --------
    >>> heap = TimerHeap()
    >>> late = heap.push(Armed(9))
    >>> names = {heap.push(Armed(1)): name for name in "abcde"}
    >>> [names[heap.pop()] for _ in range(5)], len(heap)
    (['a', 'e', 'd', 'b', 'c'], 1)
    """

    __slots__ = ("_timers",)

    def __init__(self) -> None:
        self._timers: list[Armed] = []

    def __len__(self) -> int:
        return len(self._timers)

    @property
    def first(self) -> Armed:
        """The timer that expires next, of at least one."""
        return self._timers[0]

    def push(self, timer: Armed) -> Armed:
        """Put a timer in, and return it."""
        self._timers.append(timer)
        self._rise(len(self._timers) - 1, timer)
        return timer

    def pop(self) -> Armed:
        """Take the first timer out."""
        first = self._timers[0]
        self.remove(first)
        return first

    def remove(self, timer: Armed) -> None:
        """Take a timer out; the last one of the heap fills its place, and goes up or down from there."""
        timers, place = self._timers, timer.place
        last = timers.pop()
        timer.place = -1
        if last is timer:
            return
        if place and timers[(place - 1) // 2].due_ns > last.due_ns:
            self._rise(place, last)
        else:
            self._sink(place, last)

    def _rise(self, hole: int, timer: Armed) -> None:
        timers = self._timers
        while hole and (above := timers[(hole - 1) // 2]).due_ns > timer.due_ns:
            timers[hole], above.place = above, hole
            hole = (hole - 1) // 2
        timers[hole], timer.place = timer, hole

    def _sink(self, hole: int, timer: Armed) -> None:
        """Sink as far as there is an earlier one below: the right one of two that are due at the same time."""
        timers = self._timers
        size, right = len(timers), 2 * hole + 2
        while right <= size:
            below = right - 1 if right == size or timers[right].due_ns > timers[right - 1].due_ns else right
            least = timers[below]
            if timer.due_ns <= least.due_ns:
                break
            timers[hole], least.place = least, hole
            hole, right = below, 2 * below + 2
        timers[hole], timer.place = timer, hole
