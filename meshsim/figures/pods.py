"""Pods: what their memory holds, and how busy they were over time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from meshsim.figures.canvas import Picture, ThemeName, axes, legend, theme_of
from meshsim.figures.stacks import stack

if TYPE_CHECKING:
    from meshsim.mesh.result import MemoryPart, Result, Usage

_MIB = 1 << 20

#: Where the scale of a heat map may end, in percent: a quiet mesh is not all black.
_SCALES = (10, 25, 50, 100)

#: Events closer than this part of the run share a label.
_CLOSE = 0.08

#: Rows of a heat map beyond which the least busy are left out.
_MOST_ROWS = 60


def memory_stacks(memory: Mapping[str, Sequence[MemoryPart]], *, theme: ThemeName = "light") -> Picture:
    """Draw memory as stacked bars, a bar for each label, a colour for each part.

    Parameters
    ----------
    memory : mapping of str to sequence of MemoryPart
        For example ``{"2 workers": result.memory, ...}``, or :func:`by_pod` of one result.
    """
    look = theme_of(theme)
    figure, [panel] = axes(look, "Memory", height=1.5 + 0.42 * max(2, len(memory)))
    totals = stack(panel, look, {label: _sizes_mib(parts) for label, parts in memory.items()}, height=0.62)
    for y, total in enumerate(totals):
        panel.annotate(f" {total:.1f} MiB", (total, y), va="center", color=look.ink, fontsize=9)
    panel.set_xlim(0, max(totals, default=1.0) * 1.16 or 1.0)
    panel.set_xlabel("MiB")
    legend(panel, look, loc="center left", bbox_to_anchor=(1.0, 0.5))
    words = "; ".join(f"{label}: {total:.1f} MiB" for label, total in zip(memory, totals, strict=True))
    return Picture(figure, f"Memory by part. {words}.")


def _sizes_mib(parts: Sequence[MemoryPart]) -> dict[str, float]:
    sizes_bytes: Counter[str] = Counter()
    for part in parts:
        sizes_bytes[part.part] += part.size_bytes
    return {part: size_bytes / _MIB for part, size_bytes in sizes_bytes.items()}


def by_pod(result: Result) -> dict[str, list[MemoryPart]]:
    """Return a run's memory, pod by pod."""
    pods = dict.fromkeys(part.pod for part in result.memory)
    return {pod: [part for part in result.memory if part.pod == pod] for pod in pods}


def utilisation(result: Result, *, theme: ThemeName = "light") -> Picture:
    """Draw how busy each worker and application was, bin by bin, with the events of the run.

    Cividis goes from dark to light for every kind of colour vision.
    """
    import numpy as np

    look = theme_of(theme)
    shown = _busiest([use for use in result.usage if use.capacity])
    figure, [panel] = axes(look, "How busy: workers and applications over time", height=1.8 + 0.24 * max(4, len(shown)))
    bins = max((len(use.bins) for use in shown), default=1)
    grid = np.zeros((max(1, len(shown)), bins))
    for y, use in enumerate(shown):
        grid[y, : len(use.bins)] = np.array(use.bins) / (result.bin_ns * use.capacity)
    top = next((step for step in _SCALES if grid.max(initial=0.0) * 100 <= step), 100)
    until_s = bins * result.bin_ns / 1e9
    image = panel.imshow(
        grid * 100, aspect="auto", cmap="cividis", vmin=0, vmax=top, interpolation="nearest",
        extent=(0, until_s, len(shown) - 0.5, -0.5),
    )  # fmt: skip
    panel.grid(visible=False)
    panel.set_yticks(range(len(shown)), [f"{use.pod} {use.track}" for use in shown], fontsize=8.5)
    panel.set_xlabel("s")
    for at, words in _moments(result, until_s):
        panel.axvline(at, color="#ffffff", linestyle="--", linewidth=1.2)
        panel.annotate(
            words, (at, -0.5), xytext=(2, 3), textcoords="offset points", color=look.ink, fontsize=8,
            annotation_clip=False,
        )  # fmt: skip
    bar = figure.colorbar(image, ax=panel, pad=0.01)
    bar.set_label("% busy", color=look.soft)
    bar.ax.tick_params(colors=look.soft, labelcolor=look.ink, length=0)
    bar.outline.set_visible(False)
    words = "; ".join(f"{use.pod} {use.track} {use.share:.0%}" for use in shown)
    return Picture(figure, f"Share of time that each was busy, over all: {words}.")


def _moments(result: Result, until_s: float) -> list[tuple[float, str]]:
    """Return when something happened, in s, and what; what is too close together to be told apart is one moment."""
    moments: list[tuple[float, list[str]]] = []
    for event in result.events:
        at = event.time_ns / 1e9
        if at <= until_s and moments and at - moments[-1][0] < until_s * _CLOSE:
            moments[-1][1].append(event.kind)
        elif at <= until_s:
            moments.append((at, [event.kind]))
    return [(at, ", ".join(dict.fromkeys(kinds))) for at, kinds in moments]


def _busiest(usage: Sequence[Usage]) -> list[Usage]:
    """Return what there is to show, pod by pod in the mesh's order; of very many the busiest."""
    pods = list(dict.fromkeys(use.pod for use in usage))
    usage = sorted(usage, key=lambda use: pods.index(use.pod))
    if len(usage) <= _MOST_ROWS:
        return usage
    chosen = set(sorted(range(len(usage)), key=lambda place: -usage[place].share)[:_MOST_ROWS])
    return [use for place, use in enumerate(usage) if place in chosen]
