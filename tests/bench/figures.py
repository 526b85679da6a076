"""What a figure is, where figures are kept, and how contestants are timed against each other."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

Result = TypeVar("Result")
Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a figure came to: its value in the unit it was registered with, and whatever explains it."""

    value: float
    details: Mapping[str, Any] = field(default_factory=dict)


class Skipped(Exception):
    """What a figure needs is not here; says what, and what installs it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A benchmark and its bar.

    Attributes
    ----------
    run : callable
        Gives the outcome, or raises :class:`Skipped`.
    at_least, at_most : float or None
        The bar for a value that should be large, or small.
    long : bool
        Takes minutes; runs only when it is asked for.
    workload : callable or None
        Prepares meshsim's own part of the figure and gives it as a function without arguments, for the profiler.
    """

    name: str
    run: Callable[[], Outcome]
    unit: str = "x"
    at_least: float | None = None
    at_most: float | None = None
    long: bool = False
    workload: Callable[[], Work] | None = None

    def meets(self, value: float) -> bool:
        """Is ``value`` on the right side of the bar? Without a bar everything is."""
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)


REGISTRY: dict[str, Figure] = {}


def figure(
    name: str,
    *,
    unit: str = "x",
    at_least: float | None = None,
    at_most: float | None = None,
    long: bool = False,
    workload: Callable[[], Work] | None = None,
) -> Callable[[Callable[[], Outcome]], Callable[[], Outcome]]:
    """Register a function without arguments as the figure ``name``; see :class:`Figure`."""

    def register(run: Callable[[], Outcome]) -> Callable[[], Outcome]:
        if name in REGISTRY:
            raise ValueError(f"two figures are named {name}")
        REGISTRY[name] = Figure(name, run, unit, at_least, at_most, long, workload)
        return run

    return register


@dataclass(frozen=True, slots=True)
class Race:
    """Seconds that each contestant took, round by round."""

    seconds: Mapping[str, list[float]]

    def ratios(self, fast: str, slow: str) -> list[float]:
        """How many times faster ``fast`` was than ``slow``, in each round."""
        return [s / f for f, s in zip(self.seconds[fast], self.seconds[slow], strict=True)]

    def outcome(self, fast: str, slow: str, **details: Any) -> Outcome:
        """Give the median over rounds of how many times faster ``fast`` was than ``slow``.

        The ratio is taken within a round, in which both met the same machine; so it hardly moves when the machine
        is slowed down half-way, as the ratio of two medians does.
        """
        ratios = self.ratios(fast, slow)
        return Outcome(
            median(ratios),
            {
                "fast": fast,
                "slow": slow,
                "range": [round(min(ratios), 3), round(max(ratios), 3)],
                "median_seconds": {name: round(median(self.seconds[name]), 6) for name in (fast, slow)},
                **details,
            },
        )


def agree(results: Mapping[str, object]) -> None:
    """Refuse contestants that do not come to the same result: their times would say nothing."""
    (first, expected), *others = results.items()
    for name, result in others:
        if result != expected:
            raise RuntimeError(f"{first} and {name} do not agree: {expected} and {result}")


def in_turns(contestants: Mapping[str, Callable[[], Result]], rounds: int) -> dict[str, list[Result]]:
    """Let each have its turn in every round, and give what each came to, round by round.

    Every other round goes backwards, so that none always runs in the wake of the same other one.
    """
    results: dict[str, list[Result]] = {name: [] for name in contestants}
    for number in range(rounds):
        order = list(contestants.items())
        for name, turn in reversed(order) if number % 2 else order:
            results[name].append(turn())
    return results


def race(contestants: Mapping[str, Work], rounds: int = 7, clock: Callable[[], float] = perf_counter) -> Race:
    """Time the contestants in turns, each once a round, after one round that does not count.

    Garbage is collected before each turn and the collector stays on, as in real runs; it does not look at what was
    there before the race.
    """
    for run in contestants.values():
        run()

    def timed(run: Work) -> float:
        gc.collect()
        start = clock()
        run()
        return clock() - start

    gc.freeze()
    try:
        return Race(in_turns({name: partial(timed, run) for name, run in contestants.items()}, rounds))
    finally:
        gc.unfreeze()
