from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.timer_heap import Armed, TimerHeap


def popped(heap: TimerHeap) -> list[Armed]:
    return [heap.pop() for _ in range(len(heap))]


@given(st.lists(st.integers(0, 9)), st.data())
def test_what_is_left_comes_out_in_time(due: list[int], data: st.DataObject) -> None:
    heap = TimerHeap()
    timers = [heap.push(Armed(due_ns)) for due_ns in due]
    gone = data.draw(st.sets(st.sampled_from(timers)) if timers else st.just(set()))
    for timer in gone:
        heap.remove(timer)
    assert [timer.due_ns for timer in popped(heap)] == sorted(timer.due_ns for timer in timers if timer not in gone)
    assert all(timer.place == -1 for timer in timers)


def order(later: int, alike: int) -> list[int]:
    """In which order so many timers of one time expire, when there are others that are due later."""
    heap = TimerHeap()
    for _ in range(later):
        heap.push(Armed(9))
    timers = [heap.push(Armed(1)) for _ in range(alike)]
    return [timers.index(timer) for timer in popped(heap) if timer in timers]


def test_the_order_of_timers_of_one_time_depends_on_how_many_others_there_are() -> None:
    # As libevent has it: seen in Envoy 1.40 as the order in which three answers of one round leave.
    assert [order(later, 3) for later in range(6)] == [
        [0, 2, 1],
        [0, 1, 2],
        [0, 2, 1],
        [0, 2, 1],
        [0, 2, 1],
        [0, 1, 2],
    ]
