"""Pairs of records: calls with their returns, streams with all that happened to them.

A recorder keeps crossings one by one. Here they become a tree: a callback holds the host calls that the module made
in it, a host call holds the memory that the host asked the module for, and both hold what was logged meanwhile.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from meshsim.abi import describe
from meshsim.abi.events import Crossing, Direction, LogLine
from meshsim.abi.signatures import ALLOCATORS
from meshsim.sim import Entry

CREATE, DELETE = "proxy_on_context_create", "proxy_on_delete"


@dataclass(frozen=True, slots=True)
class Said:
    """A log line, where and when (virtual ns) it was written."""

    track: str
    time_ns: int
    line: LogLine


@dataclass(slots=True)
class Span:
    """One call across the border, from entry to return.

    Attributes
    ----------
    track : str
        The thread.
    answer : tuple of numbers or None
        What came back, ``()`` for a void function; None when nothing did: the call ended in a trap.
    start_ns, end_ns : int
        Virtual time.
    inside : list of Span or Said
        What happened meanwhile, in order.
    """

    track: str
    function: str
    values: tuple[int | float, ...]
    start_ns: int
    end_ns: int
    answer: tuple[int | float, ...] | None = None
    inside: list[Span | Said] = field(default_factory=list)

    @property
    def context(self) -> int:
        """The first argument: for a callback of ``proxy_on_*``, the context that it is for."""
        return int(self.values[0]) if self.values else 0

    @property
    def text(self) -> str:
        """The call in words."""
        return describe.call(self.function, self.values)

    @property
    def brief(self) -> str:
        """The call in words, without addresses."""
        return describe.call(self.function, self.values, brief=True)

    @property
    def is_host_call(self) -> bool:
        """Whether the module called; else the host did."""
        return "." in self.function

    @property
    def result(self) -> str:
        """The answer in a word; ``trap`` when there was none."""
        return "trap" if self.answer is None else describe.result(self.function, self.answer)

    @property
    def begins_stream(self) -> bool:
        """Whether this call tells the module of a new stream context."""
        return self.function == CREATE and len(self.values) > 1 and self.values[1] != 0

    def walk(self, depth: int = 0) -> Iterator[tuple[int, Span | Said]]:
        """Go through this call and all inside it, in order, with how deep each stands."""
        yield depth, self
        for item in self.inside:
            if isinstance(item, Span):
                yield from item.walk(depth + 1)
            else:
                yield depth + 1, item


@dataclass(frozen=True, slots=True)
class StreamPath:
    """The life of one stream context on one thread: its callbacks in order, from creation to deletion."""

    track: str
    context: int
    callbacks: tuple[Span, ...]

    @property
    def start_ns(self) -> int:
        """When the module heard of the stream."""
        return self.callbacks[0].start_ns


def spans(events: Iterable[Entry]) -> list[Span | Said]:
    """Pair calls with returns.

    Parameters
    ----------
    events : iterable of Entry
        A recorder's events, in order; of several threads.

    Returns
    -------
    list of Span or Said
        Callbacks, and log lines outside of any, in the order in which they began.

    Notes
    -----
    A trap leaves calls without a return. They end when their thread goes on: the host calls nobody but an
    allocator while another call is open.

    Examples
    --------
    >>> from meshsim.abi.events import Crossing, Direction
    >>> called = Crossing(Direction.HOST_CALLS_VM, "proxy_on_log", (2,))
    >>> returned = Crossing(Direction.VM_RETURNS, "proxy_on_log", ())
    >>> [span] = spans([Entry(5, "worker_0", called), Entry(9, "worker_0", returned)])
    >>> span.text, span.result, span.end_ns - span.start_ns
    ('proxy_on_log(context=2)', 'void', 4)
    """
    roots: list[Span | Said] = []
    open_calls: dict[str, list[Span]] = defaultdict(list)
    for time_ns, track, event in events:
        stack = open_calls[track]
        match event:
            case Crossing():
                _cross(event, time_ns, track, stack, roots)
            case LogLine():
                (stack[-1].inside if stack else roots).append(Said(track, time_ns, event))
    return roots


def _cross(event: Crossing, time_ns: int, track: str, stack: list[Span], roots: list[Span | Said]) -> None:
    if event.direction.is_return:
        _close(event, time_ns, stack)
        return
    if stack and event.direction is Direction.HOST_CALLS_VM and event.function not in ALLOCATORS:
        stack.clear()
    span = Span(track, event.function, event.values, time_ns, time_ns)
    _reach(stack, time_ns)
    (stack[-1].inside if stack else roots).append(span)
    stack.append(span)


def _reach(stack: Sequence[Span], time_ns: int) -> None:
    """Open calls last at least until now; a trap may be the next that happens."""
    for span in stack:
        span.end_ns = time_ns


def _close(event: Crossing, time_ns: int, stack: list[Span]) -> None:
    """End the innermost open call of that name, and what a trap has left open inside it."""
    _reach(stack, time_ns)
    while stack:
        span = stack.pop()
        if span.function == event.function:
            span.answer = event.values
            return


def streams(roots: Sequence[Span | Said]) -> list[StreamPath]:
    """Gather the callbacks of each stream context, in the order in which streams began.

    A context's number is its VM's own: where two VMs of one thread use the same number at the same time, their
    callbacks are gathered as one stream (they usually serve the same request).
    """
    live: dict[tuple[str, int], list[Span]] = {}
    paths: list[list[Span]] = []
    for span in roots:
        if not isinstance(span, Span):
            continue
        key = span.track, span.context
        if span.begins_stream and key not in live:
            paths.append(live.setdefault(key, []))
        if key in live:
            live[key].append(span)
            if span.function == DELETE:
                del live[key]
    return [StreamPath(path[0].track, path[0].context, tuple(path)) for path in paths]
