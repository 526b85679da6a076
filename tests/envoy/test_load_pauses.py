"""Load with pauses: connections that wait between two requests, at every level the same."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import meshsim as ms
from meshsim.sim import Streams
from meshsim.widgets._overhead_run import bootstrap_text, start

COUNT, CONNECTIONS = 120, 6


def pauses(mean_ns: int) -> Callable[[int], int]:
    draws = [Streams(3).stream(f"user {user}") for user in range(CONNECTIONS)]
    return lambda user: round(draws[user].expovariate(1.0) * mean_ns)


def drive(level: ms.Level, pause_ns: Callable[[int], int] | None) -> tuple[object, ...]:
    envoy = start(bootstrap_text("overhead/inspector.wasm", 1), 2, level)
    driven = envoy.drive(ms.Request(), count=COUNT, connections=CONNECTIONS, pause_ns=pause_ns)
    return driven.took_ns, driven.latency.mean, driven.latency.quantile(0.99), dict(driven.statuses)


@pytest.mark.parametrize("mean_ns", [20_000, 2_000_000])
def test_every_level_tells_the_same(mean_ns: int) -> None:
    told = {drive(level, pauses(mean_ns))[:3] for level in ms.Level}
    assert len(told) == 1


def test_pauses_take_their_time_and_leave_the_queue_short() -> None:
    took_ns, mean_ns, *_ = drive(ms.Level.OFF, pauses(2_000_000))
    busy_took_ns, busy_mean_ns, *_ = drive(ms.Level.OFF, None)
    assert isinstance(took_ns, int)
    assert isinstance(busy_took_ns, int)
    assert took_ns > COUNT / CONNECTIONS * 1_000_000 > busy_took_ns
    assert mean_ns < busy_mean_ns  # type: ignore[operator]
