"""A calibration as small as it can be, on the real Envoy; and what needs none."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from meshsim.cost import CostModel, Profile
from meshsim.reference.calibrate import DISTURBED, FULL, QUICK, Plan, calibrate, machine
from meshsim.reference.meanings import meanings

SMALLEST = Plan(
    rounds=1, kept=1, passes=2, loadings=1, starts=1, weighings=1, workers=(1, 2),
    weights=(0, 20_000), sizes=(3_000,), straight=(3_000,),
)  # fmt: skip


def test_the_machine_is_described() -> None:
    described = machine()
    assert all(described.values())
    assert int(described["cores"]) >= 1


def test_the_quick_plan_is_the_smaller_one_and_measures_the_same() -> None:
    assert QUICK.steps < FULL.steps / 2
    assert QUICK.kept >= 2
    assert min(len(QUICK.workers), len(QUICK.sizes), len(QUICK.weights)) >= 2


@pytest.mark.envoy
@pytest.mark.timeout(180)
def test_a_calibration_makes_a_whole_profile_and_leaves_nothing_behind() -> None:
    steps: list[None] = []
    said: list[str] = []
    cores = os.sched_getaffinity(0)
    profile = calibrate("small", SMALLEST, lambda: steps.append(None), said.append)
    assert list(profile.coefficients) == list(meanings())
    assert len(steps) == SMALLEST.steps
    assert len(said) == 4
    assert profile.measured[DISTURBED].endswith("%")
    assert Profile.from_json(profile.to_json()) == profile
    assert CostModel(profile).base_vm_ns(0, first=True) > 0
    assert os.sched_getaffinity(0) == cores
    assert not children()


@pytest.mark.envoy
def test_an_interrupt_ends_it_and_leaves_nothing_behind() -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        calibrate("small", SMALLEST, interrupt, lambda text: None)
    assert not children()


def children() -> list[str]:
    """Processes that this thread has started and that are still there."""
    task = Path(f"/proc/self/task/{threading.get_native_id()}/children")
    return task.read_text().split()
