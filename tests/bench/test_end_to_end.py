"""The Envoy of ``envoy-end-to-end`` answers the same at every level, and samples are counted for the right share."""

from __future__ import annotations

import pytest

from meshsim.sim import Level
from tests.bench.end_to_end import PACKAGE, SHARES, outcome_of, proxy, share_of, share_of_code


def test_every_level_gives_the_same_answer() -> None:
    outcomes = [outcome_of(proxy(level)) for level in Level]
    assert outcomes[0][0].status == 200
    assert outcomes.count(outcomes[0]) == len(Level)


def test_only_the_highest_level_keeps_crossings() -> None:
    kept = {}
    for level in Level:
        envoy = proxy(level)
        outcome_of(envoy)
        kept[level] = len(envoy.abi_trace())
    assert kept[Level.OFF] == kept[Level.REQUESTS] == 0
    assert kept[Level.ABI] > 20


@pytest.mark.parametrize(
    ("path", "function", "share"),
    [
        ("wasm/rawcall.py", "Store.function.<locals>.run", "vm"),
        ("abi/hostcalls.py", "HostCalls.proxy_log", "host calls"),
        ("abi/linking.py", "_traced.<locals>.host_call", "records"),
        ("abi/events.py", "Crossing.text", "records"),
        ("sim/kernel.py", "Kernel.run", "stream model"),
        ("sim/record.py", "EventLog.append", "records"),
        ("envoy/stream.py", "Stream.reply", "stream model"),
        ("envoy/process.py", "ThreadHost.emit", "records"),
        ("errors.py", "MeshsimError.__init__", None),
    ],
)
def test_the_share_of_a_function(path: str, function: str, share: str | None) -> None:
    assert share_of_code(PACKAGE + path, function) == share
    assert share is None or share in SHARES


def test_what_is_not_of_meshsim_counts_for_the_bench() -> None:
    assert share_of_code("/usr/lib/python3/heapq.py", "heappush") is None
    assert share_of(None) == "bench"
