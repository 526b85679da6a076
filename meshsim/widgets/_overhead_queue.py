"""Latency under load: workers that serve one request after the other, and connections that send at random.

Theory of operation. A connection belongs to one worker for good, and which one is drawn by lot, as the kernel of the
operating system does. It sends a request, waits for the answer, pauses for a random while (exponential), and sends the
next. A worker serves the requests of its connections in the order in which they come, each for the same time, which is
the CPU time of a request. So each worker is a queue by itself. A test holds this against :meth:`Envoy.drive`, which is
slower by two orders of magnitude.

Every replication draws the same random numbers for every setup (its seed is its number): a difference between setups
is then not one of luck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from heapq import heapify, heapreplace
from math import ceil

from meshsim.envoy.client import CLIENT_TURN_NS
from meshsim.envoy.wire import LOOPBACK_NS
from meshsim.sim import Interval, Streams, confidence_interval, quantile

#: Load as parts of what the workers could do at most.
LOADS = (0.2, 0.4, 0.6, 0.75, 0.85, 0.93)

Draw = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Tail:
    """Latency at one load: means over replications with their intervals, in ns."""

    load: float
    per_second: float
    median: Interval
    p99: Interval


class Latency:
    """Replications of one setup at all of :data:`LOADS`, which can be added to.

    Parameters
    ----------
    service_ns : float
        CPU time of a request.

    Examples
    --------
    >>> latency = Latency(20_000, workers=2, connections=64)
    >>> latency.replicate(500)
    >>> latency.replicate(500)
    >>> quiet, *_, busy = latency.tails()
    >>> quiet.p99.mean < busy.p99.mean
    True
    """

    def __init__(self, service_ns: float, workers: int, connections: int) -> None:
        self._service_ns = service_ns
        self._workers = workers
        self._connections = connections
        self._found: dict[float, list[tuple[float, float]]] = {load: [] for load in LOADS}
        self.replications = 0
        self.requests = 0

    def replicate(self, count: int) -> None:
        """Run each load once more, with ``count`` requests."""
        for load in LOADS:
            took = self._run(load, count)
            self._found[load].append((quantile(took, 0.5), quantile(took, 0.99)))
        self.replications += 1
        self.requests += count * len(LOADS)

    def tails(self) -> list[Tail]:
        """Return what has been found so far; nothing before the first replication."""
        return [
            Tail(
                load,
                self.rate(load),
                confidence_interval(median for median, _ in found),
                confidence_interval(p99 for _, p99 in found),
            )
            for load, found in self._found.items()
            if found
        ]

    def rate(self, load: float) -> float:
        """Return how many requests a second a load is."""
        return load * self._workers * 1e9 / self._service_ns

    def _run(self, load: float, count: int) -> list[float]:
        streams = Streams(self.replications)
        dealt = streams.stream("dealing")
        homes = [dealt.randrange(self._workers) for _ in range(self._connections)]
        around_ns = self._service_ns + 2 * LOOPBACK_NS + CLIENT_TURN_NS
        pause_ns = max(0.0, self._connections * 1e9 / self.rate(load) - around_ns)
        took: list[float] = []
        for worker in range(self._workers):
            users = [user for user in range(self._connections) if homes[user] == worker]
            draws = [streams.stream(f"user {user}") for user in users]
            pauses = [lambda draw=draw: pause_ns * draw.expovariate(1.0) for draw in draws]
            took += serve(self._service_ns, pauses, ceil(count * len(users) / self._connections))
        return took


def serve(service_ns: float, pauses: Iterable[Draw], count: int) -> list[float]:
    """Serve ``count`` requests of some connections by one worker; return their latencies, as clients see them, in ns.

    Parameters
    ----------
    pauses : iterable of callable
        For each connection what gives its pauses, in ns.
    """
    waiting = [(pause(), user, pause) for user, pause in enumerate(pauses)]
    if not waiting:
        return []
    heapify(waiting)
    free_ns = 0.0
    took = []
    for _ in range(count):
        sent_ns, user, pause = waiting[0]
        free_ns = max(free_ns, sent_ns + LOOPBACK_NS) + service_ns
        answered_ns = free_ns + LOOPBACK_NS
        took.append(answered_ns - sent_ns)
        heapreplace(waiting, (answered_ns + CLIENT_TURN_NS + pause(), user, pause))
    return took
