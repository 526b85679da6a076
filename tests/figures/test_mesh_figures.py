"""Pictures of meshes: what is in them, in both themes; colours that everybody can tell apart; files that repeat."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meshsim.errors import MeshsimError
from meshsim.figures.canvas import THEMES, Picture, milliseconds
from meshsim.figures.latencies import latency_curves, tail_by_worker
from meshsim.figures.load_curve import LoadPoint, knee, load_curve
from meshsim.figures.mesh_graph import mesh_graph
from meshsim.figures.pods import by_pod, memory_stacks, utilisation
from meshsim.mesh.result import Usage
from meshsim.sim import Interval
from tests.mesh.synthetic import synthetic

RESULT = synthetic(300)


def _point(offered: float) -> LoadPoint:
    exactly = [Interval(value, 1.0, 0.95, 5) for value in (offered, 1e9 / (100 - offered), 4.6e9 / (100 - offered))]
    return LoadPoint(offered, *exactly)


PICTURES: dict[str, Callable[[Any], Picture]] = {
    "latency": lambda theme: latency_curves({"client": RESULT.latency}, theme=theme),
    "tail": lambda theme: tail_by_worker(RESULT, "reviews", theme=theme),
    "load": lambda theme: load_curve([_point(load) for load in (20, 50, 90)], theme=theme),
    "memory": lambda theme: memory_stacks(by_pod(RESULT), theme=theme),
    "busy": lambda theme: utilisation(RESULT, theme=theme),
    "mesh": lambda theme: mesh_graph(RESULT, theme=theme),
}


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_drawn_in_its_theme_and_has_words(name: str, theme: str) -> None:
    picture = PICTURES[name](theme)
    assert picture.render("png").startswith(b"\x89PNG")
    assert picture.figure.get_facecolor() == pytest.approx([*_rgb(THEMES[theme].ground), 1.0])
    assert len(picture.description) > 40
    assert f'alt="{picture.description[:20]}' in picture._repr_html_()


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_picture_gives_the_same_file(name: str, tmp_path: Path) -> None:
    for number in range(2):
        PICTURES[name]("light").save(tmp_path / f"{number}.svg")
    assert (tmp_path / "0.svg").read_bytes() == (tmp_path / "1.svg").read_bytes()


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_lies_outside_of_its_picture(name: str) -> None:
    figure = PICTURES[name]("light").figure
    figure.draw_without_rendering()
    drawn, whole = figure.get_tightbbox(), figure.bbox_inches
    assert drawn.x0 >= whole.x0 - 0.02
    assert drawn.x1 <= whole.x1 + 0.02
    assert drawn.y0 >= whole.y0 - 0.02
    assert drawn.y1 <= whole.y1 + 0.02


def test_a_curve_ends_where_too_few_requests_are_beyond() -> None:
    [panel] = latency_curves({"one": synthetic(340).latency}).figure.axes
    assert panel.lines[0].get_xdata()[-1] == pytest.approx(2)  # 300 requests: 3 beyond p99


def test_the_knee_is_marked() -> None:
    assert knee([]) is None
    picture = load_curve([_point(load) for load in (20, 40, 50, 70, 90)])
    assert picture.description.endswith("The knee is at 50/s.")
    assert any("knee: 50/s" in text.get_text() for text in picture.figure.axes[0].texts)


def test_memory_is_the_sum_of_its_parts() -> None:
    [panel] = memory_stacks({"all": RESULT.memory}).figure.axes
    assert sum(bar.get_width() for bar in panel.patches) == pytest.approx(129)
    assert "129.0 MiB" in panel.texts[0].get_text()


def test_the_heat_map_has_a_row_for_each_that_has_a_bound() -> None:
    panel = utilisation(RESULT).figure.axes[0]
    assert panel.images[0].get_array().shape == (9, 15)
    assert panel.images[0].get_array()[0, 0] == pytest.approx(30)
    assert [text.get_text() for text in panel.texts] == ["roll-out"]


def test_of_very_many_the_busiest_are_shown() -> None:
    from dataclasses import replace

    many = [Usage(f"a-{k}", "worker_0", "", 1, k * 1000, 10**6, (k * 1000,)) for k in range(100)]
    panel = utilisation(replace(RESULT, usage=many)).figure.axes[0]
    labels = [label.get_text() for label in panel.get_yticklabels()]
    assert labels == [f"a-{k} worker_0" for k in range(40, 100)]


def test_errors_have_a_shape() -> None:
    picture = mesh_graph(RESULT)
    assert "front to ratings: 200/s, p99" in picture.description
    [panel] = picture.figure.axes
    markers = [line.get_marker() for line in panel.lines]
    assert sorted(markers) == ["D", "D", "D", "o"], "reviews alone has no errors"


def test_a_theme_or_a_format_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeshsimError, match="light, dark"):
        mesh_graph(RESULT, theme="sepia")  # type: ignore[arg-type]
    with pytest.raises(MeshsimError, match="cannot write"):
        mesh_graph(RESULT).save(tmp_path / "x.nope")


def test_times_are_written_short() -> None:
    assert milliseconds(12_345_678) == "12.3 ms"


# --- colours ---

#: Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision deficiency" (2009),
#: severity 1; on linear RGB.
VISIONS = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def _rgb(colour: str) -> list[float]:
    return [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def _linear(colour: str) -> Any:
    c = np.array(_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _lab(linear: Any) -> Any:
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ np.clip(linear, 0, 1) / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_series_can_be_told_apart_by_everybody(theme: Any, vision: str) -> None:
    """Distances in CIELAB: 2.3 is just noticeable (Mahy, 1994); ten is another colour."""
    seen = {colour: _lab(np.array(VISIONS[vision]) @ _linear(colour)) for colour in theme.series}
    for one, other in combinations(theme.series, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > 10, (one, other)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_everything_stands_out_from_its_ground(theme: Any) -> None:
    """WCAG 2.2: 4.5 for text, 3 for lines and marks."""

    def contrast(colour: str) -> float:
        high, low = sorted((_linear(c) @ [0.2126, 0.7152, 0.0722] for c in (colour, theme.ground)), reverse=True)
        return float((high + 0.05) / (low + 0.05))

    assert min(contrast(colour) for colour in (theme.ink, theme.soft)) >= 4.5
    assert min(contrast(colour) for colour in (*theme.series, theme.good, theme.bad)) >= 3
