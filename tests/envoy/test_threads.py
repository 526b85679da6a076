from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.threads import Thread, Timer, Turns
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


def test_what_a_task_has_written_leaves_although_it_fails() -> None:
    kernel, left = Kernel(), list[str]()
    thread = Thread("t", kernel)

    def fails() -> None:
        thread.at_end_of_task(lambda: left.append("written before"))
        raise ZeroDivisionError

    thread.post(fails)
    with pytest.raises(ZeroDivisionError):
        kernel.run()
    assert left == ["written before"]
    thread.post(lambda: left.append("next"))
    kernel.run()
    assert left == ["written before", "next"]


def test_a_halted_thread_ends_its_task_and_goes_on_later() -> None:
    kernel, ran = Kernel(), list[tuple[str, int]]()
    thread = Thread("t", kernel)

    def first() -> None:
        thread.spend(100)
        thread.halt()
        ran.append(("first", thread.now_ns))

    thread.post(first)
    for name, at in (("due meanwhile", 50), ("due at its end", 100), ("due while it stands", 150)):
        thread.post(lambda name=name: ran.append((name, thread.now_ns)), at)
    kernel.run(200)
    assert ran == [("first", 100)]
    thread.go_on()
    kernel.run()
    assert [name for name, _ in ran[1:]] == ["due meanwhile", "due at its end", "due while it stands"]
    assert {at_ns for _, at_ns in ran[1:]} == {200}


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


def interleaved(seed: int, costs: dict[str, list[int]]) -> list[tuple[int, str, int]]:
    """Steps of tasks that start together, each on a thread of its own, and hand over after each cost."""
    kernel, steps = Kernel(), list[tuple[int, str, int]]()
    turns = Turns(kernel, Random(seed))

    def task(thread: Thread, each: list[int]) -> None:
        for number, cost in enumerate(each):
            thread.spend(cost)
            thread.hand_over()
            steps.append((thread.now_ns, thread.name, number))

    for name, each in costs.items():
        thread = Thread(name, kernel, turns)
        thread.post(lambda thread=thread, each=each: task(thread, each))
    kernel.run()
    return steps


def test_threads_with_turns_go_on_in_order_of_time() -> None:
    steps = interleaved(0, {"a": [10, 10, 10], "b": [15, 1, 20]})
    assert steps == [(10, "a", 0), (15, "b", 0), (16, "b", 1), (20, "a", 1), (30, "a", 2), (36, "b", 2)]


def test_in_the_same_instant_lots_decide_and_the_seed_decides_them() -> None:
    costs = {name: [5] * 4 for name in "abcd"}
    runs = [interleaved(seed, costs) for seed in range(8)]
    assert runs == [interleaved(seed, costs) for seed in range(8)]
    assert len({tuple(run) for run in runs}) == len(runs)
    for run in runs:
        assert [time for time, _, _ in run] == [5] * 4 + [10] * 4 + [15] * 4 + [20] * 4


def test_a_task_that_waits_for_its_turn_keeps_its_thread() -> None:
    kernel, ran = Kernel(), list[tuple[str, int]]()
    thread = Thread("t", kernel, Turns(kernel, Random(0)))

    def waits() -> None:
        thread.spend(100)
        thread.hand_over()
        assert thread.idle_from_ns == thread.now_ns == 100
        thread.spend(7)
        thread.at_end_of_task(lambda: ran.append(("flushed", thread.now_ns)))
        ran.append(("waited", thread.now_ns))

    thread.post(waits)
    thread.post_at(lambda: ran.append(("meanwhile", thread.now_ns)), 50)
    kernel.run(60)
    assert thread.idle_from_ns == 100
    kernel.run()
    assert ran == [("waited", 107), ("flushed", 107), ("meanwhile", 107)]


def test_an_error_after_a_wait_does_not_stop_the_thread() -> None:
    kernel, ran = Kernel(), list[str]()
    thread = Thread("t", kernel, Turns(kernel, Random(0)))

    def fails() -> None:
        thread.spend(10)
        thread.hand_over()
        raise RuntimeError

    thread.post(fails)
    thread.post(lambda: ran.append("later"))
    with pytest.raises(RuntimeError):
        kernel.run()
    kernel.run()
    assert ran == ["later"]


def test_handing_over_is_nothing_without_turns_or_outside_a_task() -> None:
    kernel = Kernel()
    Thread("t", kernel).hand_over()
    Thread("t", kernel, Turns(kernel, Random(0))).hand_over()
    kernel.run()
    assert kernel.now_ns == 0
