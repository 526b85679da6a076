"""The overhead lab's still: two stacked bars, the comparison, the curves and the strip in one picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from meshsim.figures.svg import element, picture

View = dict[str, Any]

WIDTH = 960.0
_BAR, _LINE = 26.0, 20.0
_PLOT_HEIGHT = 210.0
_ENGINE_COLOURS = {"native": "grey", "lua": "orange", "wasm": "blue"}


def picture_of(view: View) -> str:
    """Draw the lab."""
    parts: list[str] = []
    y = 8.0
    for title, bar in (("Memory of the process", view["memory"]), ("CPU time of a request", view["cpu"])):
        parts += _stack(title, bar, y)
        y += 74 + _LINE * ((len(bar["parts"]) + 1) // 2)
    if view["sides"]["tasks"]:
        parts += _sides(view["sides"]["tasks"], y)
        y += 40 + sum(18 * len(task["bars"]) + 8 for task in view["sides"]["tasks"])
    parts += _curves(view["latency"], y)
    y += _PLOT_HEIGHT + 78
    parts += _strip(view["crash"], y)
    y += 76
    return picture(WIDTH, y, "What Wasm filters cost", view["subtitle"], *parts)


def rows_of(view: View) -> list[tuple[str, str, str]]:
    """Return the same as a table: what, how much, range."""
    rows = []
    for title, bar in (("memory", view["memory"]), ("CPU of a request", view["cpu"])):
        rows.append((f"{title}, all", _marked(bar["total"]), bar["range"]))
        rows += [(f"{title}: {part['name']}", _marked(part["value"]), part["range"]) for part in bar["parts"]]
    for task in view["sides"]["tasks"]:
        rows += [(f"{task['name']}, {bar['engine']}", _marked(bar["value"]), bar["range"]) for bar in task["bars"]]
    for curve in view["latency"]["curves"]:
        rows += [(f"latency {curve['name']}", point["words"], "") for point in curve["points"]]
    rows += [(f"crash: {item['words']}", _marked(item["count"]), "") for item in view["crash"]["legend"]]
    return rows


def _marked(number: dict[str, str]) -> str:
    return f"{number['text']} {number['mark']}"


def _text(text: str, x: float, y: float, **attributes: str | float) -> str:
    return element("text", text=text, x=x, y=y, **attributes)


def _stack(title: str, bar: View, y: float) -> Iterator[str]:
    yield _text(title, 8.0, y + 15, class_="strong")
    total = f"{_marked(bar['total'])}   ({bar['range']})"
    yield _text(total, WIDTH - 8, y + 15, text_anchor="end", class_="strong")
    x, width = 8.0, WIDTH - 16
    for i, part in enumerate(bar["parts"]):
        wide = width * part["share"]
        yield element("rect", x=x, y=y + 24, width=max(wide, 0.5), height=_BAR, fill=f"var(--{part['colour']})")
        if wide > 16:
            letter = {"style": f"fill:var(--on-{part['colour']});font-weight:700", "text_anchor": "middle"}
            yield _text(part["letter"], x + wide / 2, y + 41, **letter)
        x += wide
        left, top = 8 + (i % 2) * WIDTH / 2, y + 68 + _LINE * (i // 2)
        yield element("rect", x=left, y=top - 10, width=12.0, height=12.0, fill=f"var(--{part['colour']})")
        yield _text(f"{part['letter']}  {part['name']}: {_marked(part['value'])}", left + 18, top)


def _sides(tasks: Sequence[View], y: float) -> Iterator[str]:
    yield _text(
        "The same task as native filter, in Lua, in Wasm: CPU it adds to a request", 8.0, y + 15, class_="strong"
    )
    y += 26
    for task in tasks:
        yield _text(task["name"], 150.0, y + 13, text_anchor="end")
        for bar in task["bars"]:
            wide = max(1.0, 560 * bar["share"])
            colour = _ENGINE_COLOURS[bar["engine"]]
            yield element("rect", x=160.0, y=y, width=wide, height=14.0, fill=f"var(--{colour})")
            yield _text(f"{bar['engine']} {_marked(bar['value'])}", 166 + wide, y + 12, class_="soft")
            y += 18
        y += 8


def _curves(latency: View, y: float) -> Iterator[str]:
    yield _text("Latency under load, p99", 8.0, y + 15, class_="strong")
    yield _text(latency["words"], 8.0, y + 34, class_="soft")
    curves = latency["curves"]
    if not curves:
        return
    left, right, bottom = 70.0, WIDTH - 150, y + 48 + _PLOT_HEIGHT
    points = [point for curve in curves for point in curve["points"]]
    most_rate, most_ns = max(p["rate"] for p in points), max(p["high"] or p["p99"] for p in points)
    for i in range(5):
        ns = most_ns * i / 4
        line_y = bottom - _PLOT_HEIGHT * i / 4
        yield element("line", x1=left, x2=right, y1=line_y, y2=line_y, class_="grid")
        yield _text(f"{ns / 1000:,.0f} µs", left - 6, line_y + 4, text_anchor="end", class_="soft")
        yield _text(
            f"{most_rate * i / 4:,.0f}/s",
            left + (right - left) * i / 4,
            bottom + 16,
            text_anchor="middle",
            class_="soft",
        )
    for curve in curves:
        places = [
            (left + (right - left) * p["rate"] / most_rate, bottom - _PLOT_HEIGHT * p["p99"] / most_ns)
            for p in curve["points"]
        ]
        colour = f"var(--{curve['colour']})"
        path = "M" + " L".join(f"{x:g} {line_y:g}" for x, line_y in places)
        dash = "6 4" if curve["mark"] == "square" else "none"
        yield element("path", d=path, stroke=colour, stroke_width=2.0, fill="none", stroke_dasharray=dash)
        for x, line_y in places:
            if curve["mark"] == "square":
                yield element("rect", x=x - 4, y=line_y - 4, width=8.0, height=8.0, fill=colour)
            else:
                yield element("circle", cx=x, cy=line_y, r=4.5, fill=colour)
        x, line_y = places[-1]
        yield _text(curve["name"], x + 10, line_y + 4)


def _strip(crash: View, y: float) -> Iterator[str]:
    yield _text(crash["rule"], 8.0, y + 15, class_="strong")
    for i, cell in enumerate(crash["cells"]):
        x = 8 + i * 30.0
        yield element("rect", x=x, y=y + 24, width=26.0, height=22.0, rx=3.0, fill=f"var(--{cell['colour']})")
        yield _text(cell["sign"], x + 13, y + 40, text_anchor="middle", style=f"fill:var(--on-{cell['colour']})")
    words = "   ".join(f"{item['sign']} {item['words']} ({item['count']['text']})" for item in crash["legend"])
    yield _text(words, 8.0, y + 64, class_="soft")
