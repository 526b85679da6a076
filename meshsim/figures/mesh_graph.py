"""The mesh as a graph: who called whom, how often, how fast, and with how many errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from meshsim.figures.canvas import Picture, Theme, ThemeName, axes, theme_of
from meshsim.mesh.graph import graph as graph_of
from meshsim.mesh.rows import CLIENT

if TYPE_CHECKING:
    from meshsim.mesh.result import Result

#: Share of errors from which a call is drawn as failing.
_FAILING = 0.001
_WIDEST, _THINNEST = 4.0, 1.0


def mesh_graph(result: Result, *, theme: ThemeName = "light") -> Picture:
    """Draw services from left to right by their distance from the client.

    A line is the wider the more requests took it. As in Kiali, errors have a shape and not only a colour: a service
    that answered with errors is a diamond, a line with errors is dashed.
    """
    look = theme_of(theme)
    graph = graph_of(result)
    places = _places(graph)
    columns = 1 + max((x for x, _ in places.values()), default=0)
    rows = 1 + max((y for _, y in places.values()), default=0) - min((y for _, y in places.values()), default=0)
    figure, [panel] = axes(look, "The mesh", width=max(7.0, 2.5 * columns), height=1.6 + 1.15 * max(2.0, rows))
    panel.set_axis_off()
    most = max((data["rate"] for *_, data in graph.edges(data=True)), default=0.0) or 1.0
    for source, target, data in graph.edges(data=True):
        _edge(panel, look, places[source], places[target], data, most)
    for name, (x, y) in places.items():
        _node(panel, look, name, x, y, graph.nodes[name])
    panel.set_xlim(-0.45, columns - 0.45)
    low = min((y for _, y in places.values()), default=0)
    panel.set_ylim(low + rows - 0.35, low - 0.65)
    words = "; ".join(f"{a} to {b}: {_label(data).replace(chr(10), ', ')}" for a, b, data in graph.edges(data=True))
    return Picture(figure, f"Services and calls. {words}.")


def _places(graph: Any) -> dict[str, tuple[float, float]]:
    """Columns by the longest way from the client; in a column, in order, around the middle."""
    import networkx as nx

    depth = dict.fromkeys(graph, 0)
    if nx.is_directed_acyclic_graph(graph):
        for name in nx.topological_sort(graph):
            for target in graph.successors(name):
                depth[target] = max(depth[target], depth[name] + 1)
    else:
        depth |= nx.single_source_shortest_path_length(graph, CLIENT)
    columns: dict[int, list[str]] = {}
    for name in graph:
        columns.setdefault(depth[name], []).append(name)
    return {
        name: (float(x), y - (len(names) - 1) / 2)
        for x, names in sorted(columns.items())
        for y, name in enumerate(names)
    }


def _edge(
    panel: Any, look: Theme, start: tuple[float, float], end: tuple[float, float], data: dict[str, float], most: float
) -> None:
    from matplotlib.patches import FancyArrowPatch

    failing = data["error_rate"] >= _FAILING
    width = _THINNEST + (_WIDEST - _THINNEST) * data["rate"] / most
    colour = look.bad if failing else look.good if data["rate"] else look.line
    skips = end[0] - start[0] > 1
    panel.add_patch(
        FancyArrowPatch(
            start, end, arrowstyle="-|>", mutation_scale=10 + width, linewidth=width, color=colour, alpha=0.75,
            linestyle="--" if failing else "-", shrinkA=26, shrinkB=26,
            connectionstyle="arc3,rad=-0.2" if skips else "arc3", zorder=1,
        )
    )  # fmt: skip
    share = 0.5 if not skips else 0.4
    x, y = start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1]) - (0.25 if skips else 0)
    panel.annotate(
        _label(data), (x, y), ha="center", va="center", fontsize=8, color=look.ink, zorder=3,
        bbox={"facecolor": look.ground, "edgecolor": "none", "pad": 1.5, "alpha": 0.85},
    )  # fmt: skip


def _node(panel: Any, look: Theme, name: str, x: float, y: float, data: dict[str, float]) -> None:
    failing = data["error_rate"] >= _FAILING
    panel.plot(
        [x], [y], marker="D" if failing else "o", markersize=22 if failing else 26, color=look.ground,
        markeredgecolor=look.bad if failing else look.good, markeredgewidth=2.5, zorder=2,
    )  # fmt: skip
    panel.annotate(
        name, (x, y), xytext=(0, 20), textcoords="offset points", ha="center", color=look.ink, fontsize=9.5,
        fontweight="bold", zorder=4,
    )  # fmt: skip


def _label(data: dict[str, float]) -> str:
    if not data["rate"]:
        return "idle"
    errors = f"\n{data['error_rate']:.1%} errors" if data["error_rate"] >= _FAILING else ""
    return f"{data['rate']:,.0f}/s\np99 {data['p99_ms']:.3g} ms{errors}"
