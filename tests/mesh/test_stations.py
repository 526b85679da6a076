from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from meshsim.mesh.busy import Busy
from meshsim.mesh.stations import NoPlaces, Places, Processors, Station
from meshsim.sim import Kernel


@dataclass
class Job:
    """A job with a name, for which ``work_ns`` is enough to know."""

    name: str
    work_ns: int
    begun_ns: int = -1


def ends(make: Callable[[Kernel, Callable[[Any], object], Busy], Station], *arrivals: tuple[int, str, int]) -> Any:
    """Let jobs come; say when each was over, None for one that found no room."""
    kernel, over = Kernel(), {}
    busy = Busy("pod", "app", "", 1)

    def done(job: Job) -> None:
        over[job.name] = kernel.now_ns
        station.release()

    station = make(kernel, done, busy)

    def come(job: Job) -> None:
        if not station.take(job):
            over[job.name] = None

    for time_ns, name, work_ns in arrivals:
        kernel.at(time_ns, come, Job(name, work_ns))
    kernel.run()
    return over, busy.usage(0, 100).busy_ns


def test_places_are_taken_in_turn() -> None:
    jobs = ((0, "a", 10), (0, "b", 20), (5, "c", 10), (6, "d", 1))
    assert ends(lambda kernel, done, busy: Places(kernel, 2, None, done, busy), *jobs) == (
        {"a": 10, "b": 20, "c": 20, "d": 21},
        41,
    )


def test_who_finds_no_room_is_turned_away() -> None:
    jobs = ((0, "a", 10), (1, "b", 10), (2, "c", 10), (15, "d", 10))
    assert ends(lambda kernel, done, busy: Places(kernel, 1, 1, done, busy), *jobs) == (
        {"c": None, "a": 10, "b": 20, "d": 30},
        30,
    )


def test_as_many_places_as_jobs() -> None:
    jobs = ((0, "a", 10), (1, "b", 10), (2, "c", 0))
    assert ends(lambda kernel, done, busy: NoPlaces(kernel, done, busy), *jobs) == ({"c": 2, "a": 10, "b": 11}, 20)


def test_a_processor_is_shared() -> None:
    """Alone for 4 ns, then half of it each: a has 6 left at 4, and b, of 3, is over first."""
    jobs = ((0, "a", 10), (4, "b", 3))
    assert ends(lambda kernel, done, busy: Processors(kernel, 1, done, busy), *jobs) == ({"b": 10, "a": 13}, 13)


def test_nobody_has_more_than_one_processor() -> None:
    jobs = ((0, "a", 10), (0, "b", 10), (5, "c", 5))
    assert ends(lambda kernel, done, busy: Processors(kernel, 2, done, busy), *jobs)[0] == {"c": 13, "a": 13, "b": 13}
