"""The view model of the overhead lab: bars, curves and a strip as plain values, for the browser and for the still."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from meshsim.cost import Estimate, Profile
from meshsim.figures.provenance import Origin
from meshsim.widgets._base import number, origins
from meshsim.widgets._overhead import ENGINES, TASKS, Bar, Setup, Share, Side
from meshsim.widgets._overhead_queue import Latency, Tail
from meshsim.widgets._overhead_run import CRASH_AT, STRIP_MS, Outcome

View = dict[str, Any]
Words = Callable[[float], str]

_SIZES = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))
_LETTERS = "ABCDEFGH"
#: What became of a request, as a sign, a colour of the palette, and a sentence.
OUTCOMES = {
    "filtered": ("✓", "green", "filtered: 200"),
    "crashed": ("✕", "vermillion", "the module crashes: 503"),
    "refused": ("■", "orange", "refused without the filter: 503"),
    "passed by": ("○", "sky", "passed on without the filter: 200"),
}
_RULES = {
    "closed": "FAIL_CLOSED: after a crash every request is refused, for the VM stays dead.",
    "open": "FAIL_OPEN: after a crash requests go on without the filter, for the VM stays dead.",
    "reload": "FAIL_RELOAD: after a crash a new VM is made, at most one a second; until then requests are refused.",
}


def size_words(size: float) -> str:
    """Return a size as people read it.

    Examples
    --------
    >>> size_words(1_572_864), size_words(900)
    ('1.5 MiB', '900 B')
    """
    for unit, name in _SIZES:
        if abs(size) >= unit:
            return f"{size / unit:.3g} {name}" if size < 1000 * unit else f"{size / unit:,.0f} {name}"
    return f"{size:.0f} B"


def time_words(ns: float) -> str:
    """Return a time as people read it.

    Examples
    --------
    >>> time_words(1_234), time_words(12), time_words(2_500_000)
    ('1.23 µs', '12 ns', '2.5 ms')
    """
    for unit, name in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(ns) >= unit:
            return f"{ns / unit:.3g} {name}" if ns < 1000 * unit else f"{ns / unit:,.0f} {name}"
    return f"{ns:.3g} ns"


def bar_of(bar: Bar, words: Words) -> View:
    """Return a stacked bar: its parts with their shares, and the sum."""
    whole = bar.total
    return {
        "total": number(words(whole.value) if bar.parts else "not known", Origin.PROFILE),
        "range": _range(whole, words),
        "parts": [
            {
                "letter": letter,
                "name": part.name,
                "value": number(words(part.cost.value), part.origin),
                "range": _range(part.cost, words),
                "share": part.cost.value / whole.value,
                "colour": part.colour,
            }
            for letter, part in zip(_LETTERS, bar.parts, strict=False)
        ],
        "lacking": _lacking(bar),
    }


def _lacking(bar: Bar) -> str:
    """Say what a profile has not measured, and what follows."""
    if not bar.lacks:
        return ""
    instead = "the parts are what the simulator charges" if bar.parts else "no bar is drawn"
    return f"This profile has not measured {bar.lacks}: {instead}. `meshsim calibrate` measures it."


def _range(cost: Estimate, words: Words) -> str:
    return f"{words(cost.low)} to {words(cost.high)}"


def sides_of(sides: Sequence[Side]) -> View:
    """Return the comparison of native, Lua and Wasm: for each task a bar an engine, none that was not measured."""
    tasks = [(words, [side for side in sides if side.task == task]) for task, words in TASKS.items()]
    return {
        "tasks": [
            {
                "name": words,
                "bars": [
                    _side(side, max(other.cost.high for other in measured))
                    for side in sorted(measured, key=lambda side: ENGINES.index(side.engine))
                ],
            }
            for words, measured in tasks
            if measured
        ],
        "lacking": ""
        if sides
        else "This profile has not measured native filters and Lua beside Wasm: no bar is drawn.",
    }


def _side(side: Side, most: float) -> View:
    """Return a bar, on a scale that ends at ``most``; what is not above the noise is said to be that."""
    cost = side.cost
    noise = cost.low <= 0
    words = "\N{ALMOST EQUAL TO} 0, noise" if noise else time_words(cost.value)
    return {
        "engine": side.engine,
        "value": number(words, Origin.PROFILE),
        "range": _range(cost, time_words),
        "share": 0.0 if noise else cost.value / most,
        "low": max(0.0, cost.low / most),
        "high": max(0.0, cost.high / most),
        "how": side.how,
    }


def curve_of(name: str, latency: Latency, mark: str, colour: str) -> View:
    """Return a curve of the latency under load."""
    return {"name": name, "mark": mark, "colour": colour, "points": [_point(tail) for tail in latency.tails()]}


def _point(tail: Tail) -> View:
    low, high = max(tail.median.mean, tail.p99.low), tail.p99.high
    return {
        "load": tail.load,
        "rate": round(tail.per_second),
        "median": round(tail.median.mean),
        "p99": round(tail.p99.mean),
        "low": round(low) if tail.p99.count > 1 else None,
        "high": round(high) if tail.p99.count > 1 else None,
        "words": f"{tail.per_second:,.0f} requests/s: median {time_words(tail.median.mean)}, p99 {_p99_words(tail)}",
    }


def _p99_words(tail: Tail) -> str:
    half = f" ± {time_words(tail.p99.half_width)}" if tail.p99.count > 1 else ""
    return f"{time_words(tail.p99.mean)}{half}"


def strip_of(policy: str, outcomes: Sequence[Outcome], made: int) -> View:
    """Return what a crash does under a failure policy, request by request."""
    used = list(dict.fromkeys(outcome.word for outcome in outcomes))
    counts = {word: sum(outcome.word == word for outcome in outcomes) for word in used}
    return {
        "rule": _RULES[policy],
        "cells": [
            {"word": o.word, "sign": OUTCOMES[o.word][0], "colour": OUTCOMES[o.word][1], "at": i * STRIP_MS}
            for i, o in enumerate(outcomes)
        ],
        "legend": [
            {"sign": OUTCOMES[word][0], "colour": OUTCOMES[word][1], "words": OUTCOMES[word][2],
             "count": number(str(counts[word]), Origin.COUNTED)}
            for word in used
        ],
        "words": f"One request every {STRIP_MS} ms; the module crashes at every {CRASH_AT}th request of its VM.",
        "made": number(str(made), Origin.COUNTED),
    }  # fmt: skip


def subtitle_of(setup: Setup, share: Share) -> str:
    """Return the setup in a line."""
    code = size_words(setup.code_bytes or share.code_bytes)
    return (
        f"{setup.vms} VMs = {setup.keys} \N{MULTIPLICATION SIGN} ({setup.workers} workers + 2); module of {code}; "
        f"for each request and filter {share.callbacks} callbacks, {sum(share.host_calls.values())} host calls"
    )


def memory_words(setup: Setup, bar: Bar, without: Bar, lua: Estimate | None) -> str:
    """Say what the filters add, and what as many Lua filters would."""
    if not bar.parts:
        return ""
    added = size_words(bar.total.value - without.total.value)
    beside = f"; as many Lua filters would take {size_words(lua.value)}" if lua and setup.plugins else ""
    return f"{added} for the filters{beside}"


def cpu_words(bar: Bar, without: Bar) -> str:
    """Say what the filters add to a request."""
    if not bar.parts:
        return ""
    own = without.total.value
    added = bar.total.value - own
    return f"{time_words(added)} for the filters: {added / own:+.0%}"


def legend_of(profile: Profile) -> list[dict[str, str]]:
    """Return the origins of the lab's numbers."""
    date = profile.measured.get("date", "")[:10]
    return origins(Origin.COUNTED, Origin.PROFILE, profile=profile.name, date=date)
