"""Bars of parts that are put end to end: a row a bar, a colour and a hatch a part."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from typing import TYPE_CHECKING

from meshsim.figures.canvas import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: One more than a theme has colours, so that it takes all pairs of the two until parts look alike.
_HATCHES = ("", "//", "..", "\\\\", "xx", "--", "++", "oo")


def stack(panel: Axes, look: Theme, bars: Mapping[str, Mapping[str, float]], *, height: float) -> list[float]:
    """Draw bars from top to bottom, and name them at the left.

    Parameters
    ----------
    panel : Axes
        Where to.
    look : Theme
        Its colours.
    bars : mapping of str to mapping of str to float
        By label, the size of each part, from 0; in the unit of the axis.
    height : float
        Of a bar; 1 leaves no room between two.

    Returns
    -------
    list of float
        Where each bar ends.
    """
    parts = dict.fromkeys(part for sizes in bars.values() for part in sizes)
    ends = [0.0] * len(bars)
    for part, colour, hatch in zip(parts, cycle(look.series), cycle(_HATCHES), strict=False):
        widths = [sizes.get(part, 0.0) for sizes in bars.values()]
        panel.barh(
            range(len(bars)), widths, left=ends, color=colour, hatch=hatch, edgecolor=look.ground, height=height,
            linewidth=0, label=part,
        )  # fmt: skip
        ends = [end + width for end, width in zip(ends, widths, strict=True)]
    panel.set_yticks(range(len(bars)), list(bars))
    panel.set_ylim(len(bars) - 0.4, -0.6)
    panel.grid(axis="y", visible=False)
    return ends
