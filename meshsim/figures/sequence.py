"""A sequence: lifelines side by side, arrows between them from top to bottom, what was said beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from meshsim.figures.svg import MONO_WIDTH, element, picture

WIDTH = 960.0
_TOP, _ROW, _BOTTOM = 46.0, 30.0, 14.0
_MONO_PX = 12.0
_HEAD = 7.0


@dataclass(frozen=True, slots=True)
class Lifeline:
    """Somebody who takes part, at a place between 0 (left) and 1 (right)."""

    name: str
    place: float


@dataclass(frozen=True, slots=True)
class Arrow:
    """A call or an answer.

    ``source`` and ``target`` count lifelines; ``kind`` names the colour; ``said`` is what was logged meanwhile, shown
    left of both ends; ``time`` stands at the left edge.
    """

    source: int
    target: int
    text: str
    kind: str
    answer: bool = False
    said: str = ""
    time: str = ""


def sequence(title: str, description: str, lifelines: Sequence[Lifeline], arrows: Sequence[Arrow]) -> str:
    """Draw a sequence; each arrow has a row of its own.

    Returns
    -------
    str
        An SVG element, 960 units wide.
    """
    places = [line.place * WIDTH for line in lifelines]
    height = _TOP + _ROW * len(arrows) + _BOTTOM
    return picture(
        WIDTH,
        height,
        title,
        description,
        *(part for line, x in zip(lifelines, places, strict=True) for part in _lifeline(line, x, height)),
        *(part for row, arrow in enumerate(arrows) for part in _arrow(arrow, places, _TOP + _ROW * (row + 0.8))),
    )


def _lifeline(line: Lifeline, x: float, height: float) -> Iterator[str]:
    width = len(line.name) * 7.6 + 22
    left = min(max(2.0, x - width / 2), WIDTH - width - 2)
    yield element("line", x1=x, x2=x, y1=30.0, y2=height - 4, class_="life")
    yield element("rect", x=left, y=4.0, width=width, height=26.0, rx=5.0, class_="lane", stroke="var(--line)")
    yield element("text", text=line.name, x=left + width / 2, y=21.5, text_anchor="middle", class_="strong")


def _arrow(arrow: Arrow, places: Sequence[float], y: float) -> Iterator[str]:
    start, end = places[arrow.source], places[arrow.target]
    way = 1 if end > start else -1
    colour = f"var(--{arrow.kind})"
    tip = f"M{end - way * _HEAD:g} {y - 4:g} L{end:g} {y:g} L{end - way * _HEAD:g} {y + 4:g} Z"
    yield element(
        "line", x1=start, x2=end - way * _HEAD / 2, y1=y, y2=y,
        class_="arrow answer" if arrow.answer else "arrow", stroke=colour,
    )  # fmt: skip
    yield element("path", d=tip, fill=colour)
    left, right = min(start, end), max(start, end)
    text = _fitting(arrow.text, right - left - 16)
    yield element("text", text=text, x=(left + right) / 2, y=y - 5, text_anchor="middle", class_="mono")
    if arrow.said:
        yield element("text", text=arrow.said, x=left - 12, y=y + 4, text_anchor="end", class_="said")
    if arrow.time:
        yield element("text", text=arrow.time, x=4.0, y=y + 4, class_="soft")


def _fitting(text: str, width: float) -> str:
    room = int(width / (_MONO_PX * MONO_WIDTH))
    return text if len(text) <= room else text[: room - 1] + "\N{HORIZONTAL ELLIPSIS}"
