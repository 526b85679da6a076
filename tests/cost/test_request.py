"""Where a request's time goes, on a profile with round numbers."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from meshsim.cost import Work, increment, request_parts, total
from meshsim.cost.request import PLAIN, host_call
from tests.cost.profiles import profile


def parts(work: Work, connections: float = 64) -> Mapping[str, float]:
    return {name: each.value for name, each in request_parts(work, connections, profile()).items()}


WORKS: dict[str, tuple[Work, float]] = {
    "Wasm filters": (Work(filters=2), 2_000),
    "callbacks": (Work(callbacks=3), 600),
    "host calls": (Work(host_calls={"proxy_log": 3, "proxy_get_property": 1}), 67),
    "copying": (Work(copied_bytes=1_000), 250),
    "guest code": (Work(fuel=10), 5),
    "native filters": (Work(native_filters=2, native_changes=5), 1_150),
    "Lua": (Work(lua_filters=1, lua_responses=1, lua_calls={"log": 2, "headers_get": 1}, lua_steps=5), 4_050),
}


@pytest.mark.parametrize("part", WORKS)
def test_each_kind_of_work_is_a_part_of_its_own(part: str) -> None:
    work, expected = WORKS[part]
    assert {name: value for name, value in parts(work).items() if value} == {PLAIN: 40, part: expected}


def test_a_clock_has_its_own_cost_and_an_unknown_function_the_usual_one() -> None:
    assert host_call(profile(), "proxy_get_current_time_nanoseconds").value == 5
    assert host_call(profile(), "proxy_never_measured").value == 30


def test_headers_in_lua_are_an_object_that_the_first_call_of_them_makes() -> None:
    log, get = (parts(Work(lua_calls=calls))["Lua"] for calls in ({"log": 3}, {"headers_get": 3}))
    assert (log, get) == (3 * 100, 3 * 300 + 40)


def test_a_plain_request_is_read_off_the_line_between_two_numbers_of_connections() -> None:
    assert [parts(Work(), count)[PLAIN] for count in (1, 4, 16, 32, 64, 500)] == [400, 240, 80, 60, 40, 40]


def test_with_few_connections_filters_take_longer_but_not_the_guests_own_code() -> None:
    work = Work(filters=1, fuel=10)
    assert (parts(work, 1)["Wasm filters"], parts(work, 1)["guest code"]) == (6_000, 5)


def test_the_first_filter_takes_more_than_a_further_one() -> None:
    assert [parts(Work(filters=n))["Wasm filters"] for n in (0, 1, 3)] == [0, 1_500, 2_500]


def test_what_filters_add_is_all_but_the_plain_request() -> None:
    work = Work(filters=1, callbacks=2, fuel=100)
    whole = total(request_parts(work, 16, profile()).values())
    assert increment(work, 16, profile()).value == whole.value - 80
    assert increment(work, 16, profile()).low < increment(work, 16, profile()).value
