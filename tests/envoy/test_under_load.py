"""What is charged only with ``under_load``: waking a worker, and the way to a host and back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshsim.cost import CostModel, default_profile
from meshsim.cost.profile import Coefficient
from meshsim.envoy.threads import Thread
from meshsim.mesh import ClosedLoop, Constant, Link, Mesh, Network, OpenLoop, Service, Topology
from meshsim.sim import Kernel

#: As long as the worker of one request takes for all else.
WAKE_NS, UPSTREAM_NS = 40_000, 26_000
NEAR = Network(default=Link(Constant(1_000)))


def costs(*, under_load: bool) -> CostModel:
    """Costs of the profile that ships, but for the two."""
    plain = default_profile()
    own = {
        name: Coefficient(value, "ns", value, value, "Made up.", {})
        for name, value in (("wake_ns", WAKE_NS), ("upstream_ns", UPSTREAM_NS))
    }
    return CostModel(replace(plain, coefficients={**plain.coefficients, **own}), under_load=under_load)


def mesh(*, under_load: bool) -> Mesh:
    return Mesh(Topology([Service("host", workers=1)]), network=NEAR, costs=costs(under_load=under_load))


def busy_ns(load: OpenLoop | ClosedLoop, *, under_load: bool) -> float:
    """What the worker of a sidecar is busy for a request."""
    result = mesh(under_load=under_load).run(load, seconds=0.5)
    (worker,) = (use for use in result.usage if use.track == "worker_0")
    return worker.busy_ns / result.counters["host"]["requests"]


def test_a_thread_that_sleeps_has_to_wake_up_and_one_that_works_has_not() -> None:
    kernel = Kernel()
    thread = Thread("worker_0", kernel, wake_ns=5)
    begun: list[int] = []

    def task() -> None:
        begun.append(thread.now_ns)
        thread.spend(100)

    for time_ns in (10, 50, 115, 300):
        thread.post_at(task, time_ns)
    kernel.run()
    assert begun == [15, 115, 215, 315]


def test_the_clock_of_a_task_can_be_set_to_its_beginning() -> None:
    kernel = Kernel()
    thread = Thread("worker_0", kernel, wake_ns=5)
    seen: list[int] = []

    def task() -> None:
        thread.spend(7)
        seen.extend((thread.begun_ns, thread.now_ns))

    thread.post_at(task, 10)
    kernel.run()
    assert seen == [15, 22]


def test_a_request_alone_wakes_the_worker_twice_and_goes_to_its_host_and_back() -> None:
    rare = OpenLoop(100, "constant")
    added = busy_ns(rare, under_load=True) - busy_ns(rare, under_load=False)
    assert added == pytest.approx(2 * WAKE_NS + UPSTREAM_NS, rel=0.05)


def test_a_worker_that_always_has_more_to_do_is_not_woken() -> None:
    many = ClosedLoop(64)
    added = busy_ns(many, under_load=True) - busy_ns(many, under_load=False)
    assert added == pytest.approx(UPSTREAM_NS, rel=0.05)


def test_without_it_nothing_of_the_kind_is_charged() -> None:
    assert costs(under_load=False).wake_ns == costs(under_load=False).upstream_ns == 0
    assert costs(under_load=True).wake_ns == WAKE_NS
