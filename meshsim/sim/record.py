"""What a run keeps: three stores, and a level that says which of them are filled.

=========  =====================================================================  ============================
level      is kept                                                                costs
=========  =====================================================================  ============================
off        counters and histograms                                                constant memory
requests   also a row of fixed-width columns for each thing that happened         8 bytes a number and row
abi        also each event as an object, in order                                 an object an event
=========  =====================================================================  ============================

The recorder knows no event and no row: their types belong to the layers that emit them. A layer asks for its stores
once and writes to them always; below their level they drop what they get. ``Recorder.level`` is for those who would
have to build something first.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar, overload

from meshsim.sim.histogram import Histogram
from meshsim.sim.table import Table

Row = TypeVar("Row")


class Level(IntEnum):
    """How much is kept; each level keeps what the ones below it keep."""

    OFF = 0
    REQUESTS = 1
    ABI = 2


class Entry(NamedTuple):
    """One event: when (ns of virtual time), on which track (a thread of a proxy), and what."""

    time_ns: int
    track: str
    event: object


class Note(NamedTuple):
    """Something said beside the events, for those who look closely: it stands before event number ``place``."""

    place: int
    time_ns: int
    track: str
    what: object


class EventLog(Sequence[Entry]):
    """Events in the order in which they happened; can be appended to, read, sliced, and nothing else.

    Examples
    --------
    >>> log = EventLog()
    >>> log.append(5, "main", "configured")
    >>> log[0]
    Entry(time_ns=5, track='main', event='configured')
    """

    def __init__(self, kept: bool = True) -> None:
        self._kept = kept
        self._times = array("q")
        self._tracks: list[str] = []
        self._events: list[object] = []

    def append(self, time_ns: int, track: str, event: object) -> None:
        """Keep an event that happens at ``time_ns``."""
        if self._kept:
            self._times.append(time_ns)
            self._tracks.append(track)
            self._events.append(event)

    def __len__(self) -> int:
        return len(self._events)

    def __iter__(self) -> Iterator[Entry]:
        return map(Entry, self._times, self._tracks, self._events)

    @overload
    def __getitem__(self, index: int) -> Entry: ...
    @overload
    def __getitem__(self, index: slice) -> list[Entry]: ...
    def __getitem__(self, index: int | slice) -> Entry | list[Entry]:
        if isinstance(index, slice):
            return list(map(Entry, self._times[index], self._tracks[index], self._events[index]))
        return Entry(self._times[index], self._tracks[index], self._events[index])


class Recorder:
    """The stores of one run.

    Attributes
    ----------
    level : Level
        What is kept.
    counters : Counter of str
        Counts by name, at every level.
    histograms : dict of str to Histogram
        Distributions by name, at every level.
    events : EventLog
        What happened, in order; stays empty below level ``abi``.
    notes : list of Note
        What stands beside the events, at the same level.

    Examples
    --------
    >>> recorder = Recorder(Level.OFF)
    >>> recorder.counters["requests"] += 1
    >>> recorder.histogram("latency_ns").add(1_500)
    >>> recorder.events.append(0, "main", "not kept at this level")
    >>> recorder.counters["requests"], recorder.histogram("latency_ns").count, len(recorder.events)
    (1, 1, 0)
    """

    def __init__(self, level: Level = Level.OFF) -> None:
        self.level = level
        self.counters: Counter[str] = Counter()
        self.histograms: dict[str, Histogram] = {}
        self.events = EventLog(kept=level >= Level.ABI)
        self.notes: list[Note] = []
        self._tables: dict[type, Table[Any]] = {}

    def note(self, time_ns: int, track: str, what: object) -> None:
        """Say something beside the events, at level ``abi``."""
        if self.level >= Level.ABI:
            self.notes.append(Note(len(self.events), time_ns, track, what))

    def histogram(self, name: str) -> Histogram:
        """Give the histogram of this name; the first call makes it."""
        if name not in self.histograms:
            self.histograms[name] = Histogram()
        return self.histograms[name]

    def table(self, row_type: type[Row]) -> Table[Row]:
        """Give the table of this row type, which stays empty below level ``requests``; the first call makes it."""
        if row_type not in self._tables:
            self._tables[row_type] = Table(row_type, kept=self.level >= Level.REQUESTS)
        return self._tables[row_type]
