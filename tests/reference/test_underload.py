"""Loads, points and their table; one small comparison with the real Envoy."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from meshsim.cost import default_profile
from meshsim.mesh import Mesh, OpenLoop, Service, Topology
from meshsim.reference import underload
from meshsim.reference.bench import Bench
from meshsim.reference.underload import Point, Seen, UnderLoad, due_ns, report


def point(predicted: float, *measured: float, busy: float = 0.5) -> Point:
    """A point whose filter adds so much to 100 us; its worker is predicted to be half busy, and is ``busy``."""
    past = Seen(100e3, 0.3)
    real = tuple((past, Seen(100e3 + each, busy)) for each in measured)
    return Point("x", "poisson", 0.6, 2_000.0, real, ((past, Seen(100e3 + predicted, 0.5)),))


def test_a_point_has_the_middle_of_envoy_s_rounds_and_how_far_they_are_apart() -> None:
    one = point(55e3, 48e3, 50e3, 56e3)
    assert one.increase == 50e3
    assert one.error == pytest.approx(0.1)
    assert one.again == pytest.approx(0.08)
    assert one.utilisations() == ((0.3, 0.3), (0.5, 0.5))


def test_the_report_counts_what_is_within_the_bars() -> None:
    points = (point(55e3, 50e3), point(20e3, 40e3, busy=0.75))
    text = report(UnderLoad(points, {"x": (3_000.0, 3_300.0)}, 0.0123))
    assert "x: 3,300 predicted, 3,000 measured" in text
    assert "| x, poisson, 60% | 2,000 | 55.0 | 50.0 | +10.0% | 0.0% | 30.0% | 30.0% | 50.0% | 50.0% |" in text
    assert "within 25%: 1 of 2" in text
    assert "within 10 points: 3 of 4" in text
    assert "at most 1.2% of a turn" in text


@pytest.mark.parametrize("arrivals", ["constant", "poisson"])
def test_both_clients_send_at_the_same_moments(arrivals: underload.Arrivals) -> None:
    load = OpenLoop(1_000, arrivals)
    result = Mesh(Topology([Service("host")]), proxies="none").run(load, seconds=0.1, seed=3)
    assert [hop.start_ns for hop in result.hops if hop.parent < 0] == due_ns(load, 0.1, seed=3)


@pytest.mark.envoy
@pytest.mark.timeout(180)
def test_a_comparison_has_all_points_and_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(underload, "ROUNDS", 1)
    monkeypatch.setattr(underload, "TURN_S", 0.05)
    monkeypatch.setattr(underload, "SHARES", (0.3,))
    cores = os.sched_getaffinity(0)
    steps: list[None] = []
    seen = underload.compare(Bench(tmp_path), default_profile(), lambda: steps.append(None))
    assert {(each.name, each.arrivals) for each in seen.points} == {
        (name, arrivals) for name in underload.FILTERS for arrivals in underload.ARRIVALS
    }
    assert all(past.p50 > 0 and past.utilisation > 0 for each in seen.points for past, _ in each.real)
    assert seen.capacity["heavy"] < seen.capacity["light"]
    assert len(steps) == 2 * len(seen.points)
    assert os.sched_getaffinity(0) == cores
    assert not Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()
