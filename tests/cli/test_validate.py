from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.mesh_files import QUEUES, WRONG

Run = Callable[..., Any]

RIGHT = "static_resources: {listeners: []}\n"
UNKNOWN_FIELD = "static_resources: {listeners: [{nope: 1}]}\n"
JUDGES = ["sim", pytest.param("envoy", marks=pytest.mark.envoy)]


@pytest.fixture
def bootstrap(tmp_path: Path) -> Path:
    path = tmp_path / "envoy.yaml"
    path.write_text(RIGHT)
    return path


@pytest.mark.parametrize("judge", JUDGES)
def test_a_right_one(run: Run, bootstrap: Path, judge: str) -> None:
    done = run("validate", bootstrap, "--on", judge)
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"{bootstrap}: ")
    as_json = run("validate", bootstrap, "--on", judge, "--json")
    assert as_json.json() == {"file": str(bootstrap), "on": judge, "usable": True, "findings": []}


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize(
    ("text", "word"),
    [(UNKNOWN_FIELD, "nope"), ("static_resources: {listeners: 1}\n", "listeners"), ("a: [\n", "")],
)
def test_a_wrong_one(run: Run, bootstrap: Path, judge: str, text: str, word: str) -> None:
    bootstrap.write_text(text)
    done = run("validate", bootstrap, "--on", judge)
    assert (done.status, done.out) == (2, "")
    assert "envoy.yaml" in done.err
    assert word in done.err
    as_json = run("validate", bootstrap, "--on", judge, "--json")
    assert as_json.status == 2
    report = as_json.json()
    assert report["usable"] is False
    assert all(finding["message"] in done.err for finding in report["findings"])


def test_an_envoy_that_does_not_run_is_an_error_in_words(
    run: Run, bootstrap: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = bootstrap.with_name("envoy")
    foreign.write_text("no program of this machine")
    foreign.chmod(0o755)
    monkeypatch.setenv("MESHSIM_ENVOY", str(foreign))
    done = run("validate", bootstrap, "--on", "envoy")
    assert (done.status, done.out) == (2, "")
    assert f"{foreign} does not run" in done.err


def test_where_and_what_to_do(run: Run, bootstrap: Path) -> None:
    bootstrap.write_text("static_resources:\n  listeners:\n  - name: a\n    udp_listener_config: {}\n")
    done = run("validate", bootstrap)
    assert done.status == 2
    assert f"{bootstrap}:4:static_resources.listeners[0].udp_listener_config: not modelled" in done.err
    assert "--ignore-unmodelled" in done.err


def test_what_changes_nothing_is_said(run: Run, bootstrap: Path) -> None:
    bootstrap.write_text("stats_flush_interval: 1s\n")
    done = run("validate", bootstrap)
    assert done.status == 0
    assert "changes nothing here: stats_flush_interval" in done.out


@pytest.mark.parametrize("judge", JUDGES)
def test_a_missing_one(run: Run, tmp_path: Path, judge: str) -> None:
    done = run("validate", tmp_path / "none.yaml", "--on", judge)
    assert (done.status, done.out) == (2, "")
    assert "none.yaml" in done.err


@pytest.mark.parametrize("value", ["[" * 3000 + "]" * 3000, "9" * 5000], ids=["deep", "long"])
def test_one_that_nothing_can_read(run: Run, bootstrap: Path, value: str) -> None:
    bootstrap.write_text(f"topology: {value}\n")
    done = run("validate", bootstrap)
    assert (done.status, done.out) == (2, "")
    assert "envoy.yaml:1" in done.err


def test_the_modelled_fields(run: Run) -> None:
    rows = {(row["message"], row["field"]): row["status"] for row in run("validate", "--fields", "--json").json()}
    listener = "envoy.config.listener.v3.Listener"
    assert rows[listener, "filter_chains"] == "modelled"
    assert rows[listener, "udp_listener_config"] == "not modelled"
    done = run("validate", "--fields")
    assert done.status == 0
    assert listener in done.out
    assert "udp_listener_config" not in done.out


def test_a_file_or_fields(run: Run) -> None:
    done = run("validate")
    assert done.status == 2
    assert "--fields" in done.err


def test_a_bundled_scenario_goes_by_its_name(run: Run) -> None:
    done = run("validate", "normal")
    assert (done.status, done.err) == (0, "")
    assert done.out.endswith("normal.yaml: the simulator can run it\n")


def test_a_scenario_is_told_from_a_bootstrap(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "queues.yaml"
    path.write_text(QUEUES)
    assert run("validate", path).out == f"{path}: the simulator can run it\n"
    path.write_text(WRONG)
    done = run("validate", path)
    assert (done.status, done.out) == (2, "")
    assert f"{path}:6:load.open.rate: refused: Input should be greater than 0" in done.err
    report = run("validate", path, "--json").json()
    assert [(finding["line"], finding["path"]) for finding in report["findings"]] == [(6, "load.open.rate"), (9, "sed")]
    assert "leave out --on" in run("validate", path, "--on", "envoy").err
