"""Before anything is timed: does the timed mode do the same as the one that traces every call?

A scene's first requests are sent at every level of recording, and all that can be seen of them has to be the same:
each response with its headers, how long each took in virtual time, each hop's row, each counter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import zip_longest

import meshsim as ms
from meshsim.envoy.hops import Hop
from meshsim.sim import Level
from tests.bench.real_envoy import CONNECTIONS
from tests.bench.scenes import REQUEST, Scene

CHECKED_REQUESTS = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be seen of a run at every level; ``latencies`` and ``hop_times`` are histograms as buckets, ns."""

    responses: tuple[ms.Response, ...]
    took_ns: int
    latencies: tuple[tuple[int, int, int], ...]
    hop_times: tuple[tuple[int, int, int], ...]
    stats: dict[str, int]


def start(scene: Scene, level: Level) -> ms.Envoy:
    """Start the simulated Envoy."""
    return ms.Envoy.from_yaml(scene.path, level=level)


def observe(envoy: ms.Envoy, requests: int = CHECKED_REQUESTS) -> tuple[Seen, tuple[Hop, ...]]:
    """Send requests; give what is seen of them, and the rows of their hops."""
    responses: list[ms.Response] = []
    driven = envoy.drive(REQUEST, count=requests, connections=CONNECTIONS, heard=responses.append)
    took = envoy.recorder.histogram("hop_ns")
    buckets = tuple(driven.latency.buckets()), tuple(took.buckets())
    return Seen(tuple(responses), driven.took_ns, *buckets, envoy.stats()), tuple(envoy.recorder.table(Hop))


def hold(scene: str, level: Level, ours: tuple[Seen, tuple[Hop, ...]], traced: tuple[Seen, tuple[Hop, ...]]) -> None:
    """Hold a level against ``abi``; raise RuntimeError that names the first difference. Without rows none are held."""
    pairs = {each.name: (getattr(ours[0], each.name), getattr(traced[0], each.name)) for each in fields(Seen)}
    pairs["stats"] = sorted(ours[0].stats.items()), sorted(traced[0].stats.items())
    if level >= Level.REQUESTS:
        pairs["hops"] = ours[1], traced[1]
    for name, (mine, theirs) in pairs.items():
        if mine != theirs:
            first = (mine, theirs) if isinstance(mine, int) else next(differing(mine, theirs))
            raise RuntimeError(f"{scene}: {name} at {level.name} and at ABI do not agree: {first[0]} and {first[1]}")


def differing(mine: Sequence[object], theirs: Sequence[object]) -> Iterator[tuple[object, object]]:
    """Give the pairs that differ; ``None`` stands for what one has not."""
    return (pair for pair in zip_longest(mine, theirs) if pair[0] != pair[1])


def check(scene: Scene, requests: int = CHECKED_REQUESTS) -> ms.Response:
    """Hold every level against ``abi``; give a response.

    Raises
    ------
    RuntimeError
        They differ, or no level does what the scene is about.
    """
    seen = {level.name: observe(start(scene, level), requests) for level in Level}
    for level in (Level.REQUESTS, Level.OFF):
        hold(scene.name, level, seen[level.name], seen["ABI"])
    responses, hops = seen["ABI"][0].responses, seen["ABI"][1]
    for response in responses:
        missing = set(scene.answer) - set(response.headers)
        if response.status != 200 or missing:
            raise RuntimeError(f"{scene.name}: {response} lacks {missing or 'status 200'}")
    if (len(responses), len(hops)) != (requests, requests * scene.hops):
        raise RuntimeError(f"{scene.name}: {len(responses)} responses and {len(hops)} hops of {requests} requests")
    return responses[0]
