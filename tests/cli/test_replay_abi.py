"""``meshsim replay --abi``: modules of another host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.fixture
def files(repository: Path) -> tuple[Path, Path]:
    """A bootstrap with a module of Higress, and requests."""
    case = repository / "tests" / "envoy" / "cases" / "higress-refused"
    return case / "envoy.yaml", case / "requests.json"


def test_modules_of_higress_run_when_they_are_wanted(run: Run, files: tuple[Path, Path]) -> None:
    assert run("replay", *files, "--json", "-").status == 2
    done = run("replay", *files, "--abi", "higress", "--json", "-")
    assert done.status == 0
    result = done.json()
    assert [text for _, _, text in result["logs"]] == ["wasm log plugin root vm: 12"] * 2
    named = [text for _, level, text in result["other"] if level == "warning"]
    assert named[0].endswith("each answers 12 (unimplemented): proxy_redis_init, proxy_redis_call")


@pytest.mark.parametrize("engine", ["envoy", "both"])
def test_the_real_envoy_takes_no_other_modules(run: Run, files: tuple[Path, Path], engine: str) -> None:
    done = run("replay", *files, "--abi", "higress", "--on", engine)
    assert done.status == 2
    assert "the real Envoy takes no other modules" in done.err
