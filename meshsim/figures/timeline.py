"""A timeline: tracks beneath each other, bars on them, one axis of virtual time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from meshsim.figures.svg import SANS_WIDTH, element, picture

WIDTH = 960.0
_GUTTER, _RIGHT, _TOP, _AXIS = 84.0, 14.0, 26.0, 30.0
_TRACK, _BAR = 38.0, 26.0
_TICKS = 7
_LABEL_PX = 12.0
_THIN = 3.0


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that takes time, in ns; ``kind`` names its colour, ``note`` is shown when one points at it."""

    start_ns: int
    end_ns: int
    label: str
    kind: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Track:
    """A thread, and what it did."""

    name: str
    bars: Sequence[Bar]


def timeline(title: str, description: str, tracks: Sequence[Track], legend: Sequence[tuple[str, str]] = ()) -> str:
    """Draw a timeline.

    Parameters
    ----------
    tracks : sequence of Track
        From top to bottom.
    legend : sequence of (kind, label)
        Drawn above, in order.

    Returns
    -------
    str
        An SVG element, 960 units wide.
    """
    bars = [bar for track in tracks for bar in track.bars]
    scale = _Scale(min((bar.start_ns for bar in bars), default=0), max((bar.end_ns for bar in bars), default=1))
    bottom = _TOP + _TRACK * len(tracks)
    return picture(
        WIDTH,
        bottom + _AXIS,
        title,
        description,
        *_legend(legend),
        *(part for i, track in enumerate(tracks) for part in _lane(track.name, _TOP + _TRACK * i)),
        *_axis(scale, bottom),
        *(part for i, track in enumerate(tracks) for part in _bars(track.bars, _TOP + _TRACK * (i + 0.5), scale)),
    )


class _Scale:
    """From virtual ns to units of the picture."""

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self.start_ns = start_ns
        self.length_ns = max(1, end_ns - start_ns)
        self.unit_ns, self.unit = next(
            (size, name) for size, name in ((10**6, "ms"), (10**3, "µs"), (1, "ns")) if self.length_ns >= size
        )

    def x(self, time_ns: int) -> float:
        return _GUTTER + (WIDTH - _GUTTER - _RIGHT) * (time_ns - self.start_ns) / self.length_ns

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Round steps of 1, 2 or 5, about as many as there is room for."""
        step = next(
            round_ns
            for power in range(20)
            for digit in (1, 2, 5)
            if self.length_ns / (round_ns := digit * 10**power) <= _TICKS
        )
        for time_ns in range(0, self.length_ns + 1, step):
            yield self.x(self.start_ns + time_ns), f"{time_ns / self.unit_ns:g} {self.unit}"


def _legend(entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    x = _GUTTER
    for kind, label in entries:
        yield element("rect", x=x, y=5.0, width=12.0, height=12.0, rx=2.0, fill=f"var(--{kind})")
        yield element("text", text=label, x=x + 17, y=15.0, class_="soft")
        x += 34 + len(label) * _LABEL_PX * SANS_WIDTH


def _lane(name: str, y: float) -> Iterator[str]:
    yield element("rect", x=_GUTTER, y=y + 2, width=WIDTH - _GUTTER - _RIGHT, height=_TRACK - 4, rx=4.0, class_="lane")
    yield element("text", text=name, x=_GUTTER - 10, y=y + _TRACK / 2 + 4.5, text_anchor="end", class_="strong")


def _bars(bars: Sequence[Bar], middle: float, scale: _Scale) -> Iterator[str]:
    for bar in bars:
        x = scale.x(bar.start_ns)
        width = max(_THIN, scale.x(bar.end_ns) - x - 1)
        parts = [
            element("title", text=bar.note or bar.label),
            element("rect", x=x, y=middle - _BAR / 2, width=width, height=_BAR, rx=3.0, fill=f"var(--{bar.kind})"),
        ]
        if width > len(bar.label) * _LABEL_PX * SANS_WIDTH + 8:
            parts.append(
                element("text", text=bar.label, x=x + width / 2, y=middle + 4.5, text_anchor="middle", class_="onbar")
            )
        yield element("g", *parts)


def _axis(scale: _Scale, bottom: float) -> Iterator[str]:
    for x, label in scale.ticks():
        yield element("line", x1=x, x2=x, y1=_TOP, y2=bottom + 4, class_="grid")
        yield element("text", text=label, x=x, y=bottom + 18, text_anchor="middle", class_="soft")
