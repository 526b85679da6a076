"""What every picture keeps: it is well-formed, nothing leaves it, hostile text stays text."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from meshsim.figures.provenance import Origin
from meshsim.figures.sequence import Arrow, Lifeline, sequence
from meshsim.figures.svg import standalone, stylesheet
from meshsim.figures.timeline import Bar, Track, timeline

HOSTILE = "</svg><script>alert(1)</script>\x1b[2J & \"'\udcff"
SVG = "{http://www.w3.org/2000/svg}"


def rects(svg: str, kind: str) -> list[ET.Element]:
    return [rect for rect in ET.fromstring(svg).iter(f"{SVG}rect") if rect.get("fill") == f"var(--{kind})"]


def drawn() -> list[str]:
    return [
        timeline(HOSTILE, HOSTILE, [Track(HOSTILE, [Bar(0, 9, HOSTILE, "clone", HOSTILE)])], [("clone", HOSTILE)]),
        sequence(HOSTILE, HOSTILE, [Lifeline(HOSTILE, 0.1), Lifeline("b", 0.9)],
                 [Arrow(0, 1, HOSTILE, "request", said=HOSTILE, time=HOSTILE)]),
    ]  # fmt: skip


@pytest.mark.parametrize("svg", drawn() + [standalone(svg) for svg in drawn()])
def test_hostile_text_stays_text(svg: str) -> None:
    root = ET.fromstring(svg)
    assert not list(root.iter(f"{SVG}script"))
    assert "\x1b" not in svg


@pytest.mark.parametrize("svg", drawn())
def test_a_picture_has_words_for_those_who_do_not_see_it(svg: str) -> None:
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert root.find(f"{SVG}title") is not None
    assert root.find(f"{SVG}desc") is not None


def test_bars_are_as_long_as_their_time() -> None:
    svg = timeline("t", "d", [Track("main", [Bar(0, 100, "a", "clone"), Bar(100, 400, "b", "start")])])
    [a], [b] = rects(svg, "clone"), rects(svg, "start")
    width_a, width_b = (float(rect.get("width", "0")) + 1 for rect in (a, b))  # a unit of space between bars
    assert width_b == pytest.approx(3 * width_a, abs=0.1)
    assert float(b.get("x", "0")) == pytest.approx(float(a.get("x", "0")) + width_a, abs=0.1)


def test_what_takes_no_time_can_still_be_seen() -> None:
    [bar] = rects(timeline("t", "d", [Track("main", [Bar(0, 1000, "a", "clone"), Bar(10, 10, "b", "start")])]), "start")
    assert float(bar.get("width", "0")) >= 2


@pytest.mark.parametrize(("length_ns", "unit"), [(400, "ns"), (40_000, "µs"), (9_700_000, "ms")])
def test_the_axis_has_a_fitting_unit_and_few_ticks(length_ns: int, unit: str) -> None:
    svg = timeline("t", "d", [Track("main", [Bar(5, 5 + length_ns, "", "clone")])])
    ticks = re.findall(rf">([\d.]+) {unit}<", svg)
    assert ticks[0] == "0"
    assert 3 <= len(ticks) <= 9


def test_nothing_to_show_is_no_error() -> None:
    ET.fromstring(timeline("t", "d", []))
    ET.fromstring(sequence("t", "d", [Lifeline("a", 0.5)], []))


def test_text_over_an_arrow_fits_between_its_ends() -> None:
    long = "x" * 500
    svg = sequence("t", "d", [Lifeline("a", 0.1), Lifeline("b", 0.3)], [Arrow(0, 1, long, "request")])
    assert long not in svg
    assert "\N{HORIZONTAL ELLIPSIS}" in svg


def test_every_colour_has_a_light_and_a_dark_form() -> None:
    light, dark = stylesheet().split("@media")
    names = re.findall(r"(--[\w-]+):", light)
    assert len(names) > 20
    assert set(re.findall(r"(--[\w-]+):", dark)) == set(names)
    assert all(f"--{origin.value}" in names for origin in Origin)


def test_nothing_is_fetched() -> None:
    for svg in drawn():
        assert "http" not in standalone(svg).replace("http://www.w3.org/2000/svg", "")


def test_origins_differ_by_mark_not_only_by_colour() -> None:
    assert len({origin.mark for origin in Origin}) == len({origin.ascii_mark for origin in Origin}) == len(Origin)
    assert all(origin.ascii_mark.isascii() for origin in Origin)
