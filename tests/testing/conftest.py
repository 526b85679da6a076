"""Guests for the bench: those that the recorded cases use."""

from __future__ import annotations

from pathlib import Path

import pytest

#: For pytest inside of pytest. Its fault handler would take the signals by which Wasmtime learns of traps.
INNER = ("-p", "no:faulthandler")


@pytest.fixture
def guests(repository: Path) -> Path:
    """The folder of small guests."""
    return repository / "tests" / "envoy" / "modules"


@pytest.fixture
def hello(repository: Path) -> Path:
    """A filter that logs ``authorization``, and marks requests with ``x-wasm: wat``."""
    return repository / "modules" / "hello" / "hello-wat.wasm"
