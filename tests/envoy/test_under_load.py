"""What is charged only with ``under_load``: waking a worker, the way to a host and back, guests that are cold."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from meshsim.cost import CostModel, default_profile
from meshsim.cost.profile import Coefficient
from meshsim.envoy.loop import Loop
from meshsim.envoy.threads import Thread
from meshsim.mesh import ClosedLoop, Constant, Link, Mesh, Network, OpenLoop, Service, Topology
from meshsim.reference.specimens import CALLBACKS, guest
from meshsim.sim import Kernel

#: As long as the worker of one request takes for all else.
WAKE_NS, UPSTREAM_NS = 40_000, 26_000
REENTRY_NS, COLD_NS = 60_000, 25_000
FILTER = guest(tuple(CALLBACKS))
NEAR = Network(default=Link(Constant(1_000)))


def costs(*, under_load: bool) -> CostModel:
    """Costs of the profile that ships, but for the two."""
    plain = default_profile()
    own = {
        name: Coefficient(value, "ns", value, value, "Made up.", {})
        for name, value in (
            ("awake_request_ns", plain["request_ns"]),
            ("wake_ns", WAKE_NS),
            ("upstream_ns", UPSTREAM_NS),
            ("reentry_ns", REENTRY_NS),
            ("cold_entry_ns", COLD_NS),
        )
    }
    return CostModel(replace(plain, coefficients={**plain.coefficients, **own}), under_load=under_load)


def mesh(*, under_load: bool) -> Mesh:
    return Mesh(Topology([Service("host", workers=1)]), network=NEAR, costs=costs(under_load=under_load))


def busy_ns(load: OpenLoop | ClosedLoop, *, under_load: bool, filters: bytes | None = None) -> float:
    """What the worker of a sidecar is busy for a request."""
    plain = mesh(under_load=under_load)
    result = (plain.with_filter("host", module=filters) if filters else plain).run(load, seconds=0.5)
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


def added_by_filter(load: OpenLoop | ClosedLoop, *, under_load: bool) -> float:
    """What a filter adds to that."""
    return busy_ns(load, under_load=under_load, filters=FILTER) - busy_ns(load, under_load=under_load)


def test_a_guest_is_cold_each_time_that_the_worker_was_woken_and_entered_anew_for_the_answer() -> None:
    rare = OpenLoop(20, "constant")
    added = added_by_filter(rare, under_load=True) - added_by_filter(rare, under_load=False)
    assert added == pytest.approx(2 * COLD_NS + REENTRY_NS, rel=0.01)


def test_a_worker_that_always_has_more_to_do_only_enters_it_anew() -> None:
    many = ClosedLoop(64)
    added = added_by_filter(many, under_load=True) - added_by_filter(many, under_load=False)
    assert added == pytest.approx(REENTRY_NS, rel=0.05)


def test_what_a_task_enters_behind_the_first_guest_finds_it_warm() -> None:
    kernel = Kernel()
    loop = Loop("worker_0", kernel, wake_ns=5, reentry_ns=300, cold_entry_ns=70)
    seen: list[int] = []

    def task(*entries: bool) -> None:
        for is_new in entries:
            loop.enter(is_new)
        seen.append(loop.now_ns - kernel.now_ns)

    for time_ns, entries in ((1_000, (True, False)), (2_000, (False, False)), (2_100, (True,)), (2_200, (False,))):
        loop.post_at(partial(task, *entries), time_ns)
    kernel.run()
    assert seen == [5 + 70, 5 + 300 + 70, 0, 300]


def test_without_it_nothing_of_the_kind_is_charged() -> None:
    assert costs(under_load=False).wake_ns == costs(under_load=False).upstream_ns == 0
    assert costs(under_load=False).reentry_ns == costs(under_load=False).cold_entry_ns == 0
    assert costs(under_load=True).wake_ns == WAKE_NS
