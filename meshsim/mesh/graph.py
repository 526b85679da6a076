"""Services and their calls as a graph, with what went over each edge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.mesh.rows import CLIENT

if TYPE_CHECKING:
    import networkx as nx

    from meshsim.mesh.result import Result


def graph(result: Result) -> nx.DiGraph:
    """Return a ``networkx.DiGraph``: a node a service, an edge a call.

    Nodes and edges have ``rate`` (requests a second), ``error_rate`` (0 to 1), ``p50_ms`` and ``p99_ms``, each of the
    measured time; an edge that nothing went over has a rate of 0.
    """
    import networkx as nx

    made = nx.DiGraph()
    made.add_node(CLIENT, **_measures(result, "root and warm"))
    for name in result.services:
        made.add_node(name, **_measures(result, f"warm and service == {name!r}"))
    pairs = dict.fromkeys((edge.source, edge.target) for edge in result.edges)
    pairs |= dict.fromkeys(zip(*map(result.rows.find("not root").strings, ("source", "service")), strict=True))
    for source, target in pairs:
        made.add_edge(source, target, **_measures(result, f"warm and source == {source!r} and service == {target!r}"))
    return made


def _measures(result: Result, which: str) -> dict[str, float]:
    rows = result.find(which)
    seconds = result.window_ns / 1e9
    return {
        "rate": round(len(rows) / seconds, 3) if seconds > 0 else 0.0,
        "error_rate": round(len(rows.find("error")) / len(rows), 6) if len(rows) else 0.0,
        "p50_ms": rows.latency.p50 / 1e6,
        "p99_ms": rows.latency.p99 / 1e6,
    }
