from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from meshsim.envoy.outcome import ReplayResult
from meshsim.errors import ConfigError, MeshsimError, ReferenceUnavailable
from meshsim.reference import truth
from meshsim.reference.lines import Level
from meshsim.reference.truth import Case, Outcome, Recorder, Truth, check, main, modules_of, update

CaseFolder = Callable[..., Path]
RESULT = ReplayResult(ready=True, abi=(("main", "[host->vm] proxy_on_tick(1)"),), stats={"wasm.x": 1})


@pytest.fixture
def cases(case_folder: CaseFolder) -> Path:
    for name in ("a", "b", "c"):
        case_folder(name)
    return case_folder("d").parent


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> dict[str, ReplayResult]:
    """What the Envoy of these tests does, by case; any other gives RESULT."""
    results: dict[str, ReplayResult] = {}

    def fake(case: Case, on_start: Callable[[int], None]) -> Truth:
        return Truth(results.get(case.name, RESULT), "1.40.0", modules_of(case.bootstrap))

    monkeypatch.setattr(truth, "record", fake)
    return results


def test_a_case_says_how_it_is_run_and_compared(case_folder: CaseFolder) -> None:
    folder = case_folder(requests=[{"path": "/x"}])
    assert Case.load(folder) == Case(folder, 1, None)
    (folder / "case.json").write_text('{"concurrency": 2, "level": "calls"}')
    case = Case.load(folder)
    assert (case.concurrency, case.level, case.name) == (2, Level.CALLS, "case")
    assert [request.path for request in case.requests()] == ["/x"]
    assert case.scope().prefixes == {"in", "behind"}
    (folder / "requests.json").unlink()
    assert case.requests() == []


@pytest.mark.parametrize(
    "text", ['{"workers": 2}', '{"concurrency": "2"}', '{"concurrency": true}', '{"level": "x"}', "{"]
)
def test_options_that_nobody_knows_are_refused(case_folder: CaseFolder, text: str) -> None:
    folder = case_folder()
    (folder / "case.json").write_text(text)
    with pytest.raises(ConfigError, match=r"case\.json"):
        Case.load(folder)


def test_a_folder_without_a_bootstrap_is_no_case(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"envoy\.yaml is missing"):
        Case.load(tmp_path)


def test_a_truth_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(Truth(RESULT, "1.40.0", {"a.wasm": "00"}).dumps())
    assert Truth.load(path) == Truth(RESULT, "1.40.0", {"a.wasm": "00"})
    assert ReplayResult.from_json(json.loads(path.read_text())) == RESULT
    path.write_text("{}")
    with pytest.raises(ConfigError, match="Replay JSON"):
        Truth.load(path)


def test_modules_are_named_as_the_bootstrap_does(case_folder: CaseFolder) -> None:
    folder = case_folder()
    digest = hashlib.sha256((folder / "guest.wasm").read_bytes()).hexdigest()
    assert modules_of(folder / "envoy.yaml") == {"guest.wasm": digest}
    (folder / "guest.wasm").unlink()
    assert modules_of(folder / "envoy.yaml") == {}


def test_a_recording_is_written_when_it_says_something_new(
    case_folder: CaseFolder, recorded: dict[str, ReplayResult]
) -> None:
    case = Case.load(case_folder())
    path = case.folder / "truth.json"
    assert update(case).word == "recorded"
    before = path.read_text()
    recorded["case"] = replace(RESULT, other=(("main", "debug", "no rule compares this"),))
    assert update(case).word == "as before"
    assert path.read_text() == before
    recorded["case"] = replace(RESULT, ready=False)
    outcome = update(case)
    assert (outcome.word, outcome.good) == ("rewritten", True)
    assert "ready: configuration" in outcome.text
    assert not Truth.load(path).result.ready


def test_a_check_says_what_changed(case_folder: CaseFolder, recorded: dict[str, ReplayResult]) -> None:
    case = Case.load(case_folder())
    assert check(case).word == "no truth"
    update(case)
    assert check(case) == Outcome("same", good=True)
    recorded["case"] = replace(RESULT, stats={"wasm.x": 2})
    changed = check(case)
    assert (changed.word, changed.good) == ("changed", False)
    assert "stats: wasm.x" in changed.text
    (case.folder / "guest.wasm").write_bytes(b"other")
    assert check(case).word == "other modules"


