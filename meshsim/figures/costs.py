"""What filters cost, out of a cost profile: tasks side by side, and time or memory by part."""

from __future__ import annotations

from collections.abc import Mapping

from meshsim.cost import Estimate, Profile, default_profile, total
from meshsim.figures.canvas import MARKERS, Picture, ThemeName, axes, legend, theme_of
from meshsim.figures.stacks import stack

ENGINES = ("native", "wasm", "lua")
_PREFIX = "task_ns."
#: What a number is divided by, by the unit that it is shown in.
UNITS = {"us": 1e3, "ms": 1e6, "MiB": float(1 << 20)}


def tasks_by_engine(profile: Profile | None = None, *, theme: ThemeName = "light") -> Picture:
    """Draw what each task adds to a request as a native filter, in Wasm and in Lua, with the range of the rounds."""
    profile = profile or default_profile()
    look = theme_of(theme)
    tasks = list(dict.fromkeys(name.split(".")[1] for name in profile.coefficients if name.startswith(_PREFIX)))
    figure, [panel] = axes(look, "What a filter adds to a request", height=1.4 + 0.7 * max(2, len(tasks)))
    words = []
    for place, (engine, colour, marker) in enumerate(zip(ENGINES, look.series, MARKERS, strict=False)):
        found = {
            row: profile.estimate(name)
            for row, task in enumerate(tasks)
            if (name := f"{_PREFIX}{task}.{engine}") in profile.coefficients
        }
        panel.errorbar(
            [each.value / 1e3 for each in found.values()],
            [row + 0.22 * (place - 1) for row in found],
            xerr=[
                [(each.value - each.low) / 1e3 for each in found.values()],
                [(each.high - each.value) / 1e3 for each in found.values()],
            ],
            fmt=marker, color=colour, elinewidth=1.6, capsize=3, markersize=7, label=engine,
        )  # fmt: skip
        words += [f"{tasks[row]} {engine} {each.value / 1e3:.1f} us" for row, each in found.items()]
    panel.set_yticks(range(len(tasks)), [task.replace("_", " ") for task in tasks])
    panel.set_ylim(len(tasks) - 0.4, -0.6)
    panel.set_xlim(left=min(0.0, panel.get_xlim()[0]))
    panel.set_xlabel("us of CPU time over the request without the filter; bars: nine of ten rounds")
    legend(panel, look, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return Picture(figure, f"CPU time that filters add to a request, in microseconds. {'; '.join(words)}.")


def cost_stacks(
    bars: Mapping[str, Mapping[str, Estimate]], unit: str, title: str, *, theme: ThemeName = "light"
) -> Picture:
    """Draw time or memory as stacked bars, a colour for each part, with the range of the whole.

    Parameters
    ----------
    bars : mapping of str to mapping of str to Estimate
        Parts by label, as :func:`~meshsim.cost.request_parts`, :func:`~meshsim.cost.memory_parts`,
        :func:`~meshsim.cost.loading_parts` or a stage of :func:`~meshsim.cost.rollout` give them.
    unit : str
        ``us`` or ``ms`` for times, ``MiB`` for memory.
    title : str
        What it is.
    """
    look = theme_of(theme)
    there = {name for parts in bars.values() for name, each in parts.items() if each.value > 0}
    sizes = {
        label: {name: max(0.0, each.value) / UNITS[unit] for name, each in parts.items() if name in there}
        for label, parts in bars.items()
    }
    figure, [panel] = axes(look, title, height=1.5 + 0.45 * max(2, len(bars)))
    stack(panel, look, sizes, height=0.6)
    wholes = {label: total(parts.values()) for label, parts in bars.items()}
    for row, whole in enumerate(wholes.values()):
        low, value, high = (each / UNITS[unit] for each in (whole.low, whole.value, whole.high))
        panel.errorbar(value, row, xerr=[[value - low], [high - value]], color=look.ink, capsize=3, elinewidth=1.2)
        panel.annotate(f"  {value:.3g} {unit}", (high, row), va="center", color=look.ink, fontsize=9)
    panel.set_xlim(0, 1.2 * max((whole.high for whole in wholes.values()), default=1.0) / UNITS[unit] or 1.0)
    panel.set_xlabel(unit)
    legend(panel, look, loc="center left", bbox_to_anchor=(1.0, 0.5))
    words = "; ".join(f"{label}: {whole.value / UNITS[unit]:.3g} {unit}" for label, whole in wholes.items())
    return Picture(figure, f"{title}, by part. {words}.")
