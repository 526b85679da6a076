"""One direction of an HTTP stream through its filters.

Theory of operation. A request runs through the filters in their order, a response in reverse; both directions are
this class. A filter answers each piece (headers, data, trailers) with an action. The action and the filter's
iteration state decide, by the tables below, the next state and what happens to the piece: it goes on, it is kept,
or everything that was kept goes on. *Stopping all* means that not even this filter sees later pieces until it
continues; *stopping single* means that it does and only the filters behind it wait.

Rules of Envoy's ``FilterManager`` that the tables do not show:

- A filter that continues from stop-all starts with itself, from stop-single with its successor.
- Data that arrives while somebody buffers goes to the one buffer of the direction. A filter that continues sends
  the buffer on as one piece, whatever the number of pieces it came in. The buffer itself stays: whoever consumes
  data empties it, and a later continue sends it on again, empty.
- A filter that continues during its own call has its successors called at once, and then stops, if it answers so.
- A filter may give a body to a message that has none, during its headers: the others see headers that do not end it.
- Trailers that a filter adds to the last piece of data run after it. In a response they do not when a later filter
  stops at the data, nor in either direction when one has stopped all.
- A local reply sent by a filter ends the run of the direction that the filter was called in (``aborted``).
- The buffer has a limit unless the filter asked for back-pressure instead (``streaming``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import ParamSpec, Protocol, TypeVar

from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.headers import HeaderMap

Action = TypeVar("Action", HeadersAction, DataAction, TrailersAction)
Given = ParamSpec("Given")


class Iteration(Enum):
    """Whether a filter lets its successors go on."""

    CONTINUE = auto()
    STOP_SINGLE = auto()
    STOP_ALL_BUFFER = auto()
    STOP_ALL_WATERMARK = auto()


STOPPED_ALL = frozenset({Iteration.STOP_ALL_BUFFER, Iteration.STOP_ALL_WATERMARK})


class Then(Enum):
    """What happens to a piece after a filter has answered."""

    NEXT = auto()  # the piece goes to the next filter
    RESUME = auto()  # the piece joins what was kept, and all of it goes on
    KEEP = auto()  # the piece is kept
    DROP = auto()  # the piece is gone, and nothing goes on


@dataclass(frozen=True, slots=True)
class Step:
    """Next state of the filter, fate of the piece, and (when kept) whether back-pressure replaces the limit."""

    state: Iteration
    then: Then
    streaming: bool = False


AFTER_HEADERS: dict[HeadersAction, Iteration] = {
    HeadersAction.CONTINUE: Iteration.CONTINUE,
    HeadersAction.STOP_ITERATION: Iteration.STOP_SINGLE,
    HeadersAction.CONTINUE_AND_END_STREAM: Iteration.CONTINUE,
    HeadersAction.STOP_ALL_AND_BUFFER: Iteration.STOP_ALL_BUFFER,
    HeadersAction.STOP_ALL_AND_WATERMARK: Iteration.STOP_ALL_WATERMARK,
}

_AFTER_DATA_IF_STOPPING = {
    DataAction.STOP_AND_BUFFER: Step(Iteration.STOP_SINGLE, Then.KEEP),
    DataAction.STOP_AND_WATERMARK: Step(Iteration.STOP_SINGLE, Then.KEEP, streaming=True),
    DataAction.STOP_NO_BUFFER: Step(Iteration.STOP_SINGLE, Then.DROP),
}

#: A filter that stopped all is not called, so its states do not appear.
AFTER_DATA: dict[tuple[Iteration, DataAction], Step] = {
    (Iteration.CONTINUE, DataAction.CONTINUE): Step(Iteration.CONTINUE, Then.NEXT),
    (Iteration.STOP_SINGLE, DataAction.CONTINUE): Step(Iteration.STOP_SINGLE, Then.RESUME),
    **{
        (state, action): step
        for state in (Iteration.CONTINUE, Iteration.STOP_SINGLE)
        for action, step in _AFTER_DATA_IF_STOPPING.items()
    },
}

AFTER_TRAILERS: dict[tuple[Iteration, TrailersAction], Step] = {
    (Iteration.CONTINUE, TrailersAction.CONTINUE): Step(Iteration.CONTINUE, Then.NEXT),
    (Iteration.STOP_SINGLE, TrailersAction.CONTINUE): Step(Iteration.STOP_SINGLE, Then.RESUME),
    (Iteration.CONTINUE, TrailersAction.STOP_ITERATION): Step(Iteration.STOP_SINGLE, Then.KEEP),
    (Iteration.STOP_SINGLE, TrailersAction.STOP_ITERATION): Step(Iteration.STOP_SINGLE, Then.KEEP),
}


class FilterHalf(Protocol):
    """A filter as one direction sees it."""

    def headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Take the headers; ``end`` says that nothing follows."""

    def data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Take a piece of the body."""

    def trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Take the trailers."""


