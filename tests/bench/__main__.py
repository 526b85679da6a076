"""Benchmarks: each figure is a ratio to something that ran in the same minute on the same machine.

JSON lines go to standard output, a table for people to standard error. A figure is a function with the decorator
:func:`tests.bench.figures.figure`, in any module of this folder; pytest asserts none of them.
"""

from __future__ import annotations

import argparse
import json
import os
import pkgutil
import platform
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import distributions
from typing import Any

import tests.bench
from tests.bench.figures import REGISTRY, Figure, Outcome

PACKAGES = {"meshsim", "numpy", "simpy", "wasmtime"}


def register_all() -> None:
    """Import every module beside this one; those with figures register them."""
    for module in pkgutil.iter_modules(tests.bench.__path__):
        if not module.name.startswith(("_", "test_")):
            import_module(f"tests.bench.{module.name}")


def machine() -> dict[str, Any]:
    """Say where the figures come from; without it they mean nothing."""
    return {
        "machine": platform.machine(),
        "system": platform.platform(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": {found.name: found.version for found in distributions() if found.name in PACKAGES},
    }


def as_json(figure: Figure, outcome: Outcome) -> dict[str, Any]:
    """Give the line of a figure; ``ok`` is null where there is no bar."""
    bars = {"at_least": figure.at_least, "at_most": figure.at_most}
    barred = {name: bar for name, bar in bars.items() if bar is not None}
    return {
        "figure": figure.name,
        "value": round(outcome.value, 3),
        "unit": figure.unit,
        **barred,
        "ok": figure.meets(outcome.value) if barred else None,
        **outcome.details,
    }


def as_row(line: dict[str, Any]) -> str:
    """Give the line of a figure for people."""
    bars = [f"{sign} {line[bar]:g}" for bar, sign in (("at_least", ">="), ("at_most", "<=")) if bar in line]
    verdict = {True: "ok", False: "MISSED", None: ""}[line["ok"]]
    spread = "{:g} .. {:g}".format(*line["range"]) if "range" in line else ""
    return f"{line['figure']:<32}{line['value']:>10g} {line['unit']:<8}{' '.join(bars):<10}{verdict:<8}{spread}"


def chosen(words: Sequence[str]) -> Iterator[Figure]:
    """Give the figures whose names contain one of ``words``; without words, all."""
    return (figure for name, figure in REGISTRY.items() if not words or any(word in name for word in words))


def main() -> int:
    """Run; 1 when ``--check`` was given and a bar was missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("words", nargs="*", metavar="WORD", help="only figures whose names contain one of these")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a figure misses its bar")
    arguments = parser.parse_args()
    register_all()
    print(json.dumps(machine()), flush=True)
    missed = False
    for figure in chosen(arguments.words):
        line = as_json(figure, figure.run())
        print(json.dumps(line), flush=True)
        print(as_row(line), file=sys.stderr, flush=True)
        missed |= line["ok"] is False
    return int(missed and arguments.check)


if __name__ == "__main__":
    sys.exit(main())
