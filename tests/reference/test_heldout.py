"""What is held out: enough of it, and nothing that a profile was made from."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest

from meshsim.cost import default_profile
from meshsim.reference import heldout
from meshsim.reference.bench import Bench
from meshsim.reference.calibrate import FULL, QUICK
from meshsim.reference.envoy import ENVOY_VARIABLE
from meshsim.reference.heldout import HeldOut, held_out
from meshsim.reference.rounds import SMALL

LIST = json.loads((files("meshsim.reference") / "heldout.json").read_text())


@pytest.fixture
def held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> HeldOut:
    monkeypatch.setenv(ENVOY_VARIABLE, "/bin/true")
    monkeypatch.setattr(heldout, "_MODULES", Path(__file__).parents[2] / "modules" / "hello")
    return held_out(Bench(tmp_path))


def test_the_profile_that_ships_was_made_when_the_list_was_this_one() -> None:
    assert default_profile().measured["held out"] == heldout.digest()


def test_no_size_that_a_profile_is_made_from_is_held_out() -> None:
    fitted = {*FULL.sizes, *FULL.straight, *QUICK.sizes, *QUICK.straight, *SMALL}
    assert not fitted & {each.get("size") for each in LIST["loading"]}
    assert not {*FULL.weights, *QUICK.weights} & {each["size"] for each in LIST["memory"]}
    assert {each["workers"] for each in LIST["memory"]} == {1, 2, 4, 8}
    assert {each["plugins"] for each in LIST["memory"]} == {1, 3}


def test_the_simulator_says_what_each_case_does(held: HeldOut) -> None:
    assert len(held.requests) >= 12
    work = {case.name: case.work for case in held.requests}
    assert work["look up and add"].host_calls == {"proxy_get_header_map_value": 3, "proxy_add_header_map_value": 1}
    assert (work["three plugins"].filters, work["three plugins"].callbacks) == (3, 7 + 1 + 1)
    assert work["hash of 3000 bytes"].fuel > 30_000
    assert work["shared data"].copied_bytes > 0
    assert work["hello in Rust"].host_calls["proxy_log"] == 1
    assert work["4 native headers"].native_changes == 4


def test_every_module_is_another(held: HeldOut) -> None:
    for weight in held.memory:
        names = [each["config"]["name"] for each in weight.filters]
        assert len(set(names)) == len(names) == len(weight.modules)
    assert len({path.read_bytes() for path in held.loading.values()}) == len(LIST["loading"])
