"""The model's arithmetic, on a profile with round numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from meshsim.cost import CostModel, Profile, default_profile
from meshsim.cost.profile import Coefficient

VALUES = {
    "v8_start_ns": 1000.0,
    "isolate_ns": 100.4,
    "compile_ns_per_byte": 2.5,
    "compile_ns_per_byte.1500": 5.0,
    "compile_ns_per_byte.5000": 5.0,
    "compile_ns_per_byte.12000": 4.0,
    "clone_ns": 70.0,
    "clone_ns_per_byte": 0.5,
    "request_ns": 60.0,
    "filter_ns": 50.0,
    "callback_ns": 40.0,
    "host_call_ns": 30.0,
    "clock_read_ns": 0.2,
    "fuel_ns": 0.125,
    "vm_bytes": 10_000.0,
    "module_bytes_per_code_byte": 9.0,
}


def model(**changes: float) -> CostModel:
    values = VALUES | changes
    return CostModel(Profile("round", {n: Coefficient(v, "", v, v, "", {}) for n, v in values.items()}, {}))


def test_a_base_vm_takes_an_isolate_and_its_bytes() -> None:
    assert model().base_vm_ns(0) == 100
    assert model().base_vm_ns(400) == 2_100
    assert model().base_vm_ns(12_400) == 49_100


def test_the_first_base_vm_starts_v8_too() -> None:
    assert model().base_vm_ns(400, first=True) == 3_100


def test_a_clone_takes_its_own_time_and_that_of_its_bytes() -> None:
    assert [model().clone_ns(size) for size in (0, 400)] == [70, 270]


def test_guest_code_takes_time_by_fuel_and_no_time_is_lost_in_long_runs() -> None:
    assert [model().guest_ns(fuel) for fuel in (0, 8, 80, 8_000_000_000)] == [0, 1, 10, 1_000_000_000]


def test_reading_a_clock_always_takes_time_so_that_a_guest_that_waits_on_it_ends() -> None:
    assert model().clock_read_ns == 1
    assert model(clock_read_ns=129.7).clock_read_ns == 130


def test_memory_of_a_vm_is_its_own_part_and_of_a_module_the_shared_one() -> None:
    assert model().vm_bytes == 10_000
    assert model().module_bytes(1_000) == 9_000


#: Everything that the simulator asks for.
ANSWERS: dict[str, Callable[[CostModel], int]] = {
    "base": lambda costs: sum(costs.base_vm_ns(size, first=True) for size in (1_000, 3_000, 1_000_000)),
    "clone": lambda costs: costs.clone_ns(1_000_000),
    "request": lambda costs: costs.request_ns,
    "filter": lambda costs: costs.filter_ns,
    "callback": lambda costs: costs.callback_ns,
    "host call": lambda costs: costs.host_call_ns,
    "clock": lambda costs: costs.clock_read_ns,
    "guest": lambda costs: costs.guest_ns(1_000_000),
    "vm": lambda costs: costs.vm_bytes,
    "native": lambda costs: costs.native_filter_ns,
    "lua": lambda costs: costs.lua_filter_ns,
    "lua response": lambda costs: costs.lua_response_ns,
    "lua call": lambda costs: costs.lua_call_ns,
    "lua step": lambda costs: round(costs.lua_step_ns * 1_000),
    "module": lambda costs: costs.module_bytes(1_000_000),
}


CHARGED = [*VALUES, "native_filter_ns", "lua_filter_ns", "lua_response_ns", "lua_call_ns", "lua_step_ns"]


@pytest.mark.parametrize("name", CHARGED)
def test_each_coefficient_that_is_charged_is_used_in_exactly_one_answer(name: str) -> None:
    shipped = default_profile()
    doubled = replace(shipped.coefficients[name], value=2 * shipped[name])
    changed = CostModel(replace(shipped, coefficients={**shipped.coefficients, name: doubled}))
    assert sum(ask(changed) != ask(CostModel(shipped)) for ask in ANSWERS.values()) == 1


def test_what_a_busy_machine_measured_below_0_takes_no_time_and_never_gives_some_back() -> None:
    assert all(ask(model(**dict.fromkeys(CHARGED, -5.0))) >= 0 for ask in ANSWERS.values())


def test_what_is_for_looking_at_is_never_charged() -> None:
    shipped = default_profile()
    others = {name: replace(each, value=2 * each.value) for name, each in shipped.coefficients.items()}
    others |= {name: shipped.coefficients[name] for name in CHARGED}
    changed = CostModel(replace(shipped, coefficients=others))
    assert all(ask(changed) == ask(CostModel(shipped)) for ask in ANSWERS.values())


def test_answers_are_whole_numbers() -> None:
    assert all(isinstance(ask(CostModel()), int) for ask in ANSWERS.values())