def test_cases_are_named_drawn_or_all(
    cases: Path, recorded: dict[str, ReplayResult], capsys: pytest.CaptureFixture[str]
) -> None:
    def ran(*arguments: str) -> set[str]:
        assert main(["--cases", str(cases), *arguments]) == 0
        return {line.partition(":")[0] for line in capsys.readouterr().out.splitlines()[:-1]}

    assert ran("--all") == {"a", "b", "c", "d"}
    assert ran("b", str(cases / "d")) == {"b", "d"}
    drawn = ran("--sample", "2", "--seed", "abc")
    assert len(drawn) == 2
    assert ran("--sample", "2", "--seed", "abc") == drawn
    assert len({frozenset(ran("--sample", "2", "--seed", str(seed))) for seed in range(8)}) > 1
    assert ran("--sample", "9") == {"a", "b", "c", "d"}


def test_the_exit_status_tells(
    cases: Path, recorded: dict[str, ReplayResult], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    every = ["--cases", str(cases), "--all"]
    assert main([*every, "--check"]) == 1
    assert main(every) == 0
    assert main([*every, "--check"]) == 0
    recorded["b"] = replace(RESULT, ready=False)
    assert main([*every, "--check"]) == 1
    assert "3 of 4 cases are well" in capsys.readouterr().out
    assert main(["--cases", str(cases)]) == 2
    assert main(["--cases", str(cases / "none"), "--all"]) == 2


def test_a_case_that_cannot_be_run_does_not_stop_the_others(
    cases: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fake(case: Case, on_start: Callable[[int], None]) -> Truth:
        if case.name == "b":
            raise MeshsimError("no luck")
        return Truth(RESULT, "1.40.0", {})

    monkeypatch.setattr(truth, "record", fake)
    assert main(["--cases", str(cases), "--all"]) == 1
    assert "b: failed\nno luck" in capsys.readouterr().out
    assert (cases / "d" / "truth.json").exists()


@pytest.mark.parametrize(("ci", "status"), [("true", 2), ("", 0)])
def test_without_envoy_a_check_is_skipped_outside_of_ci(
    cases: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ci: str, status: int
) -> None:
    def missing(case: Case, on_start: Callable[[int], None]) -> Truth:
        raise ReferenceUnavailable("the real Envoy is not installed here", remedy="pip")

    monkeypatch.setattr(truth, "record", missing)
    monkeypatch.setenv("CI", ci)
    for name in "abcd":
        modules = modules_of(cases / name / "envoy.yaml")
        (cases / name / "truth.json").write_text(Truth(RESULT, "1.40.0", modules).dumps())
    assert main(["--cases", str(cases), "--all", "--check"]) == status
    assert "the real Envoy is not installed here" in "".join(capsys.readouterr())


def test_an_interrupt_ends_what_runs(cases: Path) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def job(case: Case, on_start: Callable[[int], None]) -> Outcome:
        if case.name == "a":
            return Outcome("same", good=True)
        command = [sys.executable, "-c", "import time; time.sleep(3600)"]
        process = subprocess.Popen(command, start_new_session=True)
        started.append(process)
        on_start(process.pid)
        process.wait()
        return Outcome("killed", good=False)

    running = Recorder(jobs=2).run(truth.cases(cases), job)
    assert next(running)[0].name == "a"
    while not started:
        pass
    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt())
    assert [process.poll() for process in started] == [-9] * len(started)


@pytest.mark.envoy
def test_the_real_envoy_does_the_same_twice(case_folder: CaseFolder, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = case_folder("good"), case_folder("bad", configured=False)
    assert main([str(good), str(bad)]) == 0
    assert main([str(good), str(bad), "--check"]) == 0
    recorded = Truth.load(good / "truth.json")
    assert "/1.40.0/" in recorded.envoy
    assert set(recorded.modules) == {"guest.wasm"}
    assert recorded.result.stats["http.in.downstream_rq_2xx"] == 1
    assert not [name for name in recorded.result.stats if name.startswith("server.")]
    assert str(bad) not in (bad / "truth.json").read_text()
