"""What shows in Envoy only under some load: waking a worker that sleeps, and the way to a host and back.

A worker that has nothing to do sleeps; what comes then finds it with cold caches, and its core with a switch of
programs to make. At full load it never sleeps. So the CPU time of a request falls with load, by how often the worker
has to begin again: a straight line, whose slope is what waking costs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from meshsim.cost.profile import Point
from meshsim.reference.bench import PLAIN, Bench, Turns
from meshsim.reference.fit import Round
from meshsim.reference.rounds import WARM_UP_S, Tick
from meshsim.reference.traffic import FAR, Traffic

#: Connections of the client; requests a second that leave Envoy time to sleep, and seconds of each load.
CONNECTIONS, RATE, SLOT_S = 64, 2_000, 0.3
#: Turns of each load in a round.
PASSES = 4


def measure(bench: Bench, tick: Tick) -> Round:
    """Measure both in a fresh process, in ns a request."""
    with contextlib.ExitStack() as closing:
        traffic = closing.enter_context(contextlib.closing(Traffic()))
        envoy = closing.enter_context(bench.envoy({"none": ()}, host_port=traffic.port))
        connections = traffic.connect(envoy.ports["none"], CONNECTIONS)
        traffic.saturate(connections, WARM_UP_S)
        rare = range(0, round(SLOT_S * 1e9), round(1e9 / RATE))

        def at_once(sent: bytes) -> Point:
            before = envoy.first_worker()
            return _a_request(envoy.first_worker, before, traffic.saturate(connections, SLOT_S / 2, sent))

        def rarely(sent: bytes) -> Point:
            before = envoy.first_worker()
            return _a_request(envoy.first_worker, before, len(traffic.offer(connections, rare, sent)))

        seen: list[tuple[Point, Point, Point, Point]] = []
        for _ in range(PASSES):
            seen.append((at_once(PLAIN), rarely(PLAIN), at_once(FAR), rarely(FAR)))
            tick()
    own, own_rare, far, far_rare = (min(each, key=lambda point: point[1]) for each in zip(*seen, strict=True))
    return {
        "wake_ns": {"direct response": [own, own_rare], "a host": [far, far_rare]},
        "upstream_ns": {"a host that answers at once": [(0, own[1]), (1, far[1])]},
    }


def _a_request(now: Callable[[], Turns], before: Turns, answered: int) -> Point:
    """How often the worker began to run for a request, and its CPU time; what is least is disturbed least."""
    turns = now().since(before)
    return turns.begun / answered, turns.ran / answered
