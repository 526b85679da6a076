"""``meshsim sweep``: a scenario many times over with something changed; stopped and started again at will."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshsim.cli.console import console, examples, printable, say, table, write_json
from meshsim.errors import ConfigError

if TYPE_CHECKING:
    from meshsim.sim import Interval
    from meshsim.sweeps.plan import Plan, Point
    from meshsim.sweeps.sweep import Heard, SweepResult

EXAMPLES = examples(
    ("meshsim sweep normal --vary load.open.rate=50,100,200 --replications 5 --out rates", "a curve with intervals"),
    ("meshsim sweep mesh.yaml --vary 'services.*.workers=1,2,4' --vary 'plugins[0].configuration=1,10' --out grid",
     "every combination"),
    ("meshsim sweep mesh.yaml --vary load.open.rate=50,100 --vary services.a.replicas=1,2 --paired --out pairs",
     "the first values together, then the second"),
    ("meshsim sweep mesh.yaml --vary load.open.rate=50,100 --replications 100 --dask tcp://10.0.0.1:8786 --out many",
     "on a cluster"),
)  # fmt: skip

FAILED = 1

#: What is shown of each point: heading, measure, what it is divided by, decimals.
_COLUMNS = (
    ("good/s", "throughput", 1.0, 1),
    ("errors %", "error_rate", 0.01, 2),
    ("p50 ms", "p50_ns", 1e6, 3),
    ("p99 ms", "p99_ns", 1e6, 3),
    ("busiest %", "busiest", 0.01, 1),
    ("memory MiB", "memory_bytes", 2**20, 1),
)


def sweep(
    scenario: Annotated[
        str,
        typer.Argument(metavar="SCENARIO.yaml", help="A scenario, or the name of a bundled one.", show_default=False),
    ],
    vary: Annotated[
        list[str],
        typer.Option("--vary", metavar="PATH=V1,V2", help="What is changed; may be given again.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Where results go, and are gone on with.", show_default=False)
    ],
    replications: Annotated[int, typer.Option(min=1, help="Runs of each point, each with a seed of its own.")] = 1,
    seed: Annotated[int | None, typer.Option(help="Of the first replication.", show_default="the scenario's")] = None,
    paired: Annotated[bool, typer.Option("--paired", help="Values go in pairs; else every combination.")] = False,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, max=512, help="Processes.", show_default="processors")
    ] = None,
    dask: Annotated[
        str, typer.Option("--dask", metavar="ADDRESS", help="A Dask scheduler, in place of --jobs.", show_default=False)
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Run a scenario for each point of a grid, with replications, and keep each result as it comes.

    Stopped, by whatever means, it goes on where it was when the same command is given again.

    Exit status:
    0  all runs came to an end
    1  some runs ended in an error; DIR says which
    2  it could not run
    """
    from meshsim.mesh.scenario_loader import sources_of
    from meshsim.sweeps.plan import Plan
    from meshsim.sweeps.store import ROWS
    from meshsim.sweeps.sweep import carry_out_all, choose_pool

    if dask and jobs:
        raise ConfigError("either processes here or a cluster", "--jobs, --dask", "leave one out")
    plan = Plan(sources_of(scenario), read_points(vary, paired=paired), replications, seed)
    with progress(plan, out) as heard:
        result = carry_out_all(plan, out, choose_pool(jobs, dask), heard)
    picture = draw(result, out)
    if as_json:
        write_json(document(result, out))
    else:
        show(result)
        say(f"\n{len(result.rows)} runs in {out / ROWS}" + (f"; {picture}" if picture else ""))
        for row in result.failed:
            say(f"failed: cell {row['cell']}: {printable(row['error'])}")
    raise typer.Exit(FAILED if result.failed else 0)


def read_points(vary: list[str], *, paired: bool) -> list[Point]:
    """Return the points that the options name."""
    from meshsim.sweeps import plan

    axes: dict[str, list[Any]] = {}
    for text in vary:
        path, values = plan.read_vary(text)
        if path in axes:
            raise ConfigError(f"{path} is varied twice", "--vary", "name all its values in one")
        axes[path] = values
    return plan.paired(axes) if paired else plan.grid(axes)


@contextmanager
def progress(plan: Plan, out: Path) -> Iterator[Heard]:
    """Show how far it is on standard error: a bar with the time left on a terminal, else a line a run."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from meshsim.sweeps.store import kept

    terminal = sys.stderr.isatty()
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(),
    )  # fmt: skip
    shown = Progress(*columns, console=Console(file=sys.stderr), disable=not terminal)
    total = len(plan.cells)
    with shown:
        before = len(kept(out, plan))
        task = shown.add_task("runs", total=total - before)
        if before:
            print(f"{before} of {total} runs are there already", file=sys.stderr, flush=True)

        def heard(cell: Any, row: Any) -> None:
            shown.advance(task)
            if not terminal:
                one = shown.tasks[0]
                left = f", {one.time_remaining:.0f} s left" if one.time_remaining is not None else ""
                print(f"run {before + int(one.completed)} of {total}{left}", file=sys.stderr, flush=True)

        yield heard


def show(result: SweepResult) -> None:
    """Print each point with the means of its replications, and their confidence intervals."""
    made = table(*result.plan.paths, "runs", *(heading for heading, *_ in _COLUMNS))
    for column in made.columns[len(result.plan.paths) :]:
        column.justify = "right"
    for point, intervals in result.points([measure for _, measure, *_ in _COLUMNS]):
        values = dict(point)
        words = (
            _words(interval, unit, digits) for interval, (_, _, unit, digits) in zip(intervals, _COLUMNS, strict=True)
        )
        changed = (printable(str(values.get(path, ""))) for path in result.plan.paths)
        made.add_row(*changed, str(intervals[0].count), *words)
    console().print(made)


def _words(interval: Interval, unit: float, digits: int) -> str:
    """A mean and, of several runs, how far to trust it (95 %)."""
    known = isfinite(interval.half_width) and interval.half_width > 0
    wide = f" ± {interval.half_width / unit:,.{digits}f}" if known else ""
    return f"{interval.mean / unit:,.{digits}f}{wide}"


def document(result: SweepResult, out: Path) -> dict[str, Any]:
    """Return a sweep as plain values."""
    from meshsim.sweeps.store import ROWS

    measures = [measure for _, measure, *_ in _COLUMNS]
    return {
        "rows": str(out / ROWS),
        "runs": len(result.rows),
        "failed": [{"cell": row["cell"], "error": row["error"]} for row in result.failed],
        "points": [
            {
                "changes": dict(point),
                "runs": intervals[0].count,
                **{
                    measure: {
                        "mean": interval.mean,
                        "half_width": interval.half_width if isfinite(interval.half_width) else None,
                    }
                    for measure, interval in zip(measures, intervals, strict=True)
                },
            }
            for point, intervals in result.points(measures)
        ],
    }


def draw(result: SweepResult, out: Path) -> Path | None:
    """Draw throughput and latency against load, where nothing but one rate was varied."""
    paths = result.plan.paths
    if len(paths) != 1 or not paths[0].endswith("rate") or len(result.plan.points) < 2:
        return None
    from meshsim.figures.load_curve import LoadPoint, load_curve

    points = [
        LoadPoint(float(dict(point)[paths[0]]), *intervals)
        for point, intervals in result.points(["throughput", "mean_ns", "p99_ns"])
    ]
    target = out / "load.png"
    load_curve(points).save(target)
    return target
