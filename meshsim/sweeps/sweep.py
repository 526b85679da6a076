"""A sweep from beginning to end: plan, folder, runs, and what came of them, point by point."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshsim.errors import MeshsimError
from meshsim.mesh.scenario_loader import sources_of
from meshsim.sim import Interval, confidence_interval
from meshsim.sweeps import pools
from meshsim.sweeps.cell import Row
from meshsim.sweeps.plan import Cell, Plan, Point, grid
from meshsim.sweeps.store import Store

if TYPE_CHECKING:
    import pandas as pd

Heard = Callable[[Cell, Row], None]
"""Is told of each run as it ends."""


@dataclass(frozen=True)
class SweepResult:
    """What a sweep gave.

    Attributes
    ----------
    rows : sequence of dict
        One a run, in the plan's order: ``cell``, ``replication``, ``seed``, ``error``, each changed path, and the
        measures of :func:`meshsim.sweeps.cell.measures`.
    """

    plan: Plan
    rows: Sequence[Row]

    @property
    def failed(self) -> list[Row]:
        """Runs that ended in an error."""
        return [row for row in self.rows if row["error"]]

    def interval(self, point: Point, measure: str, level: float = 0.95) -> Interval:
        """Return a measure's mean over the replications of a point, with its confidence interval.

        Raises
        ------
        MeshsimError
            No run of this point came to an end, or there is no such measure.
        """
        wanted = {cell.number for cell in self.plan.cells if cell.changes == point}
        values = [row[measure] for row in self.rows if row["cell"] in wanted and row.get(measure) is not None]
        if not values:
            known = ", ".join(name for row in self.rows[:1] for name in row)
            raise MeshsimError(f"no run has {measure!r}", remedy=f"there are: {known}")
        return confidence_interval(values, level)

    def points(self, measures: Iterable[str], level: float = 0.95) -> list[tuple[Point, list[Interval]]]:
        """Return each point with some measures; points without a run that ended are left out."""
        good = {row["cell"] for row in self.rows if not row["error"]}
        there = dict.fromkeys(cell.changes for cell in self.plan.cells if cell.number in good)
        names = list(measures)
        return [(point, [self.interval(point, name, level) for name in names]) for point in there]

    def to_pandas(self) -> pd.DataFrame:
        """Return the rows as a data frame. Needs pandas (the ``data`` extra)."""
        import pandas as pd

        return pd.DataFrame(list(self.rows))


def sweep(
    scenario: str | Path,
    vary: Mapping[str, Iterable[Any]],
    out: str | Path,
    *,
    replications: int = 1,
    seed: int | None = None,
    jobs: int | None = None,
    dask: str = "",
) -> SweepResult:
    """Run a scenario over a grid of changes, and keep what comes in a folder; goes on where it was stopped.

    Parameters
    ----------
    scenario : path
        A scenario's file, or the name of a bundled one.
    vary : mapping of str to iterable
        Values by path: ``{"load.open.rate": [100, 200]}``.
    out : path
        The folder.
    replications : int
        Runs of each point, each with a seed of its own.
    jobs : int, optional
        Processes; as many as there are processors if left out. With 1 all is done in this one. A script that asks for
        more has to keep its own beginning behind ``if __name__ == "__main__":``.
    dask : str
        Address of a Dask scheduler, in place of ``jobs``.

    Raises
    ------
    ConfigError
        A point makes a scenario that is not right.
    MeshsimError
        The folder holds something else, or a process died.
    """
    plan = Plan(sources_of(scenario), grid({path: list(values) for path, values in vary.items()}), replications, seed)
    return carry_out_all(plan, Path(out), choose_pool(jobs, dask))


def choose_pool(jobs: int | None, dask: str = "") -> pools.Pool:
    """Return who carries runs out."""
    if dask:
        return pools.dask(dask)
    count = jobs or available_processors()
    return pools.here if count == 1 else pools.processes(count)


def available_processors() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def carry_out_all(plan: Plan, folder: Path, pool: pools.Pool, heard: Heard | None = None) -> SweepResult:
    """Carry out what is not in the folder yet, keep each result as it comes, and return all."""
    store = Store(folder, plan)
    done = store.done()
    left = [cell for cell in plan.cells if cell.number not in done]
    if left:
        with closing(pool(plan.sources, left)) as runs:  # processes end here, whatever ends the sweep
            for cell, row in runs:
                store.keep(cell, row)
                if heard is not None:
                    heard(cell, row)
    rows = store.rows()
    store.finish(rows)
    return SweepResult(plan, rows)
