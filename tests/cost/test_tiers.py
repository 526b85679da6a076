"""Early calls and late ones; the steps of loading."""

from __future__ import annotations

from meshsim.cost import default_profile, loading_parts
from meshsim.cost.tiers import callback_ns, fuel_ns
from tests.cost.profiles import profile


def test_speed_is_read_off_the_line_between_two_calls_that_were_measured() -> None:
    assert [fuel_ns(call, profile()).value for call in (1, 10, 100, 10_000)] == [3, 2, 1, 1]


def test_only_the_first_way_into_a_vm_is_slow() -> None:
    assert [callback_ns(call, profile()).value for call in (1, 2, 3)] == [30, 200, 200]


def test_the_first_call_of_code_is_no_slower_than_later_ones_in_the_profile_that_ships() -> None:
    shipped = default_profile()
    assert shipped["fuel_ns.call_1"] < 1.5 * shipped["fuel_ns.call_100000"]


def test_loading_has_steps_that_grow_with_code_and_steps_that_do_not() -> None:
    small, large = (loading_parts(size, profile=profile()) for size in (0, 1_000))
    grown = {name: large[name].value - small[name].value for name in small}
    assert grown == {"V8 starts": 0, "isolate": 0, "compile": 2_000, "clone": 500, "configure": 0}
    assert loading_parts(0, callbacks=3, first=True, profile=profile())["configure"].value == 90
    assert loading_parts(0, first=True, profile=profile())["V8 starts"].value == 1_000
