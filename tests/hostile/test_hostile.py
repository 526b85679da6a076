from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.hostile.__main__ import MAX_BYTES
from tests.hostile.catalogue import CATALOGUE
from tests.hostile.guests import BUDGET, End, Hostile
from tests.hostile.wat import on, text
from tests.hostile.world import World

#: Of four guests one is tried here, `python -m tests.hostile` tries all.
SLICE = "0/4"


def test_the_catalogue_has_enough_and_says_of_most_how_they_must_end() -> None:
    assert len(CATALOGUE) >= 200
    for end in End:
        assert sum(guest.ends == (end,) for guest in CATALOGUE.values()) >= 5, end


@pytest.mark.timeout(600)  # a tenth of that on an idle machine: guests that spin are ended by the clock on the wall
def test_hostile_guests_leave_the_host_and_the_neighbours_alone(repository: Path) -> None:
    command = [sys.executable, "-m", "tests.hostile", "--json", "--part", SLICE]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["guest"]: row["wrong"] for row in rows if row["wrong"]} == {}
    assert len(rows) >= 60, done.stderr
    assert max(row["peak_bytes"] for row in rows) <= MAX_BYTES
    assert {row["end"] for row in rows} == {end.value for end in End}
    assert done.returncode == 0


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_a_guest_that_ends_otherwise_is_noticed(world: World) -> None:
    trap = text(on("request_headers", "unreachable"))
    assert world.run(Hostile(trap, (End.ANSWERS,))).wrong.startswith("it ended by End.TRAPS")
    assert not world.run(Hostile(trap, (End.TRAPS,), ("proxy_on_request_headers",))).wrong


def test_an_error_that_names_too_little_is_noticed(world: World) -> None:
    trap = text(on("request_headers", "unreachable"))
    seen = world.run(Hostile(trap, (End.TRAPS,), ("proxy_on_log",), BUDGET))
    assert seen.wrong.startswith("no error names hostile and proxy_on_log")
    place = "plugin 'hostile' (VM 'bad'), proxy_on_request_headers"
    assert seen.words == f"{place}: wasm `unreachable` instruction executed"
