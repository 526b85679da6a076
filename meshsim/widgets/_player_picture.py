"""The player's still picture: lifelines at the left, and beside each arrow what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil

from meshsim.figures.svg import MONO_WIDTH, element, picture
from meshsim.widgets._player_journey import Journey, Step

WIDTH = 960.0
_TIME, _LANES, _ROW, _TOP, _LEVEL = 62.0, 400.0, 23.0, 62.0, 26.0
_DIGIT = 7.0
_MONO_PX = 11.5
#: Kinds of steps whose text is a function's name.
CALLS = frozenset({"callback", "return", "hostcall", "memory"})

_COLOURS = {
    "wire": "ink", "callback": "callback", "return": "callback", "hostcall": "vermillion", "memory": "soft",
    "log": "green", "envoy": "grey", "pause": "orange", "resume": "green", "reply": "purple", "filter": "grey",
}  # fmt: skip
#: Signs of what happens at one lifeline, told apart by shape.
_SIGNS = {
    "log": "\N{HEAVY DOUBLE TURNED COMMA QUOTATION MARK ORNAMENT}",
    "pause": "\N{DOUBLE VERTICAL BAR}",
    "resume": "\N{BLACK RIGHT-POINTING TRIANGLE}",
    "reply": "\N{BLACK DIAMOND}",
}
_DASHES = {"return": "5 3", "memory": "2 3"}


def picture_of(journey: Journey, steps: Sequence[Step]) -> str:
    """Draw steps of a request, a row each."""
    width = min(78.0, _LANES / len(journey.lifelines))
    times_at = max(_TIME, 14 + _DIGIT * max((len(_time_of(step)) for step in steps), default=0))
    places = {name: times_at + width * (i + 0.5) for i, name in enumerate(journey.lifelines)}
    words_at = times_at + width * len(places) + 10
    levels = _levels(journey.lifelines, width)
    top = _TOP + _LEVEL * (levels - 2)
    bottom = top + _ROW * len(steps) + 8
    return picture(
        WIDTH,
        bottom,
        f"{journey.title}, step by step",
        f"Arrows between {', '.join(journey.lifelines)}, from top to bottom, with what each says.",
        *(part for i, (name, x) in enumerate(places.items()) for part in _lifeline(i % levels, name, x, bottom)),
        *(
            part
            for row, step in enumerate(steps)
            for part in _row(step, places, times_at, words_at, top + _ROW * (row + 0.5))
        ),
    )


def _levels(names: Sequence[str], width: float) -> int:
    """Return in how many rows names stand so that each has room: at least two."""
    return max(2, ceil(max(map(_name_width, names)) / width))


def _name_width(name: str) -> float:
    return len(name) * 7.2 + 16


def _lifeline(level: int, name: str, at: float, bottom: float) -> Iterator[str]:
    """Draw who takes part; a name that would stand beyond the left edge stands at it."""
    width, top, x = _name_width(name), 3.0 + _LEVEL * level, at
    at = max(at, width / 2 + 2)
    yield element("line", x1=x, x2=x, y1=top + 22, y2=bottom - 4, class_="life")
    yield element(
        "rect", x=at - width / 2, y=top, width=width, height=22.0, rx=5.0, class_="lane", stroke="var(--line)"
    )
    yield element("text", text=name, x=at, y=top + 15.5, text_anchor="middle", class_="strong")


def _time_of(step: Step) -> str:
    return f"{step.time_ns / 1000:,.2f}"


def _row(step: Step, places: dict[str, float], times_at: float, words_at: float, y: float) -> Iterator[str]:
    colour = f"var(--{_COLOURS[step.kind]})"
    yield element("text", text=_time_of(step), x=times_at - 12, y=y + 4, text_anchor="end", class_="soft")
    if step.paused:
        yield element("rect", x=places[step.host] - 4, y=y - _ROW / 2, width=8.0, height=_ROW, fill="var(--orange)")
    start, end = places[step.source], places[step.target]
    if start == end:
        sign = _SIGNS.get(step.kind, "\N{BLACK CIRCLE}")
        yield element("text", text=sign, x=start + 8, y=y + 5, fill=colour, style=f"fill:{colour}")
    else:
        yield from _arrow(step, start, end, y, colour)
    room = int((WIDTH - words_at) / (_MONO_PX * MONO_WIDTH))
    text = line_of(step)
    text = text if len(text) <= room else text[: room - 1] + "\N{HORIZONTAL ELLIPSIS}"
    yield element("text", text=text, x=words_at, y=y + 4, class_="mono", style=f"font-size:{_MONO_PX}px")


def _arrow(step: Step, start: float, end: float, y: float, colour: str) -> Iterator[str]:
    way = 1 if end > start else -1
    answers = step.kind == "wire" and step.text.isdigit()
    dash = "5 3" if answers else _DASHES.get(step.kind, "none")
    yield element(
        "line", x1=start, x2=end - way * 5, y1=y, y2=y, stroke=colour,
        stroke_width=2.2 if step.kind == "wire" else 1.5, stroke_dasharray=dash,
    )  # fmt: skip
    tip = f"M{end - way * 8:g} {y - 4:g} L{end - way:g} {y:g} L{end - way * 8:g} {y + 4:g}"
    filled = step.kind not in ("hostcall", "return")
    yield element("path", d=tip, fill=colour if filled else "none", stroke=colour)


def short(function: str) -> str:
    """Return a function's name without what all of them have."""
    return function.rpartition(".")[2].removeprefix("proxy_")


def words_of(step: Step) -> str:
    """Return a step in words.

    Examples
    --------
    >>> words_of(Step(0, "hostcall", "hello", "Envoy", "env.proxy_log", [["level", "INFO"], ["message", '"hi"']]))
    'log(INFO, "hi")'
    """
    if step.kind == "return":
        return f"{short(step.text)} returns"
    if step.kind not in CALLS:
        return step.text
    plain = (value if value[:1] == '"' or value.isupper() else f"{name}={value}" for name, value in step.fields)
    return f"{short(step.text)}({', '.join(plain)})"


def line_of(step: Step) -> str:
    """Return a step in words, with what came of it."""
    answer = " ".join((step.answer, *(value for _, value in step.gave))).strip()
    return f"{words_of(step)} \N{RIGHTWARDS ARROW} {answer}" if answer else words_of(step)
