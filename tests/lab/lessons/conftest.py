"""A desk of its own for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.lab.lessons import lesson as lesson_module


@pytest.fixture(autouse=True)
def _desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lesson_module, "_DESK", {})
