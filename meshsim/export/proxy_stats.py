"""Proxies' own statistics, named as Envoy names them for Prometheus.

``cluster.stock.upstream_rq_2xx`` is ``envoy_cluster_upstream_rq_xx`` there, with labels for the cluster and for the
class of the status: what varies in a name goes into labels. A metric that a module defines keeps the name that the
module gave it. Names and labels as ``/stats/prometheus`` of Envoy 1.40 gives them; ``pod`` is what a scraper adds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

Labels = tuple[tuple[str, str], ...]

#: What a name begins with, what stands there instead, and which labels take the groups.
_SCOPES: tuple[tuple[re.Pattern[str], str, tuple[str, ...]], ...] = (
    (re.compile(r"^cluster\.(.+?)\."), "cluster.", ("envoy_cluster_name",)),
    (
        re.compile(r"^http\.(.+?)\.fault\.([^.]+)\.(?=.)"),
        "http.fault.",
        ("envoy_http_conn_manager_prefix", "envoy_fault_downstream_cluster"),
    ),
    (re.compile(r"^http\.(.+?)\."), "http.", ("envoy_http_conn_manager_prefix",)),
    (re.compile(r"^(.+?)\.http_local_rate_limit\."), "http_local_rate_limit.", ("envoy_local_http_ratelimit_prefix",)),
)
_CLASS = re.compile(r"_rq_(\d)xx$")
_CUSTOM = "wasmcustom."
_GAUGE = re.compile(r"(\.active|_active|_faults|_open|_count|_entries)$")
_UNFIT = re.compile(r"[^a-zA-Z0-9_:]")


def prometheus_name(stat: str) -> tuple[str, Labels]:
    """Return the name and the labels that Envoy gives a statistic in Prometheus' format.

    Examples
    --------
    >>> prometheus_name("http.inbound.downstream_rq_5xx")
    ('envoy_http_downstream_rq_xx', (('envoy_response_code_class', '5'), ('envoy_http_conn_manager_prefix', 'inbound')))
    >>> prometheus_name("wasm.envoy.wasm.runtime.v8.active"), prometheus_name("wasmcustom.in.flight")
    (('envoy_wasm_envoy_wasm_runtime_v8_active', ()), ('in_flight', ()))
    """
    if stat.startswith(_CUSTOM):
        return _UNFIT.sub("_", stat.removeprefix(_CUSTOM)), ()
    labels: Labels = ()
    status = _CLASS.search(stat)
    if status:
        stat = stat[: status.start()] + "_rq_xx"
        labels = (("envoy_response_code_class", status[1]),)
    for pattern, scope, names in _SCOPES:
        found = pattern.match(stat)
        if found:
            stat = scope + stat[found.end() :]
            labels += tuple(zip(names, found.groups(), strict=True))
            break
    return f"envoy_{_UNFIT.sub('_', stat)}", labels


def families(
    stats: Mapping[str, Mapping[str, int]], taken: Collection[str] = ()
) -> Iterator[tuple[str, str, list[tuple[Labels, int]]]]:
    """Yield each metric of all proxies: its name, its type, and its samples; names that are ``taken`` are left out.

    The type of a module's metric is ``untyped``: nothing in its name tells counters from gauges.
    """
    samples: dict[str, list[tuple[Labels, int]]] = defaultdict(list)
    kinds: dict[str, str] = {}
    for pod, counted in stats.items():
        for stat, value in counted.items():
            name, labels = prometheus_name(stat)
            custom = stat.startswith(_CUSTOM)
            kinds[name] = "untyped" if custom else "gauge" if _GAUGE.search(stat) else "counter"
            samples[name].append(((*labels, ("pod", pod)), value))
    for name in sorted(samples):
        if name not in taken:
            yield name, kinds[name], samples[name]
