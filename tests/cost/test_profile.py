"""Profiles: what ships is whole, what is written is read back, what is no profile is refused."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from meshsim.cost import CostModel, Profile, default_profile
from meshsim.cost.curves import between
from meshsim.cost.profile import Coefficient, MissingCoefficient
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


def test_what_calibrate_has_written_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(default_profile().to_json(), encoding="utf-8")
    assert Profile.from_file(path) == default_profile()


@pytest.mark.parametrize(("data", "what"), [(None, "cannot read"), (b"{}", "not a cost"), (b"\xff", "not a cost")])
def test_a_file_without_a_profile_is_named(tmp_path: Path, data: bytes | None, what: str) -> None:
    path = tmp_path / "mine.json"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(ConfigError, match=rf"mine\.json: {what}"):
        Profile.from_file(path)


@pytest.mark.parametrize(
    ("ask", "name"),
    [
        (lambda profile: profile["wake_ns"], "wake_ns"),
        (lambda profile: profile.estimate("wake_ns"), "wake_ns"),
        (lambda profile: CostModel(profile, under_load=True).wake_ns, "wake_ns"),
        (lambda profile: between(profile, "request_ns.", 8), "request_ns."),
    ],
)
def test_a_profile_of_an_earlier_meshsim_says_what_it_lacks_and_what_to_do(
    ask: Callable[[Profile], object], name: str
) -> None:
    with pytest.raises(MissingCoefficient) as raised:
        ask(Profile("mine", {"host_call_ns": COEFFICIENT}, {}))
    assert raised.value.name == name
    assert str(raised.value).startswith(
        f"cost profile mine: lacks {name}; an earlier meshsim measured it\n  -> calibrate"
    )
    assert isinstance(raised.value, KeyError)


def test_what_is_lacking_comes_back_whole_from_another_process() -> None:
    error = MissingCoefficient("wake_ns", "mine")
    there = pickle.loads(pickle.dumps(error))
    assert (str(there), there.name) == (str(error), error.name)
