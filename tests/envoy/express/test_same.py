"""Requests on lanes cannot be told from requests in the stream model: each recorded case, driven at two levels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meshsim.envoy.hops import Hop
from meshsim.envoy.outcome import Response
from meshsim.envoy.proxy import Envoy
from meshsim.errors import MeshsimError
from meshsim.reference.truth import TRUTH, Case
from meshsim.sim import Level

CASES = Path(__file__).parents[1] / "cases"
NAMES = sorted(path.parent.name for path in CASES.glob(f"*/{TRUTH}"))

#: Each request goes once to open the connection, three times so that it is familiar, and then takes rides.
REPEATS = 8
REQUESTS = 3


def driven(case: Case, level: Level) -> Any:
    """What clients get and when, the rows of all hops, and the counters."""
    try:
        envoy = Envoy.from_yaml(case.bootstrap, level=level)
    except MeshsimError as refused:
        return str(refused)
    told: list[Any] = []
    for request in case.requests()[:REQUESTS]:
        heard: list[Response] = []
        try:
            load = envoy.drive(request, count=REPEATS, connections=1, heard=heard.append)
        except MeshsimError as error:
            told.append(str(error))
            break
        told.append((load.count, load.errors, load.took_ns, load.latency.total, load.statuses, heard))
    return told, list(envoy.recorder.table(Hop)), envoy.stats()


@pytest.mark.parametrize("name", NAMES)
def test_a_lane_does_what_the_stream_model_does(name: str) -> None:
    case = Case.load(CASES / name)
    assert driven(case, Level.REQUESTS) == driven(case, Level.ABI)
