"""Bars of parts: no part is lost, and no two look alike."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from meshsim.figures.canvas import THEMES, axes
from meshsim.figures.stacks import stack


def bars_of(panel: Axes) -> list[Rectangle]:
    """All pieces of bars, part by part."""
    return [patch for patch in panel.patches if isinstance(patch, Rectangle)]


@pytest.mark.parametrize("theme", THEMES)
def test_twenty_parts_are_all_drawn_and_told_apart(theme: str) -> None:
    look = THEMES[theme]
    _, [panel] = axes(look, "Parts")
    ends = stack(panel, look, {"all": {f"part {n}": 1.0 for n in range(20)}, "one": {"part 3": 2.5}}, height=0.6)
    assert ends == [20.0, 2.5]
    assert len({(bar.get_facecolor(), bar.get_hatch()) for bar in bars_of(panel)}) == 20
    assert [label.get_text() for label in panel.get_yticklabels()] == ["all", "one"]


def test_a_part_begins_where_the_one_before_ends() -> None:
    look = THEMES["light"]
    _, [panel] = axes(look, "Parts")
    stack(panel, look, {"both": {"code": 2.0, "heap": 3.0}, "heap only": {"heap": 4.0}}, height=0.6)
    assert [(bar.get_x(), bar.get_width()) for bar in bars_of(panel)] == [
        (0.0, 2.0),
        (0.0, 0.0),
        (2.0, 3.0),
        (0.0, 4.0),
    ]
