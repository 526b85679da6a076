"""The parts of overhead: those of the cost model, by name, and nothing that was not measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshsim.cost import Module, Profile, default_profile, memory_parts, request_parts, total
from meshsim.cost.profile import Coefficient
from meshsim.widgets._overhead import Setup, Share, cpu_bar, lua_bytes, memory_bar, side_by_side

SHARE = Share(callbacks=5, host_calls={"log": 2, "get_property": 1}, copied_bytes=40, fuel=10_000,
              code_bytes=5_000, touched_bytes=0)  # fmt: skip
SETUP = Setup(workers=4, plugins=2, connections=64)
NAMES = {
    "request_ns": 20_000.0, "filter_ns": 1_500.0, "callback_ns": 250.0, "host_call_ns": 230.0, "fuel_ns": 0.08,
    "copy_ns_per_byte": 0.05, "vm_bytes": 1e6, "v8_bytes": 1e7, "envoy_bytes": 6e7, "worker_bytes": 4e5,
    "module_bytes_per_code_byte": 10.0, "lua_vm_bytes": 1e5,
}  # fmt: skip


class Whole(dict[str, Coefficient]):
    """Coefficients of a profile that has measured everything, whatever it is called."""

    def __missing__(self, name: str) -> Coefficient:
        return Coefficient(1.0, "ns", 0.5, 2.0, "by hand", {})


PROFILE = Profile("whole", Whole(default_profile().coefficients), {})


def changed(**values: float) -> Profile:
    """The profile with other values; ``__`` stands for a dot."""
    known = Whole(PROFILE.coefficients)
    known |= {name.replace("__", "."): Coefficient(v, "ns", v / 2, v * 2, "by hand", {}) for name, v in values.items()}
    return Profile("test", known, {})


def plain(*without: str) -> Profile:
    """A profile of few coefficients, without some."""
    known = {
        name: Coefficient(v, "ns", v / 2, v * 2, "by hand", {}) for name, v in NAMES.items() if name not in without
    }
    return Profile("plain", known, {})


def memory(setup: Setup = SETUP, share: Share = SHARE, profile: Profile = PROFILE) -> dict[str, float]:
    return {part.colour: part.cost.value for part in memory_bar(profile, setup, share).parts}


def cpu(setup: Setup = SETUP, share: Share = SHARE, profile: Profile = PROFILE) -> dict[str, float]:
    return {part.colour: part.cost.value for part in cpu_bar(profile, setup, share).parts}


def test_bars_are_the_cost_model_s_parts() -> None:
    of = changed(host_call_ns__log=500.0, worker_bytes=4e5)
    wanted = request_parts(SHARE.of(2), 64, of)
    assert sorted(cpu(profile=of).values()) == sorted(each.value for each in wanted.values() if each.value > 0)
    memory_wanted = memory_parts([Module(5_000, 0, 2)], 4, of)
    assert sorted(memory(profile=of).values()) == sorted(
        each.value for each in memory_wanted.values() if each.value > 0
    )


def test_work_grows_with_the_filters() -> None:
    work = SHARE.of(3)
    assert (work.filters, work.callbacks, work.copied_bytes, work.fuel) == (3, 15, 120, 30_000)
    assert work.host_calls == {"log": 6, "get_property": 3}


def test_without_filters_there_is_envoy_alone() -> None:
    bare = replace(SETUP, plugins=0)
    assert set(cpu(bare)) == {"grey"}
    assert "blue" not in memory(bare)
    assert "sky" not in memory(bare)


def test_memory_follows_the_number_of_vms() -> None:
    own, shared = SETUP, replace(SETUP, own_vms=False)
    assert (own.vms, shared.vms) == (12, 6)
    assert memory(own)["blue"] == 2 * memory(shared)["blue"] == 12 * PROFILE["vm_bytes"]
    assert memory(own)["vermillion"] == memory(shared)["vermillion"]


def test_a_larger_module_weighs_more_and_burns_the_same() -> None:
    large = replace(SETUP, code_bytes=1_000_000)
    assert memory(large)["vermillion"] == pytest.approx(200 * memory()["vermillion"])
    assert cpu(large) == cpu()


def test_without_all_that_is_to_be_known_cpu_is_what_the_simulator_charges() -> None:
    bar = cpu_bar(plain(), SETUP, SHARE)
    assert {part.colour: part.cost.value for part in bar.parts} == {
        "grey": 20_000,
        "sky": 2 * 1_500,
        "blue": 2 * 5 * 250,
        "vermillion": 2 * 3 * 230,
        "green": pytest.approx(2 * 10_000 * 0.08),
    }
    assert bar.lacks


def test_a_profile_that_lacks_even_those_gives_no_bar_and_says_what() -> None:
    bar = cpu_bar(plain("filter_ns"), SETUP, SHARE)
    assert (bar.parts, bool(bar.lacks), bar.total.value) == ((), True, 0)
    assert memory_bar(plain("vm_bytes"), SETUP, SHARE).lacks == "vm_bytes"


def test_less_than_nothing_is_noise() -> None:
    assert "blue" not in cpu(profile=changed(callback_ns=-10.0))
    assert all(part.cost.low >= 0 for part in cpu_bar(PROFILE, SETUP, SHARE).parts)


def test_the_sum_is_that_of_the_parts() -> None:
    bar = cpu_bar(PROFILE, SETUP, SHARE)
    assert bar.total == total(part.cost for part in bar.parts)
    assert bar.total.low <= bar.total.value <= bar.total.high


def test_lua_has_a_state_for_each_filter_on_each_thread_that_runs_one() -> None:
    found = lua_bytes(changed(lua_vm_bytes=100.0), SETUP)
    assert found is not None
    assert found.value == 2 * 5 * 100
    assert lua_bytes(plain("lua_vm_bytes"), SETUP) is None


def test_side_by_side_has_what_was_measured_and_no_more() -> None:
    known = changed(task_ns__add_header__wasm=3_000.0, task_ns__unheard__lua=1.0)
    sides = {(side.task, side.engine): side.cost.value for side in side_by_side(known)}
    assert sides["add_header", "wasm"] == 3_000
    assert ("unheard", "lua") not in sides
    assert side_by_side(plain()) == ()
