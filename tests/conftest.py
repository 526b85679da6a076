"""What all tests share: the real Envoy where it is wanted, and no trace of this machine where it is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from meshsim.errors import ReferenceUnavailable

REPOSITORY = Path(__file__).resolve().parent.parent


def _envoy() -> object:
    from meshsim.reference.envoy import find_envoy

    return find_envoy()


def _browser() -> object:
    from tests.browser.programs import find_browser

    return find_browser()


#: What a marker needs: a function that raises ReferenceUnavailable, with the remedy, where it is missing.
NEEDS: dict[str, Callable[[], object]] = {"envoy": _envoy, "browser": _browser}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test whose needs are not met here; with CI=true that is a failure, or nobody would notice."""
    for marker, find in NEEDS.items():
        if item.get_closest_marker(marker):
            try:
                find()
            except ReferenceUnavailable as missing:
                (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(str(missing))


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep compiled modules out of the user's cache folder, in one folder for the whole run."""
    monkeypatch.delenv("MESHSIM_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY
