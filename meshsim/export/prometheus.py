"""Istio's standard metrics of a mesh's run and Envoy's own, in Prometheus' text format or in OpenMetrics'.

Names and labels are those of Istio's telemetry (istio.io, "Istio Standard Metrics"), the buckets those of Envoy's
histograms. What a simulated mesh does not know, a version for one, is ``unknown``, as in Istio. Both reporters are
there: the source counts what it saw, network and all, the destination's times are without the wire. A callout has no
source that could report it: it does not come through the filters of its proxy.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from meshsim.export.files import write_whole
from meshsim.export.proxy_stats import families
from meshsim.mesh.rows import CLIENT, HopRow

if TYPE_CHECKING:
    from meshsim.mesh.result import Result

#: Upper ends of the buckets, in ms and in bytes: the defaults of Envoy's histograms.
BUCKETS = (
    0.5, 1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000,
    3_600_000,
)  # fmt: skip

_NAMESPACE = "default"
_HELP = {
    "istio_requests": "requests",
    "istio_request_duration_milliseconds": "time from the request's first byte to the answer's last",
    "istio_response_bytes": "size of the answer's body",
}

#: What a name may end in that belongs to a family.
_ENDS = ("", "_total", "_bucket", "_count", "_sum")

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    total: float = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(BUCKETS, value)] += 1
        self.total += value


@dataclass(slots=True)
class _Series:
    """What one combination of labels has counted."""

    requests: int = 0
    duration: _Histogram = field(default_factory=_Histogram)
    size: _Histogram = field(default_factory=_Histogram)


def metrics(result: Result, *, openmetrics: bool = False) -> str:
    """Return the metrics at the end of a run, warm-up included, as a sidecar's counters would stand."""
    series = _gathered(result)
    lines = [
        *_family("istio_requests", "counter", openmetrics),
        *(f"istio_requests_total{_braces(labels)} {one.requests}" for labels, one in series.items()),
        *_family("istio_request_duration_milliseconds", "histogram", openmetrics),
        *_histograms("istio_request_duration_milliseconds", {key: one.duration for key, one in series.items()}),
        *_family("istio_response_bytes", "histogram", openmetrics),
        *_histograms("istio_response_bytes", {key: one.size for key, one in series.items()}),
        *_proxies(result, openmetrics),
        *(["# EOF"] if openmetrics else []),
    ]
    return "\n".join(lines) + "\n"


def write(result: Result, path: str | Path, *, openmetrics: bool = False) -> None:
    """Write the metrics."""
    write_whole(path, metrics(result, openmetrics=openmetrics))


def _gathered(result: Result) -> Mapping[Labels, _Series]:
    series: dict[Labels, _Series] = {}
    known: dict[tuple[str, str, str, int, str], Labels] = {}
    for row in result.rows.find("not root"):
        for reporter, took_ns in _reports(row):
            key = reporter, row.source, row.service, row.status, row.flags
            labels = known.setdefault(key, _labels(*key))
            one = series.setdefault(labels, _Series())
            one.requests += 1
            one.duration.add(took_ns / 1e6)
            one.size.add(row.bytes_sent)
    return dict(sorted(series.items()))


def _reports(row: HopRow) -> Iterator[tuple[str, int]]:
    took_ns = row.end_ns - row.start_ns
    if row.source != CLIENT and not row.filter:  # a client outside the mesh has no sidecar that could report
        yield "source", took_ns
    yield "destination", max(0, took_ns - row.network_ns)


def _labels(reporter: str, source: str, target: str, status: int, flags: str) -> Labels:
    outside = source == CLIENT
    return (
        ("reporter", reporter),
        *_side("source", "unknown" if outside else source),
        *_side("destination", target),
        ("destination_service", f"{target}.{_NAMESPACE}.svc.cluster.local"),
        ("destination_service_name", target),
        ("destination_service_namespace", _NAMESPACE),
        ("request_protocol", "http"),
        ("response_code", str(status)),
        ("grpc_response_status", ""),
        ("response_flags", flags or "-"),
        ("connection_security_policy", "unknown"),
    )


def _side(side: str, workload: str) -> Iterator[tuple[str, str]]:
    known = workload != "unknown"
    yield f"{side}_workload", workload
    yield f"{side}_workload_namespace", _NAMESPACE if known else "unknown"
    yield f"{side}_principal", f"spiffe://cluster.local/ns/{_NAMESPACE}/sa/{workload}" if known else "unknown"
    yield f"{side}_app", workload
    yield f"{side}_version", "unknown"
    yield f"{side}_cluster", "Kubernetes" if known else "unknown"
    yield f"{side}_canonical_service", workload
    yield f"{side}_canonical_revision", "latest"


def _proxies(result: Result, openmetrics: bool) -> Iterator[str]:
    """Envoy's own statistics of each proxy."""
    for name, kind, samples in families(result.stats, taken=[f"{own}{end}" for own in _HELP for end in _ENDS]):
        yield f"# TYPE {_openmetrics_type(name, kind) if openmetrics else f'{name} {kind}'}"
        yield from (f"{name}{_braces(labels)} {value}" for labels, value in samples)


def _openmetrics_type(name: str, kind: str) -> str:
    """OpenMetrics knows counters by their ending, which not all of Envoy's have."""
    if kind == "gauge":
        return f"{name} gauge"
    return f"{name.removesuffix('_total')} counter" if name.endswith("_total") else f"{name} unknown"


def _family(name: str, kind: str, openmetrics: bool) -> Iterator[str]:
    """OpenMetrics names a counter's family without ``_total``; Prometheus' text format with it."""
    family = name if openmetrics or kind != "counter" else f"{name}_total"
    yield f"# HELP {family} {_HELP[name]}"
    yield f"# TYPE {family} {kind}"


def _histograms(name: str, histograms: Mapping[Labels, _Histogram]) -> Iterator[str]:
    for labels, histogram in histograms.items():
        reached = 0
        for limit, count in zip((*map(_number, BUCKETS), "+Inf"), histogram.counts, strict=True):
            reached += count
            yield f"{name}_bucket{_braces((*labels, ('le', limit)))} {reached}"
        yield f"{name}_count{_braces(labels)} {reached}"
        yield f"{name}_sum{_braces(labels)} {round(histogram.total, 6)!r}"


def _number(value: float) -> str:
    """An upper end as OpenMetrics wants it, a float."""
    return repr(float(value))


def _braces(labels: Sequence[tuple[str, str]]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
