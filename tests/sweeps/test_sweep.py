"""Sweeps in this process and in others: what is kept, and that it does not depend on who carried it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pyarrow import parquet

from meshsim.errors import MeshsimError
from meshsim.mesh.scenario_loader import Sources, sources_of
from meshsim.sweeps import pools
from meshsim.sweeps.plan import Cell, Plan, grid
from meshsim.sweeps.store import Store
from meshsim.sweeps.sweep import carry_out_all, sweep

RATES = {"load.open.rate": [40, 80, 120]}


def _plan(queue: Path, replications: int = 2) -> Plan:
    return Plan(sources_of(queue), grid(RATES), replications)


def test_each_run_is_a_row(queue: Path, tmp_path: Path) -> None:
    result = sweep(queue, RATES, tmp_path / "out", replications=2, jobs=1)
    assert [(row["load.open.rate"], row["replication"], row["seed"]) for row in result.rows] == [
        (40, 0, 7), (40, 1, 8), (80, 0, 7), (80, 1, 8), (120, 0, 7), (120, 1, 8),
    ]  # fmt: skip
    assert len({row["digest"] for row in result.rows}) == 6, "replications are runs of their own"
    assert result.failed == []
    alone = sources_of(queue).scenario([("load.open.rate", 80)]).run(8)
    assert result.rows[3]["digest"] == alone.digest()
    assert result.rows[3]["p99_ns"] == alone.latency.p99
    assert parquet.read_table(tmp_path / "out" / "sweep.parquet").to_pylist() == list(result.rows)


def test_points_have_means_and_intervals(queue: Path, tmp_path: Path) -> None:
    result = sweep(queue, RATES, tmp_path / "out", replications=3, jobs=1)
    points = result.points(["throughput", "mean_ns"])
    assert [point for point, _ in points] == grid(RATES)
    throughputs = [intervals[0].mean for _, intervals in points]
    assert throughputs == sorted(throughputs)
    assert all(interval.count == 3 and interval.half_width > 0 for _, intervals in points for interval in intervals)
    assert list(result.to_pandas()["load.open.rate"].unique()) == [40, 80, 120]
    with pytest.raises(MeshsimError, match="there are: cell"):
        result.interval(grid(RATES)[0], "nope")


def test_other_processes_give_the_same(queue: Path, tmp_path: Path) -> None:
    here = carry_out_all(_plan(queue), tmp_path / "here", pools.here)
    there = carry_out_all(_plan(queue), tmp_path / "there", pools.processes(2))
    assert there.rows == here.rows
    assert _bytes(tmp_path / "there") == _bytes(tmp_path / "here")


def test_a_sweep_goes_on_where_it_stopped(queue: Path, tmp_path: Path) -> None:
    whole = carry_out_all(_plan(queue), tmp_path / "whole", pools.here)
    ran: list[int] = []

    def stops(sources: Sources, cells: Sequence[Cell]) -> pools.Runs:
        for finished in pools.here(sources, cells):
            if len(ran) == 2:
                raise KeyboardInterrupt
            ran.append(finished[0].number)
            yield finished

    with pytest.raises(KeyboardInterrupt):
        carry_out_all(_plan(queue), tmp_path / "out", stops)
    again: list[int] = []
    result = carry_out_all(_plan(queue), tmp_path / "out", pools.here, lambda cell, row: again.append(cell.number))
    assert (ran, again) == ([0, 1], [2, 3, 4, 5])
    assert result.rows == whole.rows
    assert _bytes(tmp_path / "out") == _bytes(tmp_path / "whole")


def test_a_sweep_that_is_done_runs_nothing(queue: Path, tmp_path: Path) -> None:
    carry_out_all(_plan(queue), tmp_path / "out", pools.here)

    def never(sources: Sources, cells: Sequence[Cell]) -> pools.Runs:
        raise AssertionError(cells)

    carry_out_all(_plan(queue), tmp_path / "out", never)


def test_a_folder_of_another_sweep_is_left_alone(queue: Path, tmp_path: Path) -> None:
    carry_out_all(_plan(queue), tmp_path / "out", pools.here)
    with pytest.raises(MeshsimError, match="holds another sweep"):
        carry_out_all(_plan(queue, replications=3), tmp_path / "out", pools.here)


def test_what_a_killed_process_left_half_written_is_removed(queue: Path, tmp_path: Path) -> None:
    plan = _plan(queue)
    Store(tmp_path, plan)
    half = tmp_path / "cells" / ".abc.parquet.4194305.part"  # beyond the greatest process id of Linux
    half.write_bytes(b"half")
    Store(tmp_path, plan)
    assert not half.exists()


def test_a_run_that_fails_is_kept_as_that(queue: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise MeshsimError("no such luck")

    monkeypatch.setattr("meshsim.mesh.scenario.Scenario.run", fails)
    result = sweep(queue, {"load.open.rate": [1]}, tmp_path / "out", jobs=1)
    assert [row["error"] for row in result.failed] == ["no such luck"]
    assert result.points(["p99_ns"]) == []


def _bytes(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
