"""``meshsim calibrate``: measure what filters cost in the real Envoy here, and write it as a cost profile."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from meshsim.cli.console import STDOUT, console, examples, say, table, write_text
from meshsim.errors import MeshsimError

if TYPE_CHECKING:
    from meshsim.cost import Profile
    from meshsim.reference.calibrate import Plan

EXAMPLES = examples(
    ("meshsim calibrate --quick", "what filters cost here, roughly, in a minute and a half"),
    ("meshsim calibrate --out mine.json", "a profile of this machine, in less than eight"),
    ("meshsim calibrate --json | jq .coefficients.fuel_ns.value", "for a script"),
)

#: Where other programs had more than this part of Envoy's core, nobody should trust the numbers.
QUIET = 0.05


def calibrate(
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write the profile here.", show_default=False)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Measure less: wider ranges, a quarter of the time.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the profile instead of a table.")] = False,
) -> None:
    """Measure the real Envoy here: CPU time by filter and host call, time to load modules, memory.

    Envoy runs on one core, the load on another; leave both alone meanwhile. Ctrl-C ends it and leaves nothing behind.
    """
    from meshsim.reference.calibrate import FULL, QUICK

    if out is not None and out != STDOUT and not _is_writable(out):  # before minutes of measuring, not after them
        raise MeshsimError("cannot write here", str(out), "name a file in a folder that you may write")
    profile = _measure(out.stem if out else "here", QUICK if quick else FULL)
    if out is not None:
        write_text(profile.to_json().rstrip("\n"), out)
    if as_json:
        say(profile.to_json().rstrip("\n"))
    elif out != STDOUT:
        show(profile)


def _is_writable(path: Path) -> bool:
    if path.exists():
        return not path.is_dir() and os.access(path, os.W_OK)
    folder = path.absolute().parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def _measure(name: str, plan: Plan) -> Profile:
    """Measure by a plan, with a progress bar on standard error."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    from meshsim.reference.calibrate import calibrate as measure

    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task("starting", total=plan.steps)
        return measure(name, plan, lambda: progress.advance(task), lambda text: progress.update(task, description=text))


def show(profile: Profile) -> None:
    """Print each coefficient with its range, and how quiet the machine was."""
    from meshsim.reference.calibrate import DISTURBED

    lines = table("coefficient", "value", "unit", "from", "to", title=f"cost profile {profile.name}")
    for column in (1, 3, 4):
        lines.columns[column].justify = "right"
    for name, each in profile.coefficients.items():
        lines.add_row(name, _number(each.value), each.unit, _number(each.low), _number(each.high))
    console().print(lines)
    say(", ".join(f"{name}: {value}" for name, value in profile.measured.items()))
    disturbed = profile.measured[DISTURBED]
    if float(disturbed.rstrip("%")) / 100 > QUIET:
        say(f"Other programs had Envoy's core for {disturbed} of the time: the numbers are too high. Measure again.")


def _number(value: float) -> str:
    """Four digits, with marks between thousands, and no exponent."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"
