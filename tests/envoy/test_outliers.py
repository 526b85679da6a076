"""Hosts that fail, and how long they are left alone."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest

from meshsim.envoy.balancing import Balancer, Host, InTurn
from meshsim.envoy.config.cluster import Cluster, CommonLbConfig, OutlierDetection
from meshsim.envoy.outliers import Outliers
from meshsim.envoy.stats import Stats
from meshsim.envoy.threads import Thread
from meshsim.sim import Kernel

S = 1_000_000_000
HOSTS = [Host((f"10.0.0.{number}", 80), "") for number in range(4)]


class World:
    """Four hosts; workers hear of changes at once."""

    def __init__(self, **rules: Any) -> None:
        self.kernel = Kernel()
        self.stats = Stats()
        common = CommonLbConfig(update_merge_window=0)
        config = Cluster(outlier_detection=OutlierDetection(**rules), common_lb_config=common)
        main = Thread("main", self.kernel)
        scope = self.stats.scope("c")
        self.outliers = Outliers(config, HOSTS, main, scope, Random(1), lambda hosts: InTurn(hosts) if hosts else None)
        self.outliers.users.append(self)
        self.hosts: Sequence[Host] = HOSTS
        self.panics = False

    def use(self, hosts: Sequence[Host], balancer: Balancer | None, *, panics: bool) -> None:
        self.hosts, self.panics = hosts, panics

    def fail(self, number: int, status: int = 503) -> None:
        self.outliers.report(HOSTS[number].address, status, self.kernel.now_ns)


def test_a_host_that_fails_five_times_in_a_row_is_ejected() -> None:
    world = World(max_ejection_percent=25)
    for _ in range(4):
        world.fail(1)
    world.fail(1, 200)
    for _ in range(4):
        world.fail(1)
    assert len(world.hosts) == 4
    world.fail(1)
    assert world.hosts == [HOSTS[0], HOSTS[2], HOSTS[3]]


def test_no_more_than_the_share_is_ejected() -> None:
    world = World(consecutive_5xx=1, max_ejection_percent=50)
    for number in range(3):
        world.fail(number)
    assert world.hosts == [HOSTS[2], HOSTS[3]]
    assert world.stats.values()["c.ejections_overflow"] == 1


def test_below_the_threshold_all_hosts_are_used_again() -> None:
    world = World(consecutive_5xx=1, max_ejection_percent=100)
    world.fail(0)
    world.fail(1)
    assert (len(world.hosts), world.panics) == (2, False)
    world.fail(2)
    assert (len(world.hosts), world.panics) == (4, True)


def test_each_ejection_in_a_row_is_longer() -> None:
    world = World(consecutive_5xx=1, max_ejection_percent=100, base_ejection_time=30 * S)
    world.fail(0)
    world.kernel.run(29 * S)
    assert len(world.hosts) == 3
    world.kernel.run(30 * S)
    assert len(world.hosts) == 4
    world.fail(0)
    world.kernel.run(80 * S)
    assert len(world.hosts) == 3
    world.kernel.run(90 * S)
    assert len(world.hosts) == 4


def test_a_host_that_is_good_again_has_its_next_ejection_shortened() -> None:
    world = World(consecutive_5xx=1, max_ejection_percent=100, base_ejection_time=10 * S)
    world.fail(0)
    world.kernel.run(35 * S)
    assert len(world.hosts) == 4
    world.fail(0)
    world.kernel.run(51 * S)
    assert len(world.hosts) == 4


@pytest.mark.parametrize(("status", "out"), [(500, 0), (502, 1), (503, 1), (504, 1)])
def test_only_some_failures_are_those_of_gateways(status: int, out: int) -> None:
    world = World(
        consecutive_5xx=100,
        consecutive_gateway_failure=1,
        enforcing_consecutive_gateway_failure=100,
        max_ejection_percent=25,
    )
    world.fail(0, status)
    assert len(world.hosts) == 4 - out


def test_hosts_that_are_replaced_take_what_is_known_of_them_along() -> None:
    world = World(consecutive_5xx=1, max_ejection_percent=100)
    world.fail(0)
    world.outliers.take_hosts(HOSTS[:2])
    assert world.hosts == [HOSTS[1]]
