"""A sweep's folder: what it is a sweep of, and a Parquet file for each run, which is whole or not there.

::

    OUT/sweep.json          the plan, so that nobody goes on with another one here
    OUT/scenario.yaml       the scenario as it was
    OUT/cells/KEY.parquet   one row, written when the run had ended
    OUT/sweep.parquet       all rows in the plan's order, when all are there

A file is written beside its name and then renamed, which the system does at once or not at all; so a sweep that is
killed, at whatever moment, has lost the runs that were under way and nothing else.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from meshsim.errors import MeshsimError
from meshsim.export.files import write_whole
from meshsim.sweeps.cell import Row
from meshsim.sweeps.plan import Cell, Plan

#: The file of all rows.
ROWS = "sweep.parquet"
_PLAN, _SCENARIO, _CELLS = "sweep.json", "scenario.yaml", "cells"


def kept(folder: Path, plan: Plan) -> set[int]:
    """Return the numbers of a plan's runs that are in a folder; none where there is no folder."""
    names = {path.stem for path in (folder / _CELLS).glob("*.parquet")}
    return {cell.number for cell in plan.cells if cell.key in names}


class Store:
    """The folder of one sweep.

    Parameters
    ----------
    folder : Path
        Made when it is not there.

    Raises
    ------
    MeshsimError
        It cannot be written, it holds another sweep or something else, or pyarrow is missing.
    """

    def __init__(self, folder: Path, plan: Plan) -> None:
        self._folder = folder
        self._plan = plan
        _parquet()  # before hours of work, not after them
        try:
            (folder / _CELLS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise MeshsimError(
                f"cannot write: {error.strerror}", str(folder), "name another folder with --out"
            ) from error
        self._claim()

    def done(self) -> set[int]:
        """Return the numbers of the runs that are there."""
        return kept(self._folder, self._plan)

    def keep(self, cell: Cell, row: Row) -> None:
        """Write what a run gave."""
        write_whole(self._path(cell), _packed([row]))

    def rows(self) -> list[Row]:
        """Return what is there, in the plan's order."""
        read = _parquet().read_table
        done = self.done()
        return [read(self._path(cell)).to_pylist()[0] for cell in self._plan.cells if cell.number in done]

    def finish(self, rows: Iterable[Row]) -> None:
        """Write all rows into one file."""
        write_whole(self._folder / ROWS, _packed(list(rows)))

    def _path(self, cell: Cell) -> Path:
        return self._folder / _CELLS / f"{cell.key}.parquet"

    def _claim(self) -> None:
        path = self._folder / _PLAN
        if path.exists():
            if self._claimed(path) != self._plan.digest:
                raise MeshsimError("holds another sweep", str(self._folder), "name another folder with --out")
            self._sweep_up()
            return
        if any(self._folder.glob(f"{_CELLS}/*.parquet")):
            raise MeshsimError("has results of something else", str(self._folder), "name another folder with --out")
        plan = self._plan
        described: dict[str, Any] = {
            "digest": plan.digest,
            "scenario": plan.sources.origin,
            "points": [[list(change) for change in point] for point in plan.points],
            "replications": plan.replications,
            "seed": plan.seed,
        }
        write_whole(self._folder / _SCENARIO, plan.sources.text)
        write_whole(path, json.dumps(described, indent=2, default=str) + "\n")

    def _claimed(self, path: Path) -> str:
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["digest"])
        except (OSError, ValueError, LookupError, TypeError):
            return ""

    def _sweep_up(self) -> None:
        """Remove what a killed run has left half written."""
        for part in (*self._folder.glob(".*.part"), *(self._folder / _CELLS).glob(".*.part")):
            owner = part.name.split(".")[-2]
            if not _alive(owner):
                part.unlink(missing_ok=True)


def _alive(process: str) -> bool:
    try:
        os.kill(int(process), 0)
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _packed(rows: list[Row]) -> bytes:
    """Return rows as a Parquet file; columns in the order in which they first come."""
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    table = pa.table({name: pa.array(_one_type([row.get(name) for row in rows])) for name in names})
    out = io.BytesIO()
    _parquet().write_table(table, out)
    return out.getvalue()


def _one_type(values: list[Any]) -> list[Any]:
    """Columns have one type; where values of a changed path have several, they become texts."""
    there = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
        whole = all(isinstance(value, int) for value in there)
        return values if whole else [value if value is None else float(value) for value in values]
    return values if len({type(value) for value in there}) <= 1 else [None if v is None else str(v) for v in values]


def _parquet() -> Any:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise MeshsimError(
            "a sweep is kept as Parquet, which needs pyarrow", remedy="pip install 'meshsim[data]'"
        ) from error
    return parquet
