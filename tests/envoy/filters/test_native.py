"""Filters of Envoy's own beside what recorded cases show: what they cost, and that no lane passes them by."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from meshsim.envoy.client import parts_of
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request
from meshsim.errors import MeshsimError
from meshsim.sim import Level

CASES = Path(__file__).parents[1] / "cases"
REQUEST = Request(None, "GET", "/direct", "example.com")


def has_lane(case: str) -> bool:
    envoy = Envoy.from_yaml(CASES / case / "envoy.yaml", level=Level.REQUESTS)
    listener = envoy.listener()
    assert envoy.express is not None
    assert listener is not None
    return envoy.express.lane(listener, envoy.workers[0].thread, tuple(parts_of(REQUEST)[0][1])) is not None


@pytest.mark.parametrize(
    "case",
    ["lua-with-wasm", "header-mutation-response", "fault-abort", "rate-limit", "buffer-filter", "set-metadata"],
)
def test_what_depends_on_more_than_the_request_has_no_lane(case: str) -> None:
    assert not has_lane(case)


def test_a_chain_of_modules_has_one() -> None:
    assert has_lane("http-direct")


def test_without_luajit_the_filter_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lupa", None)
    with pytest.raises(MeshsimError, match=r"LuaJIT") as told:
        Envoy.from_yaml(CASES / "lua-log" / "envoy.yaml")
    assert told.value.remedy == "pip install 'meshsim[lua]'"


def test_a_bootstrap_without_scripts_needs_no_luajit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lupa", None)
    assert Envoy.from_yaml(CASES / "fault-abort" / "envoy.yaml").get("/direct").status == 503


def test_by_lot_the_share_of_faults_is_that_of_the_configuration() -> None:
    text = (CASES / "fault-refused-status" / "envoy.yaml").read_text(encoding="utf-8")
    text = text.replace("http_status: 100", "http_status: 503").replace("numerator: 100", "numerator: 30")
    statuses = [Envoy.from_yaml(text, seed=1).drive(REQUEST, count=1_000, connections=1).statuses for _ in range(2)]
    assert statuses[0] == statuses[1]
    assert 230 < statuses[0][503] < 370
