"""The event kernel: a virtual clock in integer nanoseconds and a queue of callbacks.

The queue is a heap of ``[time_ns, seq, fn, arg]``. ``seq`` counts insertions, so that two events of one instant
happen in the order in which they were asked for, and a comparison never reaches ``fn``: a run is the same in every
process. Four things keep the loop nearly as short as a hand-written one:

* the first event that a callback asks for waits beside the heap; most callbacks ask for one, and to put it in and
  take the next event out is then one operation of the heap instead of two;
* an entry is its own handle, and cancelling wipes it where it lies (a tombstone) instead of searching the heap;
* the end of a bounded run is an event behind all others of its instant, a request to stop is one before them; so
  the loop tests for neither;
* a callback gets one argument, whatever it is.

Generator processes (:meth:`Kernel.process`) sit on top; their events cost somewhat more than plain callbacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush, heappushpop
from typing import Any, TypeAlias

Handle: TypeAlias = list[Any]
"""What :meth:`Kernel.at` returns; opaque, good for :meth:`Kernel.cancel` of the same kernel."""

_LAST = 1 << 62
"""Added to a sequence number, it is behind all others of its instant; negated, the number is before them."""

_SWEEP_FROM = 64
"""Fewer tombstones than this are not worth a sweep of the heap."""


class _Halt(Exception):
    """Leaves the event loop; never seen outside this module."""


def _halt(_: None) -> None:
    raise _Halt


class Kernel:
    """A virtual clock and the events that move it.

    Attributes
    ----------
    now_ns : int
        The present, in nanoseconds since the start of the run. Only the kernel sets it.

    Examples
    --------
    >>> kernel = Kernel()
    >>> def say(word):
    ...     print(kernel.now_ns, word)
    >>> late = kernel.at(30, say, "never")
    >>> for word in "first", "second":
    ...     _ = kernel.after(20, say, word)
    >>> kernel.cancel(late)
    >>> kernel.run()
    20 first
    20 second
    """

    __slots__ = ("_first", "_heap", "_running", "_seq", "_stop", "_tombstones", "now_ns")

    def __init__(self) -> None:
        self.now_ns = 0
        self._heap: list[Handle] = []
        self._first: Handle | None = None  # waits beside the heap
        self._seq = 0
        self._running = False
        self._stop: Handle | None = None
        self._tombstones = 0

    def at(self, time_ns: int, fn: Callable[[Any], object], arg: Any = None) -> Handle:
        """Call ``fn(arg)`` at ``time_ns``, behind all that is already due then.

        Raises
        ------
        ValueError
            When ``time_ns`` is past: an effect would come before its cause.
        """
        if time_ns < self.now_ns:
            raise ValueError(f"cannot schedule at {time_ns} ns: it is {self.now_ns} ns already")
        self._seq = seq = self._seq + 1
        entry = [time_ns, seq, fn, arg]
        if self._first is None:
            self._first = entry
        else:
            heappush(self._heap, entry)
        return entry

    def after(self, delay_ns: int, fn: Callable[[Any], object], arg: Any = None) -> Handle:
        """Call ``fn(arg)`` in ``delay_ns`` from now; 0 is later in this instant.

        Raises
        ------
        ValueError
            When ``delay_ns`` is negative.
        """
        if delay_ns < 0:
            raise ValueError(f"cannot schedule {-delay_ns} ns ago: it is {self.now_ns} ns already")
        # Not by way of at(): this is the call that every event of a model makes.
        self._seq = seq = self._seq + 1
        entry = [self.now_ns + delay_ns, seq, fn, arg]
        if self._first is None:
            self._first = entry
        else:
            heappush(self._heap, entry)
        return entry

    def cancel(self, handle: Handle) -> None:
        """Take an event back; nothing happens when it was cancelled before or is over.

        Its callback and argument are let go at once, its place in the heap when its time comes, or earlier when
        tombstones are more than half of the heap (timeouts that rarely strike).
        """
        if handle[2] is None:
            return
        handle[2] = handle[3] = None
        # Cancelling what is over is counted too; it only makes a sweep come early.
        self._tombstones += 1
        if self._tombstones >= _SWEEP_FROM and 2 * self._tombstones > len(self._heap):
            self._heap[:] = [entry for entry in self._heap if entry[2] is not None]
            heapify(self._heap)
            self._tombstones = 0

    def peek(self) -> int | None:
        """Time of the next event in ns, None when nothing is due; inside a bounded run at most its bound."""
        heap = self._heap
        if self._first is not None:
            heappush(heap, self._first)
            self._first = None
        while heap and heap[0][2] is None:
            heappop(heap)
        return heap[0][0] if heap else None

    def run(self, until_ns: int | None = None) -> None:
        """Let events happen until none is left, or until all of ``until_ns`` and before have happened.

        A bounded run ends with the clock at ``until_ns``, also when the events end earlier. When :meth:`stop` was
        called, or a callback raised, the clock stays where it is; everything not yet due is kept, and another
        ``run`` goes on from there.

        Raises
        ------
        ValueError
            When ``until_ns`` is past.
        RuntimeError
            When called from inside a callback.
        """
        self._refuse_nesting()
        heap, pop, pushpop = self._heap, heappop, heappushpop
        bound: Handle | None = None
        if until_ns is not None:
            if until_ns < self.now_ns:
                raise ValueError(f"cannot run until {until_ns} ns: it is {self.now_ns} ns already")
            self._seq += 1
            bound = [until_ns, _LAST + self._seq, _halt, None]
            heappush(heap, bound)
        self._running = True
        try:
            while True:
                entry = self._first
                if entry is not None:
                    self._first = None
                    time_ns, _, fn, arg = pushpop(heap, entry)
                elif heap:
                    time_ns, _, fn, arg = pop(heap)
                else:
                    break
                if fn is None:
                    continue
                self.now_ns = time_ns
                fn(arg)
        except _Halt:
            pass
        finally:
            self._leave(bound)

    def step(self) -> bool:
        """Let one event happen; False when none is left. Raises like :meth:`run`."""
        self._refuse_nesting()
        if self.peek() is None:
            return False
        self.now_ns, _, fn, arg = heappop(self._heap)
        self._running = True
        try:
            fn(arg)
        finally:
            self._leave(None)
        return True

    def stop(self) -> None:
        """End the present :meth:`run` when the present callback returns; without a run there is nothing to end."""
        if self._running and self._stop is None:
            self._seq += 1
            self._stop = [self.now_ns, -self._seq, _halt, None]
            heappush(self._heap, self._stop)

    def process(self, delays_ns: Iterator[int]) -> None:
        """Run a generator as a process: it starts in this instant and sleeps for each delay (ns) that it yields.

        Examples
        --------
        >>> kernel = Kernel()
        >>> def ticker():
        ...     for _ in range(2):
        ...         yield 5
        ...         print("tick at", kernel.now_ns)
        >>> kernel.process(ticker())
        >>> kernel.run()
        tick at 5
        tick at 10
        """
        self.after(0, self._resume, delays_ns)

    def _resume(self, delays_ns: Iterator[int]) -> None:
        for delay_ns in delays_ns:
            self.after(delay_ns, self._resume, delays_ns)
            return

    def _refuse_nesting(self) -> None:
        if self._running:
            raise RuntimeError("the kernel is running: a callback schedules events, it does not run them")

    def _leave(self, bound: Handle | None) -> None:
        """Forget the bound and the request to stop of a run that is over."""
        self._running = False
        for entry in (bound, self._stop):
            if entry is not None:
                self.cancel(entry)
        self._stop = None
