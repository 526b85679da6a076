"""Pictures of costs: everything that a profile has is in them, in both themes, and nothing outside of the frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from meshsim.cost import Module, Work, default_profile, loading_parts, memory_parts, request_parts, rollout
from meshsim.figures.canvas import THEMES, Picture
from meshsim.figures.costs import ENGINES, cost_stacks, tasks_by_engine

MODULES = [Module(1_000_000)]
MEMORY = {f"{count} workers": memory_parts(MODULES, count) for count in (1, 4)}
REQUESTS = {"plain": request_parts(Work()), "one filter": request_parts(Work(filters=1, callbacks=7, fuel=10_000))}
PICTURES: dict[str, Callable[[Any], Picture]] = {
    "tasks": lambda theme: tasks_by_engine(theme=theme),
    "memory": lambda theme: cost_stacks(MEMORY, "MiB", "Memory", theme=theme),
    "rollout": lambda theme: cost_stacks(rollout(MODULES, MODULES, 2), "MiB", "A rollout", theme=theme),
    "request": lambda theme: cost_stacks(REQUESTS, "us", "A request", theme=theme),
    "loading": lambda theme: cost_stacks({"1 MB": loading_parts(1_000_000)}, "ms", "Loading", theme=theme),
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_has_words_and_stays_in_its_frame(name: str, theme: str) -> None:
    picture = PICTURES[name](theme)
    assert picture.render("png").startswith(b"\x89PNG")
    assert len(picture.description) > 30
    drawn, whole = picture.figure.get_tightbbox(), picture.figure.bbox_inches
    assert drawn.x0 >= whole.x0 - 0.02
    assert drawn.x1 <= whole.x1 + 0.02
    assert drawn.y1 <= whole.y1 + 0.02


def test_each_engine_has_its_row_of_marks_and_its_words() -> None:
    picture = tasks_by_engine()
    [panel] = picture.figure.axes
    assert [text.get_text() for text in panel.get_legend().get_texts()] == list(ENGINES)
    assert picture.description.count(" us") == 12


def test_what_was_not_measured_is_not_drawn() -> None:
    shipped = default_profile()
    kept = {name: each for name, each in shipped.coefficients.items() if name != "task_ns.rewrite_body.native"}
    assert tasks_by_engine(replace(shipped, coefficients=kept)).description.count(" us") == 11


def test_parts_that_are_nothing_are_left_out_of_the_legend() -> None:
    [panel] = cost_stacks(REQUESTS, "us", "A request").figure.axes
    names = [text.get_text() for text in panel.get_legend().get_texts()]
    assert "Lua" not in names
    assert names[0] == "plain request"
