"""An Envoy that three requests have gone through: refused, forbidden, allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

import meshsim as ms

ONE_REQUEST = Path(ms.__file__).parent / "scenarios" / "one_request"


@pytest.fixture
def asked() -> ms.Envoy:
    envoy = ms.Envoy.from_yaml(ONE_REQUEST / "envoy.yaml")
    for request in ms.load_requests(ONE_REQUEST / "requests.json"):
        envoy.send(request)
    return envoy
