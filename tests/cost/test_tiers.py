"""Early calls and late ones; the steps of loading."""

from __future__ import annotations

import pytest

from meshsim.cost import Start, default_profile, loading_parts
from meshsim.cost.loading import compiling
from meshsim.cost.tiers import callback_ns, fuel_ns
from tests.cost.profiles import profile


def test_speed_is_read_off_the_line_between_two_calls_that_were_measured() -> None:
    assert [fuel_ns(call, profile()).value for call in (1, 10, 100, 10_000)] == [3, 2, 1, 1]


def test_only_the_first_way_into_a_vm_is_slow() -> None:
    assert [callback_ns(call, profile()).value for call in (1, 2, 3)] == [30, 200, 200]


def test_the_first_call_of_code_is_no_slower_than_later_ones_in_the_profile_that_ships() -> None:
    shipped = default_profile()
    assert shipped["fuel_ns.call_1"] < 1.5 * shipped["fuel_ns.call_100000"]


@pytest.mark.parametrize(
    ("code_bytes", "expected_ns"), [(0, 0), (50, 300), (100, 600), (150, 700), (200, 800), (1_200, 2_800)]
)
def test_time_to_compile_grows_evenly_between_sizes_that_were_measured(code_bytes: int, expected_ns: float) -> None:
    assert compiling(code_bytes, profile()).value == expected_ns


def test_code_with_more_branches_takes_longer_to_compile_but_for_a_small_module() -> None:
    dear = profile(**{"compile_ns_per_byte.arithmetic": 1.0, "compile_ns_per_branch": 30.0})
    assert compiling(1_200, dear).value == 2_800
    assert compiling(1_200, dear, branches=0).value == 800 + 1_000
    assert compiling(1_200, dear, branches=600).value == 800 + 1_000 + 600 * (1_000 / 1_200) * 30
    assert compiling(150, dear, branches=600).value == compiling(150, dear).value == 700


def test_a_profile_that_knows_nothing_of_branches_goes_by_bytes() -> None:
    assert compiling(1_200, profile(), branches=600).value == 2_800


def test_what_a_module_does_when_it_starts_takes_its_own_time() -> None:
    idle = loading_parts(0, profile=profile())
    start = Start(callbacks=3, data_bytes=80, written_bytes=160, host_calls=2, fuel=10)
    busy = loading_parts(0, start, profile=profile())
    assert busy["configure"].value - idle["configure"].value == 30 + 160 / 8 + 2 * 30 + 10 * 0.5
    assert busy["clone"].value - idle["clone"].value == 80 / 8


def test_loading_has_steps_that_grow_with_code_and_steps_that_do_not() -> None:
    small, large = (loading_parts(size, profile=profile()) for size in (200, 1_200))
    grown = {name: large[name].value - small[name].value for name in small}
    assert grown == {"V8 starts": 0, "isolate": 0, "compile": 2_000, "clone": 500, "configure": 0}
    assert loading_parts(0, first=True, profile=profile())["V8 starts"].value == 1_000
