from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshsim.mesh.scenario_loader import load_scenario
from tests.cli.mesh_files import QUEUES, WRONG

Run = Callable[..., Any]


@pytest.fixture
def queues(tmp_path: Path) -> Path:
    path = tmp_path / "queues.yaml"
    path.write_text(QUEUES, encoding="utf-8")
    return path


def test_tables_of_services_and_what_to_look_for(run: Run, queues: Path) -> None:
    done = run("run", queues)
    assert (done.status, done.err) == (0, "")
    result = load_scenario(queues).run()
    lines = done.out.splitlines()
    assert lines[0].startswith("Two queues: 2 s of virtual time, of which 1.8 s are measured; seed 7")
    db = next(line for line in lines if line.startswith("db ")).split()
    assert db[1] == f"{result.service('db').rate:.1f}"
    assert db[2] == f"{result.service('db').error_rate:.2%}"
    assert db[5] == f"{result.service('db').latency.p99 / 1e6:.3f}"
    assert done.out.endswith("What to look for\n  the second queue\n")


def test_as_json(run: Run, queues: Path) -> None:
    found = run("run", queues, "--json", "--find", "error and root").json()
    result = load_scenario(queues).run()
    assert found["digest"] == result.digest()
    assert found["latency"] == result.latency.summary()
    assert [row["request"] for row in found["found"]] == [row.request for row in result.find("error and root")]


def test_a_seed_and_changes_are_those_that_are_named(run: Run, queues: Path) -> None:
    changed = run("run", queues, "--json", "--seed", 9, "--set", "load.open.rate=50", "--set", "duration=1s").json()
    alone = load_scenario(queues, [("load.open.rate", 50), ("duration", "1s")]).run(9)
    assert (changed["seed"], changed["digest"]) == (9, alone.digest())


def test_a_change_that_is_none_names_the_option_that_it_was_given_by(run: Run, queues: Path) -> None:
    assert run("run", queues, "--set", "load").err.startswith("meshsim: --set: 'load' changes nothing")
    assert "load.open.rate: Input should be a finite number" in run("run", queues, "--set", "load.open.rate=inf").err


def test_hops_that_are_found_are_shown(run: Run, queues: Path) -> None:
    done = run("run", queues, "--find", "service == 'db' and code == 500")
    expected = len(load_scenario(queues).run().find("service == 'db' and code == 500"))
    assert f"{expected:,} hops: service == 'db' and code == 500" in done.out
    refused = run("run", queues, "--find", "cod == 500")
    assert (refused.status, "did you mean code?" in refused.err) == (2, True)


def test_files_of_every_kind(run: Run, queues: Path, tmp_path: Path) -> None:
    done = run("run", queues, "--out", tmp_path / "out")
    assert done.status == 0
    written = {path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith(".")}
    assert written == {
        "hops.csv", "hops.parquet", "trace.json", "spans.json", "metrics.txt", "access.log", "mesh.graphml",
        "latency.png", "mesh.png", "utilisation.png",
    }  # fmt: skip
    assert (tmp_path / "out" / "mesh.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "out" / "trace.json").read_text())["traceEvents"]
    assert run("run", queues, "--out", tmp_path / "out").status == 0, "its own files may be written again"
    refused = run("run", queues, "--out", tmp_path / "other", "--set", "load.open.rate=oops")
    assert refused.status == 2
    assert not (tmp_path / "other").exists(), "nothing is made for a scenario that is wrong"


def test_a_wrong_scenario_shows_every_mistake(run: Run, queues: Path) -> None:
    queues.write_text(WRONG, encoding="utf-8")
    done = run("run", queues)
    assert (done.status, done.out) == (2, "")
    assert f"{queues}:6: load.open.rate: Input should be greater than 0" in done.err
    assert f"{queues}:9: sed: no such field\n  -> did you mean seed?" in done.err


def test_a_scenario_that_is_not_there_names_those_that_are(run: Run) -> None:
    done = run("run", "nope")
    assert done.status == 2
    assert "normal" in done.err


def test_the_list_of_bundled_scenarios(run: Run) -> None:
    listed = run("run", "--list")
    names = [scenario["name"] for scenario in run("run", "--list", "--json").json()]
    assert len(names) >= 10
    assert all(name in listed.out for name in names)


def test_without_a_scenario_it_says_what_it_wants(run: Run) -> None:
    done = run("run")
    assert done.status == 2
    assert "--list" in done.err
