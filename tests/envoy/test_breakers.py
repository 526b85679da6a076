"""Limits of what may be under way."""

from __future__ import annotations

from meshsim.envoy.breakers import Breakers
from meshsim.envoy.config.cluster import Thresholds
from meshsim.envoy.stats import Stats
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Socket
from meshsim.sim import Kernel


def test_without_numbers_envoys_own_hold() -> None:
    breakers = Breakers(Thresholds(), Stats().scope("cluster.c"))
    for _ in range(3):
        assert breakers.retries.is_left()
        breakers.retries.take()
    assert not breakers.retries.is_left()


def test_a_gauge_tells_of_a_limit_that_is_reached_and_of_its_end() -> None:
    stats = Stats()
    breakers = Breakers(Thresholds(max_requests=1), stats.scope("cluster.c"))
    assert stats.values() == {}
    breakers.requests.take()
    assert stats.values() == {"cluster.c.circuit_breakers.default.rq_open": 1}
    breakers.requests.give()
    assert stats.values() == {}


def test_connections_count_until_either_end_closes() -> None:
    kernel = Kernel()
    breakers = Breakers(Thresholds(max_connections=2), Stats().scope("cluster.c"))
    pairs = [Socket.pair(Thread("near", kernel), Thread("far", kernel)) for _ in range(2)]
    for near, _ in pairs:
        breakers.connections.take()
        breakers.opened(near)
    assert not breakers.connections.is_left()
    pairs[0][0].close()
    breakers.sweep()
    assert breakers.connections.is_left()
