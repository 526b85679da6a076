"""Load: when requests are sent.

An *open loop* sends by its own clock, whatever becomes of the answers; a *closed loop* has users who wait for theirs.
With a bound on connections an open loop can be late too, and then a latency that begins when the request was sent
tells less than half of what a user suffers (coordinated omission): rows have both moments.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import Literal, TypeAlias, get_args

from meshsim.errors import ConfigError
from meshsim.mesh.ranges import among, within
from meshsim.mesh.times import AT_ONCE, Draw, Exponential, Times
from meshsim.sim import Streams

_SECOND_NS = 1_000_000_000
Arrivals: TypeAlias = Literal["poisson", "constant"]


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Requests at a rate.

    Parameters
    ----------
    rate : float
        Requests a second.
    arrivals : {"poisson", "constant"}
        Independent of each other, or equally spaced.
    burst : int
        So many requests come at once each time; the rate is of requests, not of bursts.
    connections : int
        Connections of the client; 0 for as many as it takes. A request that finds none free is sent late.
    """

    rate: float
    arrivals: Arrivals = "poisson"
    burst: int = 1
    connections: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.rate <= _SECOND_NS:
            raise ConfigError(f"rate is {self.rate}", "OpenLoop", "more than 0, and at most one a nanosecond")
        within(self, burst=(1, inf), connections=(0, inf))
        among(self, arrivals=get_args(Arrivals))

    def arrivals_ns(self, streams: Streams) -> Iterator[int]:
        """When each request is due, in ns from the beginning, without end."""
        mean_ns = self.burst * _SECOND_NS / self.rate
        if self.arrivals == "constant":
            k = 0
            while True:
                for _ in range(self.burst):
                    yield round(k * mean_ns)
                k += 1
        gap, time_ns = Exponential(mean_ns).draws(streams, "arrivals"), 0
        while True:
            time_ns += gap()
            for _ in range(self.burst):
                yield time_ns


@dataclass(frozen=True, slots=True)
class ClosedLoop:
    """Users, each of whom sends, waits for the answer, thinks, and sends again."""

    users: int
    think: Times = AT_ONCE

    def __post_init__(self) -> None:
        within(self, users=(1, inf))

    def thinking(self, streams: Streams) -> Draw:
        """How long each pause is."""
        return self.think.draws(streams, "think")


@dataclass(frozen=True, slots=True)
class Trace:
    """Requests at recorded times, in ns from the beginning, ascending.

    Examples
    --------
    >>> Trace.from_csv(["time_s,path", "0.5,/", "0.75,/"]).times_ns
    (500000000, 750000000)
    """

    times_ns: tuple[int, ...]
    connections: int = 0

    @classmethod
    def from_csv(cls, rows: Iterable[str], column: str = "time_s", *, connections: int = 0) -> Trace:
        """Read the lines of a CSV file with a heading; ``column`` has the seconds.

        Raises
        ------
        ConfigError
            There is no such column, or no time in it, or time goes back.
        """
        reader = csv.DictReader(rows)
        if column not in (reader.fieldnames or ()):
            raise ConfigError(f"no column {column!r}", remedy=f"there are: {', '.join(reader.fieldnames or ())}")
        try:
            times = tuple(round(float(row[column] or "") * _SECOND_NS) for row in reader)
        except (ValueError, OverflowError) as error:
            raise ConfigError(f"column {column!r}: {error}") from None
        if any(after < before for before, after in zip((0, *times), times, strict=False)):
            raise ConfigError(f"column {column!r}: time goes back")
        return cls(times, connections)

    def arrivals_ns(self, streams: Streams) -> Iterator[int]:
        """When each request is due."""
        yield from self.times_ns


@dataclass(frozen=True, slots=True)
class Phases:
    """Open loops one after the other, each for its seconds; the last goes on to the end of the run.

    Examples
    --------
    >>> spike = Phases(((2.0, OpenLoop(1, "constant")), (1.0, OpenLoop(2, "constant"))))
    >>> from itertools import islice
    >>> [ns / 1e9 for ns in islice(spike.arrivals_ns(Streams(0)), 5)]
    [0.0, 1.0, 2.0, 2.5, 3.0]
    """

    phases: tuple[tuple[float, OpenLoop], ...]
    connections: int = 0

    def __post_init__(self) -> None:
        if not self.phases:
            raise ConfigError("phases of nothing")

    def arrivals_ns(self, streams: Streams) -> Iterator[int]:
        """When each request is due."""
        ends = list(accumulate(round(seconds * _SECOND_NS) for seconds, _ in self.phases))
        begin_ns = 0
        for number, (end_ns, (_, load)) in enumerate(zip(ends, self.phases, strict=True)):
            last = number == len(ends) - 1
            for time_ns in load.arrivals_ns(streams.child(f"phase {number}")):
                if begin_ns + time_ns >= (inf if last else end_ns):
                    break
                yield begin_ns + time_ns
            begin_ns = end_ns


Open: TypeAlias = OpenLoop | Trace | Phases
Load: TypeAlias = Open | ClosedLoop
