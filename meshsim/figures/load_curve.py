"""Throughput and latency against offered load, with the knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

from meshsim.figures.canvas import MARKERS, Picture, ThemeName, axes, legend, milliseconds, theme_of
from meshsim.sim import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class LoadPoint:
    """What came of an offered load, in requests a second; times in ns. Intervals are over replications."""

    offered: float
    throughput: Interval
    mean_ns: Interval
    p99_ns: Interval


def knee(points: Sequence[LoadPoint]) -> LoadPoint | None:
    """Return the point of the greatest power, throughput divided by mean response time; None without points.

    That is where a system gives most for what it asks of its users (L. Kleinrock, "Power and deterministic rules of
    thumb for probabilistic problems in computer communications", 1979). An M/M/1 queue has it at half its capacity.

    Examples
    --------
    >>> def at(load):  # an M/M/1 queue that serves 100 a second
    ...     exactly = [Interval(value, 0, 0.95, 1) for value in (load, 1e9 / (100 - load), 4.6e9 / (100 - load))]
    ...     return LoadPoint(load, *exactly)
    >>> knee([at(load) for load in (10, 30, 50, 70, 90)]).offered
    50
    """
    alive = [point for point in points if point.mean_ns.mean > 0]
    return max(alive, key=lambda point: point.throughput.mean / point.mean_ns.mean, default=None)


def load_curve(points: Sequence[LoadPoint], *, theme: ThemeName = "light") -> Picture:
    """Draw what comes through, and how long it takes, for each load that was offered."""
    look = theme_of(theme)
    points = sorted(points, key=lambda point: point.offered)
    figure, [through, took] = axes(look, "Throughput and latency against load", height=6.0, panels=2)
    offered = [point.offered for point in points]
    through.plot(offered, offered, color=look.soft, linestyle=":", linewidth=1.3, label="all of it")
    _line(through, points, "throughput", 1.0, look.series[0], MARKERS[0], "answers without error")
    _line(took, points, "mean_ns", 1e6, look.series[2], MARKERS[2], "mean")
    _line(took, points, "p99_ns", 1e6, look.series[1], MARKERS[1], "p99")
    best = knee(points)
    for panel in (through, took):
        if best is not None:
            panel.axvline(best.offered, color=look.soft, linestyle="--", linewidth=1)
    if best is not None:
        through.annotate(
            f"knee: {best.offered:,.0f}/s", (best.offered, 0), xytext=(5, 6), textcoords="offset points",
            color=look.ink, fontsize=9,
        )  # fmt: skip
    through.set_ylim(bottom=0)
    through.set_ylabel("requests/s")
    took.set_yscale("log")
    took.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    took.set_ylabel("ms")
    took.set_xlabel("offered load, requests/s")
    legend(through, look, loc="upper left")
    legend(took, look, loc="upper left")
    words = "; ".join(
        f"{point.offered:g}/s: {point.throughput.mean:.0f}/s, p99 {milliseconds(point.p99_ns.mean)}" for point in points
    )
    at = "" if best is None else f" The knee is at {best.offered:g}/s."
    return Picture(figure, f"Throughput and latency against offered load. {words}.{at}")


def _line(
    panel: Axes, points: Sequence[LoadPoint], measure: str, unit: float, colour: str, marker: str, label: str
) -> None:
    """Draw a measure with its confidence intervals; one that is infinite (of a single run) is not drawn."""
    intervals: list[Interval] = [getattr(point, measure) for point in points]
    errors = [interval.half_width / unit if isfinite(interval.half_width) else 0.0 for interval in intervals]
    panel.errorbar(
        [point.offered for point in points], [interval.mean / unit for interval in intervals], yerr=errors,
        color=colour, marker=marker, linewidth=2, markersize=6, capsize=3, label=label,
    )  # fmt: skip
