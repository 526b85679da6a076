"""One run of a sweep: a pure function of the scenario, the changes and the seed, in whatever process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meshsim.errors import MeshsimError
from meshsim.mesh.result import Result
from meshsim.mesh.scenario_loader import Sources
from meshsim.sweeps.plan import Cell

Row = dict[str, Any]
"""What is kept of a run: numbers and texts by name."""


@dataclass(frozen=True, slots=True)
class Job:
    """All that a process needs for one run."""

    sources: Sources
    cell: Cell


def carry_out(job: Job) -> Row:
    """Run a cell; an error of the run is part of what is kept, for it would come again."""
    cell = job.cell
    row: Row = {"cell": cell.number, "replication": cell.replication, "seed": cell.seed, "error": ""}
    row |= {path: value if isinstance(value, int | float | str) else str(value) for path, value in cell.changes}
    try:
        result = job.sources.scenario(cell.changes).run(cell.seed)
    except MeshsimError as error:
        return row | {"error": str(error)}
    return row | measures(result)


def measures(result: Result) -> Row:
    """Return what a sweep keeps of a run: the clients' measures, each service's, and a digest of all rows."""
    kept = {name: value for name, value in result.summary().items() if name != "seed"}
    for name in result.services:
        view = result.service(name)
        kept[f"{name}.rate"] = round(view.rate, 3)
        kept[f"{name}.error_rate"] = round(view.error_rate, 6)
        kept[f"{name}.p50_ns"] = view.latency.p50
        kept[f"{name}.p99_ns"] = view.latency.p99
    return kept | {"digest": result.digest()}
