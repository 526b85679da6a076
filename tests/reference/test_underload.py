"""Loads, points and their table; one small comparison with the real Envoy."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from meshsim.cost import CostModel, default_profile
from meshsim.reference import underload
from meshsim.reference.bench import Bench
from meshsim.reference.underload import Measured, Pair, Point, Seen, UnderLoad, plain_ns, report, slowed


def point(predicted: float, *measured: float, busy: float = 0.5) -> Point:
    """A point whose filter adds so much to 100 us; its worker is predicted to be half busy, and is ``busy``."""
    past = Seen(100e3, 0.3)
    real = (Pair(past, Seen(100e3 + each, busy)) for each in measured)
    simulated = Pair(past, Seen(100e3 + predicted, 0.5))
    return Point("x", 0.6, tuple(Measured(1e6, 2_000.0, 20e3, 50e3, pair) for pair in real), (simulated,))


def test_a_point_has_the_middle_of_envoy_s_rounds_and_how_far_they_are_apart() -> None:
    one = point(55e3, 48e3, 50e3, 56e3)
    assert one.increase == 50e3
    assert one.error == pytest.approx(0.1)
    assert one.again == pytest.approx(0.08)
    assert one.utilisations() == ((0.3, 0.3), (0.5, 0.5))


def test_the_report_counts_what_is_within_the_bars() -> None:
    points = (point(55e3, 50e3), point(20e3, 40e3, busy=0.75))
    text = report(UnderLoad(points, first=True))
    assert "| x, 60% | 2,000 | 55 | 50 | +10% | 0% | 30% | 30% | 50% | 50% |" in text
    assert "within 25%: 1 of 2" in text
    assert "within 10 points: 3 of 4" in text
    assert "Plain requests took 20.0 to 20.0 us, waking 50 to 50." in text
    assert "Other programs had to wait." in text


def test_a_slow_machine_is_dear_in_all_that_the_simulator_charges_for_a_request() -> None:
    profile = default_profile()
    usual, slow = CostModel(profile, under_load=True), CostModel(slowed(profile, 1.5, 70e3), under_load=True)
    for name in ("request_ns", "upstream_ns", "reentry_ns", "cold_entry_ns", "filter_ns", "callback_ns", "fuel_ns"):
        assert getattr(slow, name) == pytest.approx(1.5 * getattr(usual, name), abs=1)
    assert slow.wake_ns == 70_000
    assert slow.vm_bytes == usual.vm_bytes


def test_plain_requests_are_compared_with_those_that_the_same_client_made_for_the_profile() -> None:
    assert plain_ns(default_profile()) == default_profile()["awake_request_ns"]


@pytest.mark.envoy
@pytest.mark.timeout(180)
def test_a_comparison_has_all_points_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(underload, "ROUNDS", 1)
    monkeypatch.setattr(underload, "PASSES", 1)
    monkeypatch.setattr(underload, "SHARES", (0.3,))
    cores, policy = os.sched_getaffinity(0), os.sched_getscheduler(0)
    steps: list[None] = []
    seen = underload.compare(Bench(tmp_path), default_profile(), lambda: steps.append(None))
    assert [each.name for each in seen.points] == [*underload.FILTERS]
    measured = [(each, pair) for point in seen.points for each in point.measured for pair in each.pair]
    assert all(each.rate > 0 and side.p50 > 0 and side.utilisation > 0 for each, side in measured)
    assert len(steps) == 2 * len(seen.points)
    assert (os.sched_getaffinity(0), os.sched_getscheduler(0)) == (cores, policy)
    assert not Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
