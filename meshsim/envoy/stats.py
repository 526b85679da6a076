"""Counters and gauges, named as in Envoy's ``/stats``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager


class Stats:
    """All counters and gauges of one process.

    Examples
    --------
    >>> stats = Stats()
    >>> stats.scope("http.front").add("rq_total")
    >>> stats.values()
    {'http.front.rq_total': 1}
    """

    def __init__(self) -> None:
        self._values: Counter[str] = Counter()
        self._sources: list[Callable[[], Mapping[str, int]]] = []

    def scope(self, prefix: str) -> Counters:
        """Counters whose names begin with ``prefix`` and a dot."""
        return Counters(self._values, prefix)

    def set(self, name: str, value: int) -> None:
        """Set a gauge."""
        self._values[name] = value

    def add_source(self, counted: Callable[[], Mapping[str, int]]) -> None:
        """Ask somebody, whenever values are read, what it has counted since the last time."""
        self._sources.append(counted)

    @contextmanager
    def muted(self) -> Iterator[None]:
        """Forget what is counted while the ``with`` lasts."""
        before = self._values.copy()
        yield
        self._values.clear()
        self._values.update(before)

    def collect(self) -> None:
        """Take what others have counted."""
        for counted in self._sources:
            self._values.update(counted())

    def values(self) -> dict[str, int]:
        """Everything that is not zero, sorted by name."""
        self.collect()
        return {name: value for name, value in sorted(self._values.items()) if value}


class Counters:
    """The counters of one scope."""

    __slots__ = ("_prefix", "_values")

    def __init__(self, values: Counter[str], prefix: str) -> None:
        self._values = values
        self._prefix = prefix

    def add(self, name: str, amount: int = 1) -> None:
        """Count."""
        self._values[f"{self._prefix}.{name}"] += amount

    def put(self, name: str, value: int) -> None:
        """Set a gauge."""
        self._values[f"{self._prefix}.{name}"] = value

    def value(self, name: str) -> int:
        """Return a counter or gauge."""
        return self._values[f"{self._prefix}.{name}"]

    def add_status(self, name: str, status: int) -> None:
        """Count a status in its class (``2xx``); a number outside 100 to 599 is in none."""
        if 100 <= status < 600:
            self.add(f"{name}_{status // 100}xx")
