"""Growth and density are measured on runs that do what they say."""

from __future__ import annotations

import pytest

from meshsim.sim import Level
from tests.bench import density, growth
from tests.bench.figures import REGISTRY


def test_a_mark_is_taken_at_each_size() -> None:
    marks = growth.grow(Level.REQUESTS, (20, 60))
    assert [(mark.requests, mark.hops) for mark in marks] == [(20, 40), (60, 120)]
    assert 0 < marks[0].seconds < marks[1].seconds
    assert all(mark.resident_bytes > 1 << 20 for mark in marks)


def test_a_run_of_its_own_gives_the_same_marks() -> None:
    (mark,) = growth.grown(Level.OFF, (10,))
    assert (mark.requests, mark.hops) == (10, 20)


def test_growth_has_its_bars() -> None:
    bars = {name: each.at_most for name, each in REGISTRY.items() if name.startswith("growth-")}
    assert set(bars.values()) == {1.05, 96, 1}
    assert [name for name in bars if REGISTRY[name].long] == [name for name in bars if "long" in name]
    assert len(bars) == 8


def test_a_sidecar_has_all_its_vms_and_answers() -> None:
    weight = density.weigh(2)
    assert weight.sidecars == 2
    assert weight.resident_bytes > 0


def test_a_vm_that_is_missing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(density, "VMS", 13)
    with pytest.raises(RuntimeError, match="1 sidecars have 12 VMs"):
        density.weigh(1)
