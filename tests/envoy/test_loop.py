"""Rounds of a worker's loop: what has come goes before what was written."""

from __future__ import annotations

from functools import partial

import pytest

from meshsim.cost import CostModel
from meshsim.envoy.loop import Loop
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.threads import Thread
from meshsim.sim import Kernel, Level

COST_NS = 100
EMPTY = "static_resources:\n  listeners: []\n"


def leaving(kind: type[Thread], *due_ns: int) -> list[tuple[str, int]]:
    """When what requests write leaves; each takes :data:`COST_NS`."""
    kernel = Kernel()
    thread = kind("worker_0", kernel)
    seen: list[tuple[str, int]] = []

    def leave(name: str) -> None:
        seen.append((name, thread.now_ns))

    def task(name: str) -> None:
        thread.at_end_of_task(partial(leave, name))
        thread.spend(COST_NS)

    for name, time_ns in zip("abcdef", due_ns, strict=False):
        thread.post_at(partial(task, name), time_ns)
    kernel.run()
    return seen


@pytest.mark.parametrize("due_ns", [(10,), (10, 111, 300), (10, 111, 212)])
def test_without_others_a_worker_writes_at_once(due_ns: tuple[int, ...]) -> None:
    assert leaving(Loop, *due_ns) == leaving(Thread, *due_ns)


def test_what_is_written_waits_for_what_has_come_meanwhile() -> None:
    assert leaving(Thread, 0, 50) == [("a", 100), ("b", 200)]
    assert leaving(Loop, 0, 50) == [("a", 200), ("b", 200)]


def test_what_came_together_is_written_together() -> None:
    assert leaving(Loop, 0, 10, 20, 30) == [("a", 400), ("b", 400), ("c", 400), ("d", 400)]


def test_what_comes_in_the_next_round_goes_behind_what_was_written_before_this_one() -> None:
    assert leaving(Loop, 0, 50, 150) == [("a", 200), ("b", 300), ("c", 300)]


def test_what_is_written_outside_a_task_leaves_too() -> None:
    kernel = Kernel()
    loop = Loop("worker_0", kernel)
    seen: list[int] = []
    kernel.at(30, lambda _: loop.at_end_of_task(lambda: seen.append(loop.now_ns)))
    kernel.run()
    assert seen == [30]


def test_a_worker_that_sleeps_is_woken_for_a_round_and_not_for_its_writes() -> None:
    kernel = Kernel()
    loop = Loop("worker_0", kernel, wake_ns=7)
    seen: list[int] = []

    def task() -> None:
        loop.at_end_of_task(lambda: seen.append(loop.now_ns))
        loop.spend(COST_NS)

    loop.post_at(task, 10)
    loop.post_at(task, 20)
    kernel.run()
    assert seen == [10 + 7 + 2 * COST_NS] * 2


@pytest.mark.parametrize("under_load", [False, True])
def test_only_under_load_a_worker_goes_in_rounds_and_requests_take_no_express_lane(under_load: bool) -> None:
    envoy = Envoy.from_yaml(EMPTY, level=Level.OFF, costs=CostModel(under_load=under_load))
    assert [type(worker.thread) for worker in envoy.workers] == [Loop if under_load else Thread]
    assert type(envoy.main.thread) is Thread
    assert (envoy.express is None) is under_load
