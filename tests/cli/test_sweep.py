from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from tests.cli.mesh_files import QUEUES, WRONG

Run = Callable[..., Any]


@pytest.fixture
def queues(tmp_path: Path) -> Path:
    path = tmp_path / "queues.yaml"
    path.write_text(QUEUES, encoding="utf-8")
    return path


def test_a_row_a_point_with_intervals_and_a_curve(run: Run, queues: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run("sweep", queues, "--vary", "load.open.rate=50,100", "--replications", 3, "--jobs", 1, "--out", out)
    assert done.status == 0
    assert [line.split()[:2] for line in done.out.splitlines()[1:3]] == [["50", "3"], ["100", "3"]]
    assert done.out.count("±") == 10, "of five measures of two points; memory is nought in every run"
    assert done.err.splitlines()[-1].startswith("run 6 of 6")
    assert (out / "load.png").read_bytes().startswith(b"\x89PNG")
    assert parquet.read_table(out / "sweep.parquet").num_rows == 6


def test_as_json_and_a_second_time(run: Run, queues: Path, tmp_path: Path) -> None:
    vary = ("--vary", "services.db.service_time=2ms,20ms", "--jobs", 1)
    command = ("sweep", queues, *vary, "--out", tmp_path / "out", "--json")
    first = run(*command)
    points = first.json()["points"]
    assert [point["changes"] for point in points] == [{"services.db.service_time": time} for time in ("2ms", "20ms")]
    assert points[0]["p99_ns"]["mean"] + 18e6 < points[1]["p99_ns"]["mean"]
    assert points[0]["p99_ns"]["half_width"] is None, "one run has no interval"
    again = run(*command)
    assert again.json() == first.json()
    assert again.err == "2 of 2 runs are there already\n"


def test_pairs(run: Run, queues: Path, tmp_path: Path) -> None:
    vary = ("--vary", "load.open.rate=50,100", "--vary", "duration=1s,2s", "--paired")
    done = run("sweep", queues, *vary, "--jobs", 1, "--out", tmp_path / "out", "--json")
    assert [point["changes"] for point in done.json()["points"]] == [
        {"load.open.rate": 50, "duration": "1s"},
        {"load.open.rate": 100, "duration": "2s"},
    ]


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--vary", "nonsense"), "write it as"),
        (("--vary", "load.open.rate=-1"), "with load.open.rate=-1"),
        (("--vary", "seed=1,2"), "ask for replications"),
        (("--vary", "a=1", "--vary", "a=2"), "varied twice"),
        (("--vary", "a=1", "--dask", "tcp://x:1", "--jobs", "2"), "leave one out"),
        (("--vary", "a=1,2", "--vary", "b=1", "--paired"), "as many"),
    ],
)
def test_what_cannot_be_swept_is_refused(
    run: Run, queues: Path, tmp_path: Path, options: tuple[str, ...], word: str
) -> None:
    done = run("sweep", queues, *options, "--out", tmp_path / "out")
    assert (done.status, done.out) == (2, "")
    assert word in done.err
    assert not (tmp_path / "out").exists()


def test_a_wrong_scenario_runs_nothing(run: Run, queues: Path, tmp_path: Path) -> None:
    queues.write_text(WRONG, encoding="utf-8")
    done = run("sweep", queues, "--vary", "duration=1s", "--out", tmp_path / "out")
    assert done.status == 2
    assert "load.open.rate" in done.err
