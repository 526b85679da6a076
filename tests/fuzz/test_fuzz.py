from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.envoy.loader import load_bootstrap
from meshsim.envoy.replay import replay
from meshsim.wasm import parse_module
from tests.fuzz.cases import write_case


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_seed_alone_makes_the_case(tmp_path: Path) -> None:
    for folder, seed in (("one", 7), ("again", 7), ("other", 8)):
        write_case(seed, tmp_path / folder)

    assert files(tmp_path / "one") == files(tmp_path / "again")
    assert files(tmp_path / "one") != files(tmp_path / "other")


@pytest.mark.parametrize("seed", range(30))
def test_cases_load_and_run(seed: int, tmp_path: Path) -> None:
    case = write_case(seed, tmp_path)

    assert len(load_bootstrap(case.bootstrap).static_resources.listeners) == 2
    for module in tmp_path.glob("*.wasm"):
        assert parse_module(module.read_bytes()).abi_markers
    requests = case.requests()
    result = replay(case.bootstrap, requests)
    assert len(result.responses) == (len(requests) if result.ready else 0)


def test_most_guests_are_taken(tmp_path: Path) -> None:
    cases = [write_case(seed, tmp_path / str(seed)) for seed in range(10)]

    assert sum(replay(case.bootstrap, []).ready for case in cases) > 5