@dataclass(slots=True, eq=False)
class Slot:
    """A filter's place in a direction."""

    half: FilterHalf
    index: int
    state: Iteration = Iteration.CONTINUE
    headers_passed: bool = False
    saw_end: bool = False
    start_with_itself: bool = False


class Sink(Protocol):
    """What stands at the end of a direction, and beside it."""

    def open(self) -> bool:
        """Whether pieces still matter: not after the stream's end."""

    def headers(self, headers: HeaderMap, end: bool) -> None:
        """Take headers that passed every filter."""

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take data that passed every filter."""

    def trailers(self, trailers: HeaderMap) -> None:
        """Take trailers that passed every filter."""

    def aborted(self) -> None:
        """A filter's call ended the direction by a local reply."""

    def too_large(self) -> None:
        """What is kept has grown over the limit."""


@dataclass(slots=True, eq=False)
class Chain:
    """The filters of one direction, and what is under way between them.

    ``sink`` is what stands behind the last filter; ``limit_bytes`` bounds the buffer; ``trailers_wait`` says
    whether trailers that a filter adds do not run when a later filter stops at the data; ``calls`` counts the filters
    that are being called right now (one inside the other).
    """

    sink: Sink
    limit_bytes: int
    trailers_wait: bool = False
    slots: list[Slot] = field(default_factory=list)
    message: HeaderMap | None = None
    message_trailers: HeaderMap | None = None
    buffered: BodyBuffer | None = None
    ended: bool = False
    aborted: bool = False
    streaming: bool = True
    calls: int = 0
    last_data: bool = False

    def add(self, half: FilterHalf) -> Slot:
        """Put a filter behind those that are there."""
        slot = Slot(half, len(self.slots))
        self.slots.append(slot)
        return slot

    @property
    def is_through(self) -> bool:
        """Whether the end of the message has come to the last filter."""
        return bool(self.slots) and self.slots[-1].saw_end

    # -- pieces from the codec ---

    def receive_headers(self, headers: HeaderMap, end: bool) -> None:
        """Run a message's headers through the filters."""
        self.message = headers
        self.ended = end
        self._headers_from(0, end)

    def receive_data(self, data: BodyBuffer, end: bool) -> None:
        """Run a piece of the body through the filters."""
        self.ended = self.ended or end
        self._data_from(0, data, end)

    def receive_trailers(self, trailers: HeaderMap) -> None:
        """Run the trailers through the filters."""
        self.message_trailers = trailers
        self.ended = True
        self._trailers_from(0)

    # -- what filters ask ---

    def resume(self, slot: Slot) -> None:
        """Continue behind (or with) a filter, also with one that is only about to stop."""
        if not self.sink.open() or self.aborted or self.message is None:
            return
        slot.start_with_itself = slot.state in STOPPED_ALL
        slot.state = Iteration.CONTINUE
        had_trailers = self.message_trailers is not None
        if not slot.headers_passed:
            slot.headers_passed = True
            self._headers_from(slot.index + 1, self.ended and self.buffered is None and not had_trailers)
        start = slot.index if slot.start_with_itself else slot.index + 1
        if self.buffered is not None:
            self._data_from(start, self.buffered, self.ended and not had_trailers)
        if had_trailers:
            self._trailers_from(start)
        slot.start_with_itself = False

    def keep(self, data: BodyBuffer, *, streaming: bool) -> None:
        """Put data into the direction's buffer; over the limit, the stream ends (or is slowed down)."""
        self.streaming = streaming
        self._take(data)
        self._check_limit()

    def add_trailers(self) -> HeaderMap | None:
        """Make trailers during the last piece of data; None at any other moment."""
        if self.message_trailers is None and self.last_data:
            self.message_trailers = HeaderMap()
        return self.message_trailers

    def _take(self, data: BodyBuffer) -> None:
        """Move data into the buffer; what is already in it stays, so a filter's changes in place are kept."""
        self._kept().take(data)

    def _kept(self) -> BodyBuffer:
        if self.buffered is None:
            self.buffered = BodyBuffer(changed=self._check_limit)
        return self.buffered

    def _check_limit(self) -> None:
        """End the stream when too much is kept, be it by a filter's change: Envoy does so inside the host call."""
        if not self.streaming and self.buffered is not None and self.buffered.size() > self.limit_bytes:
            self.sink.too_large()

    # -- the runs ---

    def _headers_from(self, start: int, end: bool) -> None:
        assert self.message is not None
        adder: Slot | None = None
        for slot in self.slots[start:]:
            slot.saw_end = end
            kept = self.buffered
            action = self._call(slot.half.headers, self.message, end)
            continued_itself = slot.headers_passed
            slot.state = AFTER_HEADERS[action]
            slot.headers_passed = continued_itself or slot.state is Iteration.CONTINUE
            if self._stop_here() or continued_itself:
                return
            if slot.state is not Iteration.CONTINUE:
                break
            if end and kept is None and self.buffered is not None:
                end, adder = False, slot
        else:
            self.sink.headers(self.message, end)
        if adder is not None:
            self.resume(adder)

    def _data_from(self, start: int, data: BodyBuffer, end: bool) -> None:
        if not self.sink.open() or self.aborted:
            return
        trailers_before = self.message_trailers is not None
        trailers_added_at: Slot | None = None
        for slot in self.slots[start:]:
            if slot.state in STOPPED_ALL:
                self.keep(data, streaming=slot.state is Iteration.STOP_ALL_WATERMARK)
                return
            if slot.saw_end:
                return
            slot.saw_end = end and self.message_trailers is None
            self.last_data = end
            action = self._call(slot.half.data, data, slot.saw_end)
            self.last_data = False
            if not trailers_before and trailers_added_at is None and self.message_trailers is not None:
                end, trailers_added_at = False, slot
            if self._stop_here():
                return
            if not self._after_data(slot, data, AFTER_DATA[slot.state, action]):
                if self.trailers_wait:
                    return
                break
        else:
            self.sink.data(data, end and self.message_trailers is None)
        if trailers_added_at is not None:
            self._trailers_from(trailers_added_at.index + 1)

    def _after_data(self, slot: Slot, data: BodyBuffer, step: Step) -> bool:
        """Do what the table says; True when the piece goes to the next filter."""
        slot.state = step.state
        match step.then:
            case Then.NEXT:
                return True
            case Then.RESUME:
                self._take(data)
                self.resume(slot)
            case Then.KEEP:
                self.keep(data, streaming=step.streaming)
            case Then.DROP if self.ended and self.buffered is None and self.message_trailers is None:
                self._kept()
        return False

    def _trailers_from(self, start: int) -> None:
        if not self.sink.open() or self.aborted:
            return
        assert self.message_trailers is not None
        trailers = self.message_trailers
        for slot in self.slots[start:]:
            if slot.state in STOPPED_ALL:
                return
            action = self._call(slot.half.trailers, trailers)
            slot.saw_end = True
            if self._stop_here():
                return
            step = AFTER_TRAILERS[slot.state, action]
            slot.state = step.state
            if step.then is Then.RESUME:
                self.resume(slot)
            if step.then is not Then.NEXT:
                return
        self.sink.trailers(trailers)

    def _call(self, half: Callable[Given, Action], *piece: Given.args, **end: Given.kwargs) -> Action:
        """Give a filter its piece, and know meanwhile that a filter is being called."""
        self.calls += 1
        try:
            return half(*piece, **end)
        finally:
            self.calls -= 1

    def _stop_here(self) -> bool:
        if self.aborted:
            self.sink.aborted()
        return self.aborted or not self.sink.open()
