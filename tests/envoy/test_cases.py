"""The simulator against what the real Envoy did: every recorded case, by the rules of ``replay --on both``."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.envoy.replay import replay
from meshsim.reference.compare import render
from meshsim.reference.truth import TRUTH, Case, Truth, modules_of

CASES = Path(__file__).parent / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob(f"*/{TRUTH}"))


def test_every_case_has_its_truth() -> None:
    assert sorted(path.name for path in CASES.iterdir() if path.is_dir()) == NAMES
    assert len(NAMES) > 100


@pytest.mark.parametrize("name", NAMES)
def test_the_simulator_does_what_envoy_did(name: str) -> None:
    case = Case.load(CASES / name)
    truth = Truth.load(case.folder / TRUTH)
    assert truth.modules == modules_of(case.bootstrap), "a module changed since the recording: make truth"
    result = replay(case.bootstrap, case.requests(), concurrency=case.concurrency)
    comparison = case.compare(result, truth.result)
    if not comparison.identical:
        pytest.fail(render(comparison), pytrace=False)
