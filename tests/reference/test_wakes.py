"""What waking costs, on the real Envoy: that a worker with little to do is woken for each request, and else is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.reference import wakes
from meshsim.reference.bench import Bench


@pytest.mark.envoy
def test_a_worker_with_little_to_do_is_woken_for_requests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wakes, "PASSES", 1)
    steps: list[None] = []
    seen = wakes.measure(Bench(tmp_path), lambda: steps.append(None))
    assert len(steps) == 1
    for (often, _), (rarely, _) in seen["wake_ns"].values():
        assert often < rarely
    assert [amount for amount, _ in seen["upstream_ns"]["a host that answers at once"]] == [0, 1]
