"""What the widgets bring along: modules that are built from the text beside them, and a recording that still holds."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

import meshsim as ms
from meshsim.reference.truth import Case, Truth
from tests.widgets.conftest import ONE_REQUEST

SCENARIOS = ONE_REQUEST.parent


@pytest.mark.parametrize("name", ["one_request/authorise", "overhead/inspector"])
def test_a_module_is_what_its_text_says(name: str) -> None:
    path = SCENARIOS / name
    assert wasmtime.wat2wasm(path.with_suffix(".wat").read_text()) == path.with_suffix(".wasm").read_bytes()


def test_the_second_filter_is_the_one_of_the_first_scenario() -> None:
    first = Path(SCENARIOS / "first_filter" / "hello.wasm")
    assert (ONE_REQUEST / "hello.wasm").read_bytes() == first.read_bytes()


def test_the_recording_is_of_these_modules_and_the_simulator_does_the_same() -> None:
    case = Case.load(ONE_REQUEST)
    truth = Truth.load(ONE_REQUEST / "truth.json")
    ours = ms.replay(case.bootstrap, case.requests(), concurrency=case.concurrency)
    assert case.compare(ours, truth.result).identical
    assert [response.status for response in truth.result.responses] == [401, 403, 200]
    assert {Path(name).name for name in truth.modules} == {"authorise.wasm", "hello.wasm"}
