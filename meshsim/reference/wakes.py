"""What shows in Envoy only under some load: waking a worker that sleeps, and the way to a host and back.

A worker that has nothing to do sleeps; what comes then finds it with cold caches, and its core with a switch of
programs to make. At full load it never sleeps. So the CPU time of a request falls with load, by how often the worker
has to begin again: a straight line, whose slope is what waking costs. What a filter adds falls in the same way: it is
cold, too. And it adds more where a host answers, because request and response then come apart, with other work between.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from statistics import median
from typing import NamedTuple

from meshsim.cost.profile import Point
from meshsim.reference import chains
from meshsim.reference.bench import PLAIN, Bench, Running, Turns
from meshsim.reference.fit import USUAL, Round, slope
from meshsim.reference.priority import foremost
from meshsim.reference.probes import FEW, MANY
from meshsim.reference.rounds import WARM_UP_S, Tick, in_turn
from meshsim.reference.specimens import CALLBACKS, guest
from meshsim.reference.traffic import FAR, Traffic

#: Filters whose entries are measured, by the host calls that they make: none, and one of each usual kind.
FILTERS: Mapping[str, Sequence[str]] = {"empty callbacks": (), "host calls": USUAL}
#: Requests a second that leave Envoy time to sleep, but not for so long that its core sleeps deeper than under load.
RATE = 4_000
#: Seconds of each load, at once and rarely; turns of each in a round.
AT_ONCE_S, RARELY_S, PASSES = 0.06, 0.12, 5
#: Ways over loopback of a request and its answer: to Envoy and back, and to a host besides.
OWN_WAYS, FAR_WAYS = 2, 4
_NONE = "none"


class Seen(NamedTuple):
    """What a request took: how often the worker began to run for it; its CPU time, and all until the answer, in ns."""

    begun: float
    ran: float
    latency: float = 0.0

    @property
    def point(self) -> Point:
        """CPU time by how often the worker began."""
        return self.begun, self.ran

    @property
    def on_its_way(self) -> float:
        """The time that Envoy did not work for it."""
        return self.latency - self.ran


class Chain(NamedTuple):
    """A chain's requests: direct responses and a host's, one after the other and rare."""

    own: Seen
    own_rare: Seen
    far: Seen
    far_rare: Seen


def measure(bench: Bench, prices: Mapping[str, float], tick: Tick) -> Round:
    """Measure all in a fresh process, in ns a request.

    What a filter adds where a host answers is held against what it adds by ``prices``: ``filter_ns``, ``callback_ns``
    and ``host_call_ns``.
    """
    guests = {name: guest(tuple(CALLBACKS), calls=dict.fromkeys(calls, 1)) for name, calls in FILTERS.items()}
    filters = {name: (chains.wasm(bench.module(f"wakes-{name}", code)),) for name, code in guests.items()}
    with foremost(), contextlib.ExitStack() as closing:
        traffic = closing.enter_context(contextlib.closing(Traffic()))
        envoy = closing.enter_context(bench.envoy({_NONE: (), **filters}, host_port=traffic.port))
        loads = {name: _Loads(envoy, traffic, name) for name in envoy.ports}
        turns: dict[str, list[Chain]] = {name: [] for name in loads}
        for turn in range(PASSES):
            for name in in_turn(list(loads), turn):
                turns[name].append(loads[name].turn())
            tick()
    seen = {name: _least(each) for name, each in turns.items()}
    none = seen.pop(_NONE)
    return {
        "awake_request_ns": {"direct response": [(1, none.own.ran)]},
        "wake_ns": {
            "direct response": [none.own.point, none.own_rare.point],
            "a host": [none.far.point, none.far_rare.point],
        },
        "upstream_ns": {"a host that answers at once": [(0, none.own.ran), (1, none.far.ran)]},
        "loopback_ns": {
            "direct response": [(OWN_WAYS, none.own_rare.on_its_way)],
            "a host": [(FAR_WAYS, none.far_rare.on_its_way)],
        },
        "reentry_ns": {
            name: [(0, _price(FILTERS[name], prices)), (1, each.far.ran - none.far.ran)] for name, each in seen.items()
        },
        "cold_entry_ns": {name: list(_beyond(each, none)) for name, each in seen.items()},
    }


def plain_ns(seen: Round) -> float:
    """What requests without a filter took in a round: how quiet the machine was."""
    return sum(ran for _, ran in seen["wake_ns"]["a host"])


class _Loads:
    """A chain of a running Envoy, and the connections to it."""

    def __init__(self, envoy: Running, traffic: Traffic, name: str) -> None:
        self._envoy, self._traffic = envoy, traffic
        self._many = traffic.connect(envoy.ports[name], MANY)
        self._few = self._many[:FEW]
        traffic.saturate(self._many, WARM_UP_S)

    def turn(self) -> Chain:
        """All loads once."""
        return Chain(
            self._at_once(self._many, PLAIN), self._rarely(PLAIN), self._at_once(self._many, FAR), self._rarely(FAR)
        )

    def _at_once(self, connections: Sequence[int], sent: bytes) -> Seen:
        before = self._envoy.first_worker()
        return self._since(before, self._traffic.saturate(connections, AT_ONCE_S, sent))

    def _rarely(self, sent: bytes) -> Seen:
        due = range(0, round(RARELY_S * 1e9), round(1e9 / RATE))
        before = self._envoy.first_worker()
        latencies = self._traffic.offer(self._few, due, sent)
        return self._since(before, len(latencies), median(latencies))

    def _since(self, before: Turns, answered: int, latency: float = 0.0) -> Seen:
        turns = self._envoy.first_worker().since(before)
        return Seen(turns.begun / answered, turns.ran / answered, latency)


def _least(turns: Sequence[Chain]) -> Chain:
    """What is least is disturbed least; of rare requests by latency, since some come together if the client stops."""
    own, own_rare, far, far_rare = zip(*turns, strict=True)
    ran, latency = attrgetter("ran"), attrgetter("latency")
    return Chain(min(own, key=ran), min(own_rare, key=latency), min(far, key=ran), min(far_rare, key=latency))


def _price(calls: Sequence[str], prices: Mapping[str, float]) -> float:
    """What a filter with all callbacks adds to a request by the other coefficients."""
    return prices["filter_ns"] + len(CALLBACKS) * prices["callback_ns"] + len(calls) * prices["host_call_ns"]


def _beyond(seen: Chain, none: Chain) -> Iterator[Point]:
    """What a filter adds where a host answers, by how often its worker was woken, without what waking costs anyhow."""
    wake_ns = slope([none.far.point, none.far_rare.point])
    for each, without in ((seen.far, none.far), (seen.far_rare, none.far_rare)):
        yield each.begun, each.ran - without.ran - wake_ns * (each.begun - without.begun)
