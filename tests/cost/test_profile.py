"""Profiles: what ships is whole, what is written is read back, what is no profile is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain

import pytest

from meshsim.cost import Profile, default_profile
from meshsim.cost.profile import Coefficient
from meshsim.errors import ConfigError

COEFFICIENT = Coefficient(2.0, "ns", 1.0, 4.0, "By hand.", {"add": (((0, 1.0), (1, 3.0)),), "get": (((1, 4.0),),)})


def test_each_number_that_ships_says_where_it_comes_from() -> None:
    profile = default_profile()
    assert profile.measured.keys() >= {"date", "envoy", "wasmtime", "cpu", "cores", "kernel", "disturbed", "held out"}
    for name, each in profile.coefficients.items():
        assert each.low <= each.value <= each.high, name
        assert each.how.endswith("."), name
        assert len(list(chain.from_iterable(each.points.values()))) > 1, f"{name}: no repetition"
        assert each.unit.partition("/")[0] in name or each.unit == "ratio", name


def test_numbers_that_ship_are_of_the_right_order() -> None:
    profile = default_profile()
    assert profile["clone_ns"] < profile["isolate_ns"] + profile["v8_start_ns"]
    assert profile["clock_read_ns"] < profile["host_call_ns"]
    assert profile["fuel_ns"] < profile["callback_ns"] < profile["filter_ns"] < profile["request_ns"]
    assert profile["lua_vm_bytes"] < profile["vm_bytes"] < profile["v8_bytes"] < profile["envoy_bytes"]
    assert profile["compile_ns_per_byte.arithmetic"] < profile["compile_ns_per_byte"]
    assert profile["request_ns.64"] < profile["request_ns.1"]


def test_what_is_written_is_read_back() -> None:
    profile = Profile("mine", {"host_call_ns": COEFFICIENT}, {"envoy": "1.40.0"})
    assert Profile.from_json(profile.to_json()) == profile
    assert Profile.from_json(default_profile().to_json()) == default_profile()


def test_a_file_has_a_line_for_each_round() -> None:
    lines = Profile("mine", {"host_call_ns": replace(COEFFICIENT)}, {}).to_json().splitlines()
    assert [line.strip(" ,]}") for line in lines if line.strip().startswith("[[")] == ["[[0, 1.0], [1, 3.0", "[[1, 4.0"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"name": "x", "measured": {}, "coefficients": []}),
        json.dumps({"name": "x", "measured": {}, "coefficients": {"fuel_ns": {"value": 1}}}),
        json.dumps({"name": "x", "coefficients": {}}),
    ],
)
def test_what_is_no_profile_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not a cost profile"):
        Profile.from_json(text)


def test_a_missing_coefficient_is_named() -> None:
    with pytest.raises(KeyError, match="fuel_ns"):
        Profile("mine", {}, {})["fuel_ns"]
