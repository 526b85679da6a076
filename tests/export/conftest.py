"""Records to make files of: written by hand, and of the bundled scenario."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshsim.abi.events import Crossing, Direction, LogLine
from meshsim.envoy.requests import load_requests
from meshsim.lab.observe import Observation, observe
from meshsim.lab.scenarios import scenario
from meshsim.sim import Entry

ARROWS = {arrow.value: arrow for arrow in Direction}

Record = Callable[..., list[Entry]]


@pytest.fixture
def record() -> Record:
    """Make records of lines like ``5 main [host->vm] proxy_on_log 2`` or ``5 main "text"``."""

    def make(*lines: str) -> list[Entry]:
        return [_entry(line) for line in lines]

    return make


def _entry(line: str) -> Entry:
    time, track, rest = line.split(" ", 2)
    if rest.startswith('"'):
        return Entry(int(time), track, LogLine("info", rest.strip('"'), False))
    arrow, function, *values = rest.split()
    return Entry(int(time), track, Crossing(ARROWS[arrow], function, tuple(map(int, values))))


@pytest.fixture(scope="session")
def seen() -> Observation:
    """The bundled scenario on two workers."""
    first = scenario("first_filter")
    return observe(first.bootstrap, load_requests(first.requests), concurrency=2)
