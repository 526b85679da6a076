"""What waking costs, on the real Envoy: that a worker with little to do is woken for each request, and else is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.reference import wakes
from meshsim.reference.bench import Bench
from meshsim.reference.fit import USUAL
from meshsim.reference.meanings import meanings
from meshsim.reference.wakes import Chain, Seen, _least


@pytest.mark.envoy
def test_a_worker_with_little_to_do_is_woken_for_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakes, "PASSES", 1)
    steps: list[None] = []
    prices = {"filter_ns": 1_000.0, "callback_ns": 300.0, "host_call_ns": 500.0}
    seen = wakes.measure(Bench(tmp_path), prices, lambda: steps.append(None))
    assert len(steps) == 1
    assert set(seen) <= set(meanings())
    for (often, _), (rarely, _) in seen["wake_ns"].values():
        assert often < rarely
    assert [amount for amount, _ in seen["upstream_ns"]["a host that answers at once"]] == [0, 1]
    prices_of = {name: points[0] for name, points in seen["reentry_ns"].items()}
    assert prices_of == {"empty callbacks": (0, 3_100), "host calls": (0, 3_100 + len(USUAL) * 500)}
    assert all(rarely > often for (often, _), (rarely, _) in seen["cold_entry_ns"].values())
    assert wakes.plain_ns(seen) > 0


def test_what_is_rare_counts_where_the_client_was_not_stopped() -> None:
    at_once, disturbed = Seen(0.0, 40.0), Seen(0.1, 60.0)
    rare, piled_up = Seen(2.0, 110.0, 150.0), Seen(0.9, 80.0, 4_000.0)
    turns = [Chain(disturbed, piled_up, at_once, rare), Chain(at_once, rare, disturbed, piled_up)]
    assert _least(turns) == Chain(at_once, rare, at_once, rare)
