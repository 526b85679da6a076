"""The kernel against a naive one that searches a list, and at each of its edges."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.sim import Handle, Kernel

TIMES = st.integers(0, 5)  # few enough for ties to be the rule


class NaiveKernel:
    """The meaning of the kernel without its speed: always the least (time, insertion) of what is not cancelled."""

    def __init__(self) -> None:
        self.now_ns = 0
        self._pending: list[tuple[int, int, Callable[[Any], object], Any]] = []
        self._inserted = 0

    def after(self, delay_ns: int, fn: Callable[[Any], object], arg: Any = None) -> int:
        self._inserted += 1
        self._pending.append((self.now_ns + delay_ns, self._inserted, fn, arg))
        return self._inserted

    def cancel(self, handle: int) -> None:
        self._pending = [event for event in self._pending if event[1] != handle]

    def run(self) -> None:
        while self._pending:
            event = min(self._pending, key=lambda event: event[:2])
            self._pending.remove(event)
            self.now_ns = event[0]
            event[2](event[3])


# A program: what each event does when it happens, as (delay of a new event | None, which earlier event to cancel).
PROGRAMS = st.lists(
    st.lists(st.tuples(st.none() | TIMES, st.none() | st.integers(0, 30)), max_size=3), min_size=1, max_size=30
)


def play(kernel: Any, program: list[list[tuple[int | None, int | None]]]) -> list[tuple[int, int]]:
    """Run a program on a kernel; gives (time, number of the event) in the order in which they happened."""
    happened: list[tuple[int, int]] = []
    handles: list[Any] = []

    def event(number: int) -> None:
        happened.append((kernel.now_ns, number))
        for delay_ns, victim in program[number % len(program)]:
            if delay_ns is not None and len(handles) < 100:
                handles.append(kernel.after(delay_ns, event, len(handles)))
            if victim is not None and victim < len(handles):
                kernel.cancel(handles[victim])

    for number, _ in enumerate(program):
        handles.append(kernel.after(number % 3, event, number))
    kernel.run()
    return happened


@given(PROGRAMS)
def test_any_program_of_events_and_cancellations_happens_as_on_the_naive_kernel(
    program: list[list[tuple[int | None, int | None]]],
) -> None:
    expected = play(NaiveKernel(), program)
    assert play(Kernel(), program) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("meshsim.sim.kernel._SWEEP_FROM", 1)
        assert play(Kernel(), program) == expected


@given(st.lists(TIMES))
def test_events_happen_by_time_and_then_by_insertion(times: list[int]) -> None:
    kernel, happened = Kernel(), list[tuple[int, int]]()
    for number, time_ns in enumerate(times):
        kernel.at(time_ns, happened.append, (time_ns, number))
    kernel.run()
    assert happened == sorted((time_ns, number) for number, time_ns in enumerate(times))


@given(st.lists(TIMES), st.lists(TIMES))
def test_bounded_runs_one_after_the_other_are_one_run(times: list[int], bounds: list[int]) -> None:
    kernel, happened = Kernel(), list[tuple[int, int]]()
    for number, time_ns in enumerate(times):
        kernel.at(time_ns, happened.append, (time_ns, number))
    for bound_ns in sorted(bounds):
        kernel.run(until_ns=bound_ns)
        assert kernel.now_ns == bound_ns
        assert len(happened) == sum(time_ns <= bound_ns for time_ns in times)
    kernel.run()
    assert happened == sorted((time_ns, number) for number, time_ns in enumerate(times))


def test_a_bound_lets_all_of_its_instant_happen_also_what_that_instant_brings_forth() -> None:
    kernel, happened = Kernel(), list[str]()
    kernel.at(10, lambda _: kernel.after(0, happened.append, "child"))
    kernel.at(11, happened.append, "too late")
    kernel.run(until_ns=10)
    assert (happened, kernel.now_ns) == (["child"], 10)


@pytest.mark.parametrize("schedule", ["at", "after"])
def test_the_past_is_refused(schedule: str) -> None:
    kernel = Kernel()
    kernel.run(until_ns=10)
    with pytest.raises(ValueError, match="it is 10 ns already"):
        kernel.at(9, print) if schedule == "at" else kernel.after(-1, print)
    with pytest.raises(ValueError, match="it is 10 ns already"):
        kernel.run(until_ns=9)
    assert kernel.peek() is None


def test_the_present_is_not_the_past() -> None:
    kernel, happened = Kernel(), list[str]()
    kernel.run(until_ns=10)
    kernel.at(10, happened.append, "now")
    kernel.run(until_ns=10)
    assert happened == ["now"]


def test_a_cancelled_event_leaves_no_trace_in_the_clock() -> None:
    kernel = Kernel()
    kernel.at(5, lambda _: None)
    kernel.cancel(kernel.at(1_000, print))
    kernel.run()
    assert kernel.now_ns == 5


def test_cancelling_twice_or_too_late_does_nothing() -> None:
    kernel, happened = Kernel(), list[int]()
    over = kernel.at(1, happened.append, 1)
    kernel.run()
    kernel.cancel(over)
    kernel.cancel(over)
    kernel.at(1, happened.append, 2)
    kernel.run()
    assert happened == [1, 2]


def test_an_event_can_cancel_its_neighbour_of_the_same_instant_and_itself() -> None:
    kernel, happened, handles = Kernel(), list[int](), list[Handle]()

    def first(_: None) -> None:
        happened.append(1)
        for handle in handles:
            kernel.cancel(handle)

    handles += [kernel.at(5, first), kernel.at(5, happened.append, 2)]
    kernel.at(5, happened.append, 3)
    kernel.run()
    assert happened == [1, 3]


def test_cancelling_lets_go_of_the_argument_at_once() -> None:
    class Stream:
        pass

    kernel, stream = Kernel(), Stream()
    gone = weakref.ref(stream)
    handle = kernel.at(1_000, print, stream)
    del stream
    assert gone() is not None
    kernel.cancel(handle)
    assert gone() is None


def test_timeouts_that_never_strike_do_not_pile_up() -> None:
    kernel, happened = Kernel(), list[int]()
    for number in range(10):
        kernel.at(10**9 + number, happened.append, number)
    for _ in range(10_000):
        kernel.cancel(kernel.at(10**12, print))
    assert len(kernel._heap) < 200
    kernel.run()
    assert happened == list(range(10))


def test_peek_tells_the_next_event_and_skips_cancelled_ones() -> None:
    kernel = Kernel()
    assert kernel.peek() is None
    first = kernel.at(3, print)
    kernel.at(8, print)
    assert kernel.peek() == 3
    kernel.cancel(first)
    assert (kernel.peek(), kernel.now_ns) == (8, 0)


def test_step_makes_one_event_happen() -> None:
    kernel, happened = Kernel(), list[int]()
    kernel.at(3, happened.append, 1)
    kernel.cancel(kernel.at(4, happened.append, 2))
    kernel.at(5, happened.append, 3)
    assert (kernel.step(), kernel.now_ns, happened) == (True, 3, [1])
    assert (kernel.step(), kernel.now_ns, happened) == (True, 5, [1, 3])
    assert (kernel.step(), kernel.now_ns) == (False, 5)


@pytest.mark.parametrize("bound_ns", [None, 100])
def test_stop_ends_the_run_after_the_present_event_and_keeps_the_rest(bound_ns: int | None) -> None:
    kernel, happened = Kernel(), list[str]()

    def stopper(_: None) -> None:
        kernel.stop()
        kernel.stop()
        happened.append("stopped")

    kernel.at(5, stopper)
    kernel.at(5, happened.append, "same instant")
    kernel.run(bound_ns)
    assert (happened, kernel.now_ns) == (["stopped"], 5)
    kernel.run(bound_ns)
    assert happened == ["stopped", "same instant"]
    assert kernel.now_ns == (bound_ns or 5)


@pytest.mark.parametrize(
    "make", [lambda kernel: kernel.stop(), lambda kernel: (kernel.at(0, stop_in(kernel)), kernel.step())]
)
def test_a_stop_without_a_run_is_not_kept_for_the_next_one(make: Callable[[Kernel], object]) -> None:
    kernel, happened = Kernel(), list[int]()
    make(kernel)
    kernel.at(1, happened.append, 1)
    kernel.run()
    assert happened == [1]


def stop_in(kernel: Kernel) -> Callable[[None], None]:
    return lambda _: kernel.stop()


@pytest.mark.parametrize("bound_ns", [None, 100])
def test_a_callback_that_raises_leaves_a_kernel_that_goes_on(bound_ns: int | None) -> None:
    kernel, happened = Kernel(), list[int]()

    def fail(_: None) -> None:
        kernel.stop()
        raise LookupError("mine")

    kernel.at(5, fail)
    kernel.at(5, happened.append, 1)
    kernel.at(7, happened.append, 2)
    with pytest.raises(LookupError, match="mine"):
        kernel.run(bound_ns)
    assert (kernel.now_ns, kernel.peek(), happened) == (5, 5, [])
    kernel.run(bound_ns)
    assert happened == [1, 2]
    assert kernel.now_ns == (bound_ns or 7)


def test_a_step_that_raises_leaves_a_kernel_that_goes_on() -> None:
    kernel, happened = Kernel(), list[int]()
    kernel.at(1, lambda _: 1 // 0)
    kernel.at(2, happened.append, 2)
    with pytest.raises(ZeroDivisionError):
        kernel.step()
    assert kernel.step()
    assert happened == [2]


def test_bounds_given_up_again_and_again_do_not_get_in_each_others_way() -> None:
    kernel = Kernel()
    for time_ns in range(5):
        kernel.at(time_ns, lambda _: kernel.stop())
        kernel.run(until_ns=100)
        assert kernel.now_ns == time_ns
    kernel.run(until_ns=100)
    assert kernel.now_ns == 100


def test_an_exception_of_a_callback_is_never_taken_for_the_end_of_the_queue() -> None:
    kernel = Kernel()
    kernel.at(1, lambda _: [][0])
    with pytest.raises(IndexError):
        kernel.run()


@pytest.mark.parametrize("inner", [Kernel.run, Kernel.step])
def test_a_run_inside_a_callback_is_refused(inner: Callable[[Kernel], object]) -> None:
    kernel = Kernel()
    kernel.at(1, lambda _: inner(kernel))
    with pytest.raises(RuntimeError, match="the kernel is running"):
        kernel.run()


def test_processes_take_turns_and_share_instants_with_callbacks_in_order() -> None:
    kernel, happened = Kernel(), list[tuple[int, str]]()

    def worker(name: str, delay_ns: int) -> Iterator[int]:
        for _ in range(2):
            happened.append((kernel.now_ns, name))
            yield delay_ns

    kernel.process(worker("a", 10))
    kernel.process(worker("b", 5))
    kernel.at(10, lambda _: happened.append((kernel.now_ns, "callback")))
    assert happened == []
    kernel.run()
    assert happened == [(0, "a"), (0, "b"), (5, "b"), (10, "callback"), (10, "a")]
    assert kernel.now_ns == 20


def test_a_process_that_asks_for_the_past_ends_the_run_with_its_error() -> None:
    kernel = Kernel()
    kernel.process(iter([3, -1]))
    with pytest.raises(ValueError, match="cannot schedule 1 ns ago"):
        kernel.run()


def test_the_event_that_waits_beside_the_heap_is_one_like_all_others() -> None:
    kernel = Kernel()
    seen: list[object] = []

    def first(_: object) -> None:
        waiting = kernel.after(10, seen.append, "cancelled")
        seen.append(kernel.peek())
        kernel.cancel(waiting)
        kernel.after(5, seen.append, "sooner")
        kernel.after(5, seen.append, "as soon")
        kernel.stop()

    kernel.at(0, first)
    kernel.run()
    assert seen == [10]
    assert kernel.peek() == 5
    assert kernel.step()
    kernel.run()
    assert seen == [10, "sooner", "as soon"]
    assert kernel.now_ns == 5
