"""The last step of a lesson: the real Envoy, live or recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import meshsim as ms
from meshsim.errors import ReferenceUnavailable
from meshsim.lab.lessons import real
from meshsim.lab.lessons.lesson import files_of, numbers
from meshsim.reference.truth import Case, check, modules_of

WITH_FILES = [number for number in numbers() if (files_of(number) / "truth.json").exists()]


@pytest.mark.parametrize("number", WITH_FILES)
def test_the_recorded_run_is_the_one_that_is_simulated(number: str) -> None:
    run = real.recorded(files_of(number), ReferenceUnavailable("the real Envoy is not installed here"))
    assert run.identical, str(run)
    assert not run.live
    assert run.origin.startswith("A recorded run of the real Envoy 1.40.0")
    assert "not installed here" in run.origin


@pytest.mark.parametrize("number", WITH_FILES)
def test_it_was_recorded_with_the_modules_that_are_there(number: str) -> None:
    truth = json.loads((files_of(number) / "truth.json").read_text(encoding="utf-8"))
    assert truth["modules"] == modules_of(files_of(number) / "envoy.yaml")


def test_every_lesson_ends_with_a_run() -> None:
    assert numbers() == WITH_FILES


def test_without_an_envoy_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise ReferenceUnavailable("the real Envoy is not installed here")

    monkeypatch.setattr(real, "find_envoy", nowhere)
    assert "A recorded run" in str(ms.lesson("00", workers=3).real())


@pytest.mark.envoy
@pytest.mark.parametrize("number", WITH_FILES)
def test_the_real_envoy_still_does_what_was_recorded(number: str) -> None:
    outcome = check(Case.load(files_of(number)))
    assert outcome.good, outcome.text


@pytest.mark.envoy
def test_where_there_is_one_it_runs_the_learners_files(tmp_path: Path) -> None:
    opened = ms.lesson("00", workers=1)
    text = opened.bootstrap.read_text()
    opened.bootstrap.write_text(text.replace("inline_string: hello", "inline_string: changed"))
    run = opened.real()
    assert run.live
    assert run.workers == 1
    assert run.result.responses[0].body == run.simulated.responses[0].body == "changed"
