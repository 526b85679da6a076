"""Metrics that modules define: ids belong to a VM, values to the process.

Rules from Envoy: an id's two low bits are the kind, ids of a kind go up in steps of four; all threads add to the
same value under ``wasmcustom.<name>``; recording on a counter adds, on a gauge sets.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from meshsim.abi.allowance import AllowanceExceeded
from meshsim.abi.constants import MetricType, Status

_KIND_MASK = 3
_COUNTER, _GAUGE = int(MetricType.COUNTER), int(MetricType.GAUGE)
_STEP = 4
_OK = Status.OK
_MASK_64 = (1 << 64) - 1


MAX_NAME_BYTES = 16 << 20
"""Bytes that the names of one VM's metrics may take, :data:`METRIC_BYTES` more for each. Envoy has no such limit."""

METRIC_BYTES = 256
"""What a metric takes besides its name, about."""

MAX_SAMPLES = 100_000
"""Samples of a histogram that are kept: the last ones."""


@dataclass(slots=True)
class MetricValues:
    """Values of one process's custom metrics, by (kind, name); of each histogram the last :data:`MAX_SAMPLES`."""

    values: dict[tuple[int, str], int] = field(default_factory=dict)
    samples: dict[str, deque[int]] = field(default_factory=dict)

    #: What brings counts here that are kept elsewhere; run before anybody reads.
    pending: list[Callable[[], None]] = field(default_factory=list)

    def settle(self) -> None:
        """Count what has been put off."""
        pending, self.pending = self.pending, []
        for count in pending:
            count()

    def touch(self, kind: MetricType, name: str) -> None:
        """Make a metric exist with nothing in it."""
        if kind is MetricType.HISTOGRAM:
            self.samples.setdefault(name, deque(maxlen=MAX_SAMPLES))
        else:
            self.values.setdefault((int(kind), name), 0)

    def stats(self) -> dict[str, int]:
        """Counters and gauges under their names in Envoy's ``/stats``."""
        self.settle()
        return {_shown(name): value for (_, name), value in self.values.items()}


def _shown(name: str) -> str:
    r"""Give a metric's name as ``/stats`` has it: when it is not all UTF-8, each of its bytes stands for itself.

    Examples
    --------
    >>> _shown("hits"), _shown(""), _shown(b"\xc3\xa9\xff".decode("utf-8", "surrogateescape"))
    ('wasmcustom.hits', 'wasmcustom', 'wasmcustom.Ã©ÿ')
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        name = name.encode("utf-8", "surrogateescape").decode("latin-1")
    return f"wasmcustom.{name}" if name else "wasmcustom"


@dataclass(slots=True)
class MetricTable:
    """The ids that one VM knows.

    Examples
    --------
    >>> table = MetricTable(MetricValues())
    >>> counter = table.define(MetricType.COUNTER, "hits")
    >>> counter, table.increment(counter, 2), table.get(counter)
    (4, <Status.OK: 0>, 2)
    """

    process: MetricValues
    _names: dict[int, str] = field(default_factory=dict)
    _name_bytes: int = 0
    #: The next id of each kind.
    _next: list[int] = field(default_factory=lambda: [_STEP + kind for kind in sorted(MetricType)])

    def define(self, kind: MetricType, name: str) -> int:
        """Give a new id for a metric, also for a name that has one: both ids then move the same value.

        Dots at a name's end do not belong to it.

        Raises
        ------
        AllowanceExceeded
            The module defines metrics without end.
        """
        name = name.rstrip(".")
        self._name_bytes += len(name) + METRIC_BYTES
        if self._name_bytes > MAX_NAME_BYTES:
            raise AllowanceExceeded.of("the metrics of one VM", MAX_NAME_BYTES)
        metric = self._next[kind]
        self._next[kind] += _STEP
        self._names[metric] = name
        self.process.touch(kind, name)
        return metric

    def increment(self, metric: int, delta: int) -> Status:
        """Add to a counter (only upwards) or a gauge."""
        kind = metric & _KIND_MASK
        if kind > _GAUGE or (kind == _COUNTER and delta <= 0):
            return Status.BAD_ARGUMENT
        name = self._names.get(metric)
        if name is None:
            return Status.NOT_FOUND
        values, key = self.process.values, (kind, name)
        values[key] = (values[key] + delta) & _MASK_64
        return _OK

    def record(self, metric: int, value: int) -> Status:
        """Set a gauge, add to a counter, put a sample into a histogram."""
        if metric not in self._names:
            return Status.NOT_FOUND
        match metric & _KIND_MASK:
            case MetricType.COUNTER:
                return self._change(metric, lambda old: old + value)
            case MetricType.GAUGE:
                return self._change(metric, lambda _: value)
        self.process.samples[self._names[metric]].append(value)
        return Status.OK

    def get(self, metric: int) -> int | Status:
        """Value of a counter or gauge; a status when there is none."""
        if metric & _KIND_MASK not in (MetricType.COUNTER, MetricType.GAUGE):
            return Status.BAD_ARGUMENT
        self.process.settle()
        name = self._names.get(metric)
        return Status.NOT_FOUND if name is None else self.process.values[metric & _KIND_MASK, name]

    def _change(self, metric: int, how: Callable[[int], int]) -> Status:
        name = self._names.get(metric)
        if name is None:
            return Status.NOT_FOUND
        key = metric & _KIND_MASK, name
        self.process.values[key] = how(self.process.values[key]) & _MASK_64
        return Status.OK

    # -- what the shim needs ---

    @property
    def defined(self) -> int:
        """How many ids have been given."""
        return len(self._names)

    def following(self) -> list[int]:
        """The next id of each kind; all lower ones of it are given."""
        return list(self._next)

    def counters(self) -> range:
        """The ids of counters."""
        return range(_STEP, self._next[_COUNTER], _STEP)

    def count(self, metric: int, delta: int) -> None:
        """Add what a counter has gone up by meanwhile."""
        values, key = self.process.values, (_COUNTER, self._names[metric])
        values[key] = (values[key] + delta) & _MASK_64
