"""How long requests take: latency curves, and the tail worker by worker."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from meshsim.figures.canvas import MARKERS, STROKES, Picture, ThemeName, axes, legend, milliseconds, theme_of

if TYPE_CHECKING:
    from meshsim.mesh.latency import Latency
    from meshsim.mesh.result import Result

_TICKS = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999)
_STEPS = 120

#: Requests beyond a quantile that make it worth drawing.
_BEYOND = 3


def latency_curves(latencies: Mapping[str, Latency], *, theme: ThemeName = "light") -> Picture:
    """Draw each distribution over its quantiles, the tail stretched: every nine is as wide as the one before.

    A curve ends where fewer than three requests are beyond.
    """
    import numpy as np

    look = theme_of(theme)
    figure, [panel] = axes(look, "Latency by quantile")
    styles = zip(look.series * 3, STROKES * 3, strict=False)
    for (label, latency), (colour, stroke) in zip(latencies.items(), styles, strict=False):
        if not latency.count:
            continue
        furthest = max(1.0, np.log10(latency.count / _BEYOND))
        nines = np.linspace(0, furthest, _STEPS)
        values = [latency.quantile(1 - 10**-nine) / 1e6 for nine in nines]
        panel.plot(nines, values, color=colour, linestyle=stroke, linewidth=2, label=_label(label, latency))
        if furthest >= 2:
            panel.plot([2], [latency.p99 / 1e6], marker="o", color=colour, markersize=5)
    longest = max((np.log10(one.count / _BEYOND) for one in latencies.values() if one.count), default=2.0)
    end = max(1.0, longest) * 1.02
    ticks = [q for q in _TICKS if -np.log10(1 - q) <= end]
    panel.set_xticks([-np.log10(1 - q) for q in ticks], [f"{q * 100:g} %" for q in ticks])
    panel.set_xlim(0, end)
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    panel.set_ylabel("ms")
    panel.set_xlabel("of requests took no longer")
    legend(panel, look, loc="lower right")
    words = ", ".join(
        f"{label}: p50 {milliseconds(one.p50)}, p99 {milliseconds(one.p99)}" for label, one in latencies.items()
    )
    return Picture(figure, f"Latency by quantile. {words}.")


def _label(name: str, latency: Latency) -> str:
    return f"{name}: p99 {milliseconds(latency.p99)}, n={latency.count:,}"


def tail_by_worker(result: Result, service: str, *, theme: ThemeName = "light") -> Picture:
    """Draw p50, p90 and p99 of each worker of a service's sidecars, with how many requests each had.

    One worker whose p99 stands apart has got too many connections, or a slow neighbour in its VM.
    """
    look = theme_of(theme)
    rows = result.service(service).rows
    places = list(dict.fromkeys(sorted(zip(rows.strings("pod"), rows.strings("worker"), strict=True))))
    found = [(pod, worker, rows.find(f"pod == {pod!r} and worker == {worker!r}")) for pod, worker in places]
    figure, [panel] = axes(look, f"{service}: the tail, worker by worker", height=1.4 + 0.34 * max(2, len(found)))
    kinds = (
        ("p50", look.series[2], MARKERS[0]),
        ("p90", look.series[0], MARKERS[2]),
        ("p99", look.series[1], MARKERS[1]),
    )
    for y, (_, _, each) in enumerate(found):
        panel.plot([each.latency.p50 / 1e6, each.latency.p99 / 1e6], [y, y], color=look.line, linewidth=4, zorder=1)
        for name, colour, marker in kinds:
            panel.plot([getattr(each.latency, name) / 1e6], [y], marker, color=colour, markersize=8, zorder=2,
                       label=name if y == 0 else None)  # fmt: skip
    labels = [f"{pod} {worker}".strip() + f"   {len(each):,}" for pod, worker, each in found]
    panel.set_yticks(range(len(found)), labels)
    panel.set_ylim(len(found) - 0.4, -0.6)
    panel.set_xlim(left=0)
    panel.grid(axis="y", visible=False)
    panel.set_xlabel("ms, as callers saw it; behind each name, its requests")
    legend(panel, look, loc="center left", bbox_to_anchor=(1.0, 0.5))
    words = "; ".join(f"{pod} {worker}: p99 {milliseconds(each.latency.p99)}" for pod, worker, each in found)
    return Picture(figure, f"Latency by worker of {service}. {words}.")
