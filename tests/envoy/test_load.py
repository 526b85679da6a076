"""Load on one Envoy."""

from __future__ import annotations

import pytest

from meshsim.envoy.client import CLIENT_TURN_NS
from meshsim.envoy.requests import Request
from meshsim.envoy.wire import LOOPBACK_NS
from meshsim.errors import ConfigError
from meshsim.sim import Level
from tests.envoy.conftest import MakeEnvoy, listener

GET = Request(None, "GET", "/", "example.com")


@pytest.mark.parametrize("level", Level)
def test_each_connection_sends_when_it_is_answered(make_envoy: MakeEnvoy, level: Level) -> None:
    envoy = make_envoy("", listener(), level=level)
    load = envoy.drive(GET, count=10, connections=1)
    service_ns = envoy.process.costs.request_ns
    turn_ns = 2 * LOOPBACK_NS + service_ns
    assert (load.count, load.errors, load.statuses) == (10, 0, {200: 10})
    assert load.latency.total == 10 * turn_ns
    assert load.took_ns == 10 * turn_ns + 9 * CLIENT_TURN_NS


def test_a_busy_worker_serves_one_after_the_other(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy("", listener(), level=Level.OFF)
    load = envoy.drive(GET, count=3_000, connections=50)
    assert load.per_second == pytest.approx(1e9 / envoy.process.costs.request_ns, rel=0.01)


def test_workers_share_the_load(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy("", listener(), concurrency=2, level=Level.REQUESTS)
    envoy.drive(GET, count=100, connections=10)
    assert sorted(set(envoy.hops.rows.column("worker"))) == ["worker_0", "worker_1"]


def test_fewer_requests_than_connections(make_envoy: MakeEnvoy) -> None:
    assert make_envoy("", listener(), level=Level.OFF).drive(GET, count=3, connections=8).count == 3


def test_a_connection_that_the_proxy_closes_is_made_anew(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy("", listener(), level=Level.REQUESTS)
    close = Request(None, "GET", "/", "example.com", (("connection", "close"),))
    load = envoy.drive(close, count=20, connections=2)
    assert (load.errors, load.statuses) == (0, {200: 20})


@pytest.mark.parametrize(("count", "connections"), [(0, 1), (1, 0), (-1, 1)])
def test_numbers_have_to_be_positive(make_envoy: MakeEnvoy, count: int, connections: int) -> None:
    with pytest.raises(ConfigError, match="positive"):
        make_envoy("", listener()).drive(GET, count=count, connections=connections)


def test_an_unknown_listener_is_named(make_envoy: MakeEnvoy) -> None:
    with pytest.raises(ConfigError, match="no listener 'nowhere'"):
        make_envoy("", listener()).drive(Request("nowhere", "GET", "/", "example.com"), count=1)
