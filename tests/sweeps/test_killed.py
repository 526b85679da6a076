"""A sweep that is killed, again and again, comes to the same end: with processes, and on a cluster."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyarrow import parquet

from meshsim.errors import MeshsimError
from meshsim.mesh.scenario_loader import sources_of
from meshsim.sweeps import pools
from meshsim.sweeps.plan import Plan, grid
from meshsim.sweeps.sweep import carry_out_all

RATES = (40, 60, 80, 100, 120, 140)
REPLICATIONS = 4
RUNS = len(RATES) * REPLICATIONS
KILLS = 5


def _plan(queue: Path) -> Plan:
    return Plan(sources_of(queue), grid({"load.open.rate": RATES}), REPLICATIONS)


def _rows(folder: Path) -> Any:
    return parquet.read_table(folder / "sweep.parquet").to_pylist()


@pytest.mark.timeout(300)
def test_a_sweep_killed_at_five_random_moments_equals_an_undisturbed_one(queue: Path, tmp_path: Path) -> None:
    whole = carry_out_all(_plan(queue), tmp_path / "whole", pools.here)
    out, moments = tmp_path / "out", Random(6)
    command = [
        sys.executable, "-m", "meshsim", "sweep", str(queue), "--out", str(out), "--jobs", "2",
        "--vary", f"load.open.rate={','.join(map(str, RATES))}", "--replications", str(REPLICATIONS),
    ]  # fmt: skip
    ended = 0
    for _ in range(KILLS):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr is not None
            for _ in range(moments.randint(1, 3)):
                process.stderr.readline()
            process.kill()
            process.wait()
            process.stderr.read()  # ends when the last process that could write here has: none outlives the sweep
        kept = len(list((out / "cells").glob("*.parquet")))
        assert ended <= kept < RUNS, "killed too late to show anything"
        assert not (out / "sweep.parquet").exists()
        ended = kept
    last = subprocess.run(command, capture_output=True, text=True, check=True)
    assert last.stderr.count("run ") == RUNS - ended, "what was kept is not run again"
    assert _rows(out) == list(whole.rows)
    assert (out / "sweep.parquet").read_bytes() == (tmp_path / "whole" / "sweep.parquet").read_bytes()
    assert sorted(path.name for path in (out / "cells").iterdir()) == sorted(
        f"{cell.key}.parquet" for cell in _plan(queue).cells
    )


def test_a_process_that_dies_is_an_error_and_the_sweep_goes_on_when_asked_again(queue: Path, tmp_path: Path) -> None:
    def kill_one(cell: Any, row: Any) -> None:
        victim = multiprocessing.active_children()[0]
        assert victim.pid is not None
        os.kill(victim.pid, signal.SIGKILL)

    with pytest.raises(MeshsimError, match="run the same command again"):
        carry_out_all(_plan(queue), tmp_path / "out", pools.processes(2), kill_one)
    kept = len(list((tmp_path / "out" / "cells").glob("*.parquet")))
    assert 1 <= kept < RUNS
    again: list[int] = []
    result = carry_out_all(_plan(queue), tmp_path / "out", pools.here, lambda cell, row: again.append(cell.number))
    assert len(again) == RUNS - kept
    assert len(result.rows) == RUNS


@pytest.mark.timeout(120)
def test_a_sweep_that_is_stopped_does_not_wait_for_the_runs_under_way(queue: Path, tmp_path: Path) -> None:
    def stop(cell: Any, row: Any) -> None:
        raise KeyboardInterrupt

    plan = Plan(sources_of(queue), grid({"duration": ["1s", "1000000s"]}))  # the second takes hours
    with pytest.raises(KeyboardInterrupt):
        carry_out_all(plan, tmp_path / "out", pools.processes(2), stop)
    assert multiprocessing.active_children() == []
    assert len(list((tmp_path / "out" / "cells").iterdir())) == 1


# --- a cluster: a real scheduler and two workers, each a process of its own ---


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """Start a scheduler and two workers on loopback; give the scheduler's address."""
    address = f"tcp://127.0.0.1:{_free_port()}"
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "10"}
    dask = [sys.executable, "-m", "dask"]
    scheduler = [*dask, "scheduler", "--host", address, "--no-dashboard"]
    worker = [
        *dask, "worker", address, "--nworkers", "1", "--nthreads", "1", "--no-dashboard", "--no-nanny",
        "--host", "127.0.0.1", "--memory-limit", "1GiB", "--death-timeout", "30", "--local-directory", str(tmp_path),
    ]  # fmt: skip
    with (tmp_path / "cluster.log").open("wb") as log:
        started = [
            subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                start_new_session=True,
            )
            for command in (scheduler, worker, worker)
        ]  # fmt: skip
        try:
            yield address
        finally:
            for process in started:
                process.kill()
                process.wait()


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("default")  # distributed's own: sockets that a dead worker has left open
def test_a_cluster_that_loses_a_worker_half_way_gives_the_same(queue: Path, tmp_path: Path, cluster: str) -> None:
    from distributed import Client

    whole = carry_out_all(_plan(queue), tmp_path / "whole", pools.here)
    with Client(cluster, timeout=60) as client:
        client.wait_for_workers(2, timeout=60)
        victims = list(client.run(os.getpid).values())
    heard: list[int] = []

    def kill_half_way(cell: Any, row: Any) -> None:
        heard.append(cell.number)
        if len(heard) == RUNS // 2:
            os.kill(victims[0], signal.SIGKILL)

    result = carry_out_all(_plan(queue), tmp_path / "out", pools.dask(cluster), kill_half_way)
    assert sorted(heard) == list(range(RUNS)), "each run is heard of once"
    assert list(result.rows) == list(whole.rows)
    assert (tmp_path / "out" / "sweep.parquet").read_bytes() == (tmp_path / "whole" / "sweep.parquet").read_bytes()


def test_a_scheduler_that_is_not_there_is_an_error_in_words(queue: Path, tmp_path: Path) -> None:
    with pytest.raises(MeshsimError, match="no Dask scheduler"):
        carry_out_all(_plan(queue), tmp_path, pools.dask(f"tcp://127.0.0.1:{_free_port()}", timeout_s=1))
