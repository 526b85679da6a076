"""What browser tests do where a program is missing: they say which, and how to get it."""

from __future__ import annotations

import pytest

from meshsim.errors import ReferenceUnavailable
from tests.browser import programs


def test_a_missing_browser_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_MODULES", ())
    monkeypatch.setenv("MESHSIM_BROWSER", "no-such-browser")
    with pytest.raises(ReferenceUnavailable, match="no Chromium here"):
        programs.find_browser()


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "_MODULES", ("sys", "no_such_package"))
    with pytest.raises(ReferenceUnavailable, match="no_such_package") as missing:
        programs.find_browser()
    assert "test-browser" in str(missing.value)
