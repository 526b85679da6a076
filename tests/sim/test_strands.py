"""Strands hand over strictly, carry errors, and leave no thread behind."""

from __future__ import annotations

import _thread
import gc
import signal
import sys
import threading
import weakref
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.sim.strands import Strand, StrandClosed


def threads() -> int:
    return sum(thread.name == "meshsim-strand" for thread in threading.enumerate())


def settled(wanted: int) -> bool:
    """Whether only so many threads are left, once those that are on their way out are gone."""
    for thread in threading.enumerate():
        if thread.name == "meshsim-strand" and threads() > wanted:
            thread.join(5)
    return threads() <= wanted


def test_values_pass_in_both_directions() -> None:
    def double(n: int) -> str:
        while n:
            n = Strand.wait(2 * n)
        return "over"

    strand = Strand(double)
    assert [strand.resume(n) for n in (1, 5, 0)] == [2, 10, "over"]
    assert strand.done
    with pytest.raises(RuntimeError, match="done"):
        strand.resume()


def test_it_waits_deep_below() -> None:
    def down(depth: int) -> int:
        return int(Strand.wait(depth)) if not depth else down(depth - 1) + 1

    strand = Strand(down)
    assert strand.resume(50) == 0
    assert strand.resume(7) == 57


def test_errors_pass_as_the_same_object() -> None:
    raised = ValueError("x")

    def fails(_: object) -> None:
        Strand.wait()
        raise raised

    strand = Strand(fails)
    strand.resume()
    with pytest.raises(ValueError, match="x") as caught:
        strand.resume()
    assert caught.value is raised
    assert strand.done


@given(st.lists(st.integers(0, 4), max_size=60))
def test_only_one_runs_and_the_order_is_the_callers(turns: list[int]) -> None:
    happened: list[tuple[int, int]] = []
    inside = 0

    def work(number: int) -> Callable[[object], None]:
        def run(_: object) -> None:
            nonlocal inside
            for step in range(100):
                inside += 1
                assert inside == 1
                happened.append((number, step))
                inside -= 1
                Strand.wait()

        return run

    strands = [Strand(work(number)) for number in range(5)]
    for turn in turns:
        strands[turn].resume()
    assert happened == [(turn, turns[:i].count(turn)) for i, turn in enumerate(turns)]
    for strand in strands:
        strand.close()


def test_a_strand_may_resume_another() -> None:
    inner = Strand(lambda value: Strand.wait(value + 1) * 10)
    outer = Strand(lambda value: (inner.resume(value), Strand.wait("outer waits"), inner.resume(4)))
    assert outer.resume(1) == "outer waits"
    assert outer.resume("back") == (2, "back", 40)


def test_closing_unwinds_it_where_it_waits() -> None:
    left: list[str] = []

    def work(_: object) -> None:
        try:
            Strand.wait()
        except Exception:
            left.append("never: this is no error")
        finally:
            left.append("cleaned up")

    strand = Strand(work)
    strand.resume()
    strand.close()
    strand.close()
    assert left == ["cleaned up"]
    assert strand.done


def test_a_strand_that_was_never_resumed_needs_no_thread() -> None:
    before = threads()
    strand = Strand(print)
    strand.close()
    assert strand.done
    assert threads() == before


def test_who_waits_again_while_being_closed_is_sent_on() -> None:
    def stubborn(_: object) -> None:
        while True:
            try:
                Strand.wait()
            except StrandClosed:
                break
        Strand.wait()

    strand = Strand(stubborn)
    strand.resume()
    strand.close()
    assert strand.done


def test_a_dropped_strand_is_unwound_and_frees_what_it_held() -> None:
    class Held:
        pass

    before, held, left = threads(), Held(), list[str]()
    gone = weakref.ref(held)

    def work(mine: Held) -> None:
        try:
            Strand.wait()
        finally:
            left.append(type(mine).__name__)

    strand = Strand(work)
    strand.resume(held)
    del held, strand
    gc.collect()
    assert left == ["Held"]
    assert gone() is None
    assert settled(before)


def test_current() -> None:
    strand = Strand(lambda _: Strand.current())
    assert strand.resume() is strand
    with pytest.raises(RuntimeError, match="no strand"):
        Strand.current()
    with pytest.raises(RuntimeError, match="no strand"):
        Strand.wait()


def test_a_running_strand_can_be_neither_resumed_nor_closed() -> None:
    def work(_: object) -> None:
        with pytest.raises(RuntimeError, match="running"):
            Strand.current().resume()
        with pytest.raises(RuntimeError, match="running"):
            Strand.current().close()

    Strand(work).resume()


def test_the_stack_has_room_for_native_frames() -> None:
    """Sorting with a key that sorts: each level takes native stack as well as Python's."""

    def nest(depth: int) -> int:
        return 0 if not depth else sorted([depth], key=lambda _: nest(depth - 1))[0]

    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    try:
        assert Strand(nest).resume(2_000) == 2_000
    finally:
        sys.setrecursionlimit(limit)


def test_the_stack_size_of_other_threads_stays() -> None:
    before = threading.stack_size()
    Strand(lambda _: None).resume()
    assert threading.stack_size() == before


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Have interrupts raise, also where whoever runs the tests in the background has them ignored."""
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals go to the main thread")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_waits_until_the_strand_hands_back() -> None:
    steps: list[str] = []

    def work(_: object) -> None:
        _thread.interrupt_main(signal.SIGINT)
        for _ in range(1000):
            pass
        steps.append("handed back")
        Strand.wait()
        steps.append("went on")

    strand = Strand(work)
    with pytest.raises(KeyboardInterrupt):
        strand.resume()
    assert steps == ["handed back"]
    strand.resume()
    assert steps == ["handed back", "went on"]
