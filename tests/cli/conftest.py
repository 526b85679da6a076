"""How the tests of the command line run a command: in this process, with its output and its status."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from meshsim.cli.app import main


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    status: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Finished]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run ``meshsim`` with these arguments."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("MESHSIM_DEBUG", raising=False)

    def run(*arguments: object) -> Finished:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        status = end.value.code
        return Finished(status if isinstance(status, int) else 0, captured.out, captured.err)

    return run
