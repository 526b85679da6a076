"""What a run of a mesh leaves: rows, busy times, memory, events, and the measures that people ask for first.

A result is plain data. Files are made by the layer above: ``to_csv``, ``to_perfetto`` and the others look their
exporter up by name when they are called, as Python finds codecs, so that this layer needs to know nothing of files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from meshsim.mesh.latency import HistogramLatency, Latency
from meshsim.mesh.rows import CLIENT, Columns, HopRow, Hops
from meshsim.sim import Histogram, Recorder, Table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CLIENT", "Edge", "HopRow", "Hops", "MemoryPart", "MeshEvent", "Result", "ServiceView", "Usage"]

#: Width of a bin of the busy times, in ns of virtual time.
BIN_NS = 100_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """How busy a worker of a sidecar or an application was.

    Attributes
    ----------
    pod, track, zone : str
        Whose: ``reviews-0``; ``worker_0`` or ``app``; where.
    capacity : int
        How many things it does at a time; 1 for a worker, 0 for an application without a bound.
    busy_ns, run_ns : int
        Sum of its work, and the time that it had for it.
    bins : tuple of int
        ``busy_ns`` of each bin of the run.
    """

    pod: str
    track: str
    zone: str
    capacity: int
    busy_ns: int
    run_ns: int
    bins: tuple[int, ...] = ()

    @property
    def share(self) -> float:
        """From 0, idle, to 1, never idle; 0 for what has no bound."""
        able_ns = self.capacity * self.run_ns
        return self.busy_ns / able_ns if able_ns else 0.0


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """What a part of a pod's sidecar weighs: ``code``, ``linear``, ``v8``, ``envoy``..."""

    pod: str
    part: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class MeshEvent:
    """Something that happened to the mesh, not to a request: a roll-out, a crash, a scale-out."""

    time_ns: int
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Edge:
    """A service and one that it may call."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class ServiceView:
    """One service's part of a run, after the warm-up.

    Attributes
    ----------
    rows : Hops
        The requests that it was sent.
    latency : Latency
        As its callers saw it.
    rate : float
        Requests a second of virtual time.
    error_rate : float
        Share of them without an answer or with a 5xx, from 0 to 1.
    """

    name: str
    rows: Hops
    latency: Latency
    rate: float
    error_rate: float


@dataclass(frozen=True)
class Result:
    """A run of a mesh.

    Attributes
    ----------
    hops : Table of HopRow
        The rows, in the order in which hops ended; none when the run kept none.
    run_ns, warmup_ns : int
        Virtual time that the load lasted, and how much at its beginning measures leave out.
    services : sequence of str
        By name, in the order of the topology.
    edges : sequence of Edge
        Who may call whom, also where nobody did.
    usage, memory, events
        See the types.
    counters : mapping of str to mapping of str to int
        For each service, counts by name.
    histograms : mapping of str to Histogram
        Times from sending to answer after the warm-up, in ns, for ``client`` and each service: kept also where rows
        are not. A client's begin when its request was due.
    stats : mapping of str to mapping of str to int
        For each pod, its proxy's own counters and gauges, by Envoy's names, since that proxy was started: the same at
        every level.
    notes : sequence of str
        What a reader should know: what was left out of the model, and the like.
    traces : mapping of str to sequence of Recorder
        At level ``abi``, for each pod, what happened in each proxy that it has had, in order; empty below.
    begun_ns : int
        When the load began by the clock of ``traces``; everything else counts from there.
    profile : str
        Name of the cost profile that proxies' work was charged by.

    Examples
    --------
    >>> table = Table(HopRow)
    >>> for n in range(3):
    ...     table.append(n, 0, -1, "", "client", "", "", "", n, n + 10**6, 0, 0, 0, 0, 200, "", 1, 5, 1, "")
    >>> result = Result(table, run_ns=10**9)
    >>> print(result.latency)
    3 requests: p50 1.000 ms, p90 1.000 ms, p99 1.000 ms, p999 1.000 ms
    >>> result.throughput, len(result.find("rt > 1"))
    (3.0, 0)
    """

    hops: Table[HopRow]
    run_ns: int
    warmup_ns: int = 0
    seed: int = 0
    services: Sequence[str] = ()
    edges: Sequence[Edge] = ()
    usage: Sequence[Usage] = ()
    bin_ns: int = BIN_NS
    memory: Sequence[MemoryPart] = ()
    events: Sequence[MeshEvent] = ()
    counters: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))
    histograms: Mapping[str, Histogram] = field(default_factory=lambda: MappingProxyType({}))
    stats: Mapping[str, Mapping[str, int]] = field(default_factory=lambda: MappingProxyType({}))
    notes: Sequence[str] = ()
    traces: Mapping[str, Sequence[Recorder]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    begun_ns: int = 0
    profile: str = ""

    # --- rows ---

    @cached_property
    def rows(self) -> Hops:
        """All rows."""
        return Hops(Columns(self.hops))

    @cached_property
    def requests(self) -> Hops:
        """The clients' own rows after the warm-up: one a request."""
        return self.rows.find("root and warm")

    def find(self, expression: str) -> Hops:
        """Return the rows for which an expression holds, as ``rt > 100 and code >= 500``.

        Raises
        ------
        ConfigError
            The expression is not understood. :mod:`meshsim.mesh.find` has the words.
        """
        return self.rows.find(expression)

    # --- measures ---

    @property
    def latency(self) -> Latency:
        """How long the clients' requests took, after the warm-up."""
        return self._latency(CLIENT, self.requests)

    @property
    def window_ns(self) -> int:
        """The time that is measured: the run without its warm-up."""
        return self.run_ns - self.warmup_ns

    @property
    def throughput(self) -> float:
        """Answers without error to the clients, a second of virtual time."""
        good = self.latency.count if not self._kept else len(self.requests.find("not error"))
        return self._a_second(good)

    @property
    def error_rate(self) -> float:
        """Share of the clients' requests without an answer or with a 5xx, from 0 to 1."""
        return _errors(self.requests)

    def service(self, name: str) -> ServiceView:
        """Return one service's part, after the warm-up.

        Raises
        ------
        KeyError
            The run has no such service.
        """
        if name not in self.services:
            raise KeyError(f"no service {name!r}; there are {', '.join(self.services)}")
        return self._views[name]

    @cached_property
    def _views(self) -> dict[str, ServiceView]:
        """All at once: the rows are sorted by service one time."""
        return {name: self._view(name) for name in self.services}

    def _view(self, name: str) -> ServiceView:
        codes, strings = self.rows.coded("service")
        wanted = strings.index(name) if name in strings else -1
        rows = self.rows.where((codes == wanted) & (self.rows.numbers("warm") != 0))
        latency = self._latency(name, rows)
        return ServiceView(name, rows, latency, self._a_second(latency.count), _errors(rows))

    @property
    def _kept(self) -> bool:
        return len(self.hops) > 0

    def _latency(self, name: str, rows: Hops) -> Latency:
        if not self._kept and name in self.histograms:
            return HistogramLatency(self.histograms[name])
        return rows.latency

    def _a_second(self, count: int) -> float:
        return count * 1e9 / self.window_ns if self.window_ns > 0 else 0.0

    def summary(self) -> dict[str, Any]:
        """Return the measures as plain values: what a sweep keeps of a run."""
        return {
            "seed": self.seed,
            "run_ns": self.run_ns,
            "throughput": round(self.throughput, 3),
            "error_rate": round(self.error_rate, 6),
            **self.latency.summary(),
            "busiest": round(max((use.share for use in self.usage), default=0.0), 6),
            "memory_bytes": sum(part.size_bytes for part in self.memory),
        }

    def digest(self) -> str:
        """Return a SHA-256 of every row, column by column: equal for equal runs, in every process."""
        digest = sha256()
        for name in HopRow._fields:
            column = self.hops.column(name)
            digest.update(f"{name} {len(column)}\n".encode())
            digest.update(bytes(column) if not isinstance(column, list) else "\n".join(column).encode())
        return digest.hexdigest()

    # --- files ---

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a data frame; strings become categories. Needs pandas (the ``data`` extra)."""
        return self.hops.to_pandas()

    def to_csv(self, path: str | Path) -> None:
        """Write the rows as CSV."""
        _exporter("tables").write_csv(self, path)

    def to_parquet(self, path: str | Path) -> None:
        """Write the rows as Parquet. Needs pyarrow (the ``data`` extra)."""
        _exporter("tables").write_parquet(self, path)

    def to_perfetto(self, path: str | Path, requests: int = 1000) -> None:
        """Write the first ``requests`` requests as a trace for Perfetto or chrome://tracing."""
        _exporter("mesh_chrome").write(self, path, requests=requests)

    def to_otlp(self, path: str | Path, requests: int = 1000) -> None:
        """Write the first ``requests`` requests as OpenTelemetry's spans, in OTLP's JSON."""
        _exporter("otlp").write(self, path, requests=requests)

    def to_prometheus(self, path: str | Path, *, openmetrics: bool = False) -> None:
        """Write Istio's standard metrics in Prometheus' text format, or in OpenMetrics'."""
        _exporter("prometheus").write(self, path, openmetrics=openmetrics)

    def to_access_log(self, path: str | Path, form: str | None = None) -> None:
        """Write a line a hop in a format string of Envoy's access logs; its default one if none is given."""
        _exporter("access_log").write(self, path, form=form)

    def to_graphml(self, path: str | Path) -> None:
        """Write services and calls, with rates and errors, as GraphML."""
        _exporter("graphml").write(self, path)


def _errors(rows: Hops) -> float:
    return len(rows.find("error")) / len(rows) if len(rows) else 0.0


def _exporter(name: str) -> Any:
    return import_module(f"meshsim.export.{name}")
