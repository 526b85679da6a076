"""Circuit breakers: how much may be under way to a cluster at once, from all workers together.

Rules of Envoy's connection pools and of its resource manager: a limit is looked at when something begins, and never
holds back what has begun. A host without any connection gets one whatever the limit says. A gauge tells of a limit
that is reached; it changes only when what it limits does.
"""

from __future__ import annotations

from meshsim.envoy.config.cluster import Thresholds
from meshsim.envoy.stats import Counters
from meshsim.envoy.wire import Socket

_MANY, _FEW = 1024, 3


class Resource:
    """Something that there may be only so much of; ``gauge`` is the name of what tells that it is used up."""

    __slots__ = ("_gauge", "_limit", "_stats", "_used")

    def __init__(self, limit: int, stats: Counters, gauge: str) -> None:
        self._limit = limit
        self._stats = stats
        self._gauge = gauge
        self._used = 0

    def is_left(self) -> bool:
        """Whether there may be one more."""
        return self._used < self._limit

    def take(self) -> None:
        """Use one more."""
        self._change(1)

    def give(self) -> None:
        """Use one less."""
        self._change(-1)

    def _change(self, change: int) -> None:
        self._used += change
        self._stats.put(f"circuit_breakers.default.{self._gauge}", 0 if self.is_left() else 1)


class Breakers:
    """The circuit breakers of one cluster.

    Examples
    --------
    >>> from meshsim.envoy.stats import Stats
    >>> breakers = Breakers(Thresholds(max_requests=1), Stats().scope("cluster.back"))
    >>> breakers.requests.take()
    >>> breakers.requests.is_left(), breakers.pending.is_left()
    (False, True)
    """

    def __init__(self, thresholds: Thresholds, stats: Counters) -> None:
        def resource(limit: int | None, default: int, gauge: str) -> Resource:
            return Resource(default if limit is None else limit, stats, gauge)

        self.stats = stats
        self.connections = resource(thresholds.max_connections, _MANY, "cx_open")
        self.pending = resource(thresholds.max_pending_requests, _MANY, "rq_pending_open")
        self.requests = resource(thresholds.max_requests, _MANY, "rq_open")
        self.retries = resource(thresholds.max_retries, _FEW, "rq_retry_open")
        self._open: list[Socket] = []

    def opened(self, socket: Socket) -> None:
        """Take note of a connection; it was counted when it began."""
        self._open.append(socket)

    def sweep(self) -> dict[str, int]:
        """Count connections no longer that have been closed, by either end; nothing else is to be counted."""
        for socket in [socket for socket in self._open if socket.closed]:
            self._open.remove(socket)
            self.connections.give()
        return {}
