from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.threads import Thread, Timer
from meshsim.sim import Kernel


def test_one_thing_at_a_time_first_come_first_served() -> None:
    kernel, ran = Kernel(), list[tuple[str, int]]()
    thread = Thread("t", kernel)

    def task(name: str, cost_ns: int) -> None:
        ran.append((name, thread.now_ns))
        thread.spend(cost_ns)
        assert thread.now_ns == ran[-1][1] + cost_ns

    for name, at, cost in (("a", 0, 100), ("b", 10, 5), ("c", 10, 0), ("d", 104, 1), ("e", 500, 0)):
        thread.post(lambda name=name, cost=cost: task(name, cost), at)
    kernel.run()
    assert ran == [("a", 0), ("b", 100), ("c", 105), ("d", 105), ("e", 500)]


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 10)), max_size=30))
def test_against_a_queue_with_one_server(tasks: list[tuple[int, int]]) -> None:
    kernel, ran = Kernel(), list[tuple[int, int]]()
    thread = Thread("t", kernel)

    def run(number: int, cost: int) -> None:
        ran.append((number, thread.now_ns))
        thread.spend(cost)

    for number, (at, cost) in enumerate(tasks):
        thread.post_at(lambda number=number, cost=cost: run(number, cost), at)
    kernel.run()
    free, expected = 0, []
    for number, (at, cost) in sorted(enumerate(tasks), key=lambda entry: entry[1][0]):
        free = max(free, at)
        expected.append((number, free))
        free += cost
    assert ran == expected
    assert thread.idle_from_ns == max(free, kernel.now_ns)


def test_a_task_is_not_interrupted_by_what_it_posts() -> None:
    kernel, ran = Kernel(), list[str]()
    thread = Thread("t", kernel)

    def first() -> None:
        thread.post(lambda: ran.append("second"))
        thread.at_end_of_task(lambda: ran.append("flushed"))
        ran.append("first")

    thread.post(first)
    kernel.run()
    assert ran == ["first", "flushed", "second"]


def test_what_is_asked_for_outside_a_task_happens_all_the_same() -> None:
    kernel, ran = Kernel(), list[str]()
    Thread("t", kernel).at_end_of_task(lambda: ran.append("flushed"))
    kernel.run()
    assert ran == ["flushed"]


def test_a_timer_fires_once_or_not_at_all() -> None:
    kernel, ran = Kernel(), list[int]()
    thread = Thread("t", kernel)
    timers = [thread.timer(lambda: ran.append(thread.now_ns), delay) for delay in (10, 20)]
    timers[1].cancel()
    kernel.run()
    timers[0].cancel()
    assert ran == [10]
    assert isinstance(timers[0], Timer)


def test_an_error_in_a_task_does_not_stop_the_thread() -> None:
    kernel, ran = Kernel(), list[str]()
    thread = Thread("t", kernel)

    def fails() -> None:
        raise RuntimeError

    thread.post(lambda: thread.spend(10))
    thread.post(fails)
    thread.post(lambda: ran.append("later"))
    with pytest.raises(RuntimeError):
        kernel.run()
    kernel.run()
    assert ran == ["later"]
