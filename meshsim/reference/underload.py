"""Latency and utilisation of one Envoy under load: a client, Envoy with a Wasm filter, and a host, for both engines.

The real Envoy has one worker on a core of its own; client and host share the other
(:mod:`~meshsim.reference.traffic`). The load is a closed loop of few users who think: what it can do with the filter is
measured without thinking, and users then think so long that shares of that come. Turns past the filter and through it
alternate. Next to each turn plain requests are timed, direct responses without a filter, which take half as long again
when the machine is slow: only the turns at whose ends they were fastest count, and the simulator's prices are
multiplied by how much slower they were there than when the profile was made. What waking costs changes even more, so it
is taken from plain requests that come rarely. Nothing else that the simulator is given is measured here.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from statistics import fmean, median
from typing import NamedTuple

from meshsim.cost import CostModel, Profile
from meshsim.mesh import ClosedLoop, Constant, Exponential, Link, Mesh, Network, Service, Topology
from meshsim.reference import chains, wakes
from meshsim.reference.bench import PLAIN, Bench, Running
from meshsim.reference.envoy import termination_as_exit
from meshsim.reference.fit import USUAL
from meshsim.reference.priority import foremost
from meshsim.reference.rounds import Tick
from meshsim.reference.specimens import CALLBACKS, guest
from meshsim.reference.traffic import Traffic
from meshsim.sim import Level, Streams

#: Filters that are put under load: callbacks and a few host calls; many host calls; and code, of all the kinds that a
#: profile is made of in equal parts, because what is tested here is load and not the price of one kind. What the first
#: adds is less than what the same machine's median latency changes by from second to second.
FILTERS: Mapping[str, bytes] = {
    "light": guest(tuple(CALLBACKS), calls={"found": 2, "add": 2, "log": 1}),
    "talkative": guest(tuple(CALLBACKS), calls=dict.fromkeys(USUAL, 16)),
    "heavy": guest(
        tuple(CALLBACKS), calls=dict.fromkeys(USUAL, 2), code={"hash": 25_000, "copy": 25_000, "calls": 500}
    ),
}
#: Shares of what Envoy can do.
SHARES = (0.3, 0.6, 0.8)
#: Users, each with a connection.
USERS = 8
#: Rounds, each a fresh process; in each and for each load so many times past, through, through, past. The half counts.
ROUNDS, PASSES = 5, 6
#: Seconds: of a turn; of plain requests before and after; of rare ones; of a closed loop without thinking; until caches
#: are warm.
TURN_S, PLAIN_S, RARE_S, FULL_S, WARM_UP_S = 0.15, 0.012, 0.02, 0.04, 0.2
#: When rare requests are due, in ns: a worker sleeps before each, for as long as when the profile was made.
RARE_NS = range(0, round(RARE_S * 1e9), round(1e9 / wakes.RATE))
#: How often thinking is mended until the rate is right; the least and the most that a user thinks, in ns: on a machine
#: with no time for Envoy each turn still has some 30 requests.
TRIALS, LEAST_NS, MOST_NS = 2, 1_000.0, TURN_S * 1e9 / 4
#: Virtual seconds of a simulated turn.
SIMULATED_S = 0.4
#: What an error may be: of the increase, as a part of it; of utilisation, as a part of the core.
INCREASE_BAR, UTILISATION_BAR = 0.25, 0.10
#: What the simulator charges in time for a request.
PRICES = (
    "awake_request_ns", "upstream_ns", "loopback_ns", "reentry_ns", "cold_entry_ns",
    "filter_ns", "callback_ns", "host_call_ns", "clock_read_ns", "fuel_ns",
)  # fmt: skip
_NONE = "none"
_ENTRY = "host"


class Seen(NamedTuple):
    """What a load has brought: the median latency, in ns, and the busy part of the worker's time."""

    p50: float
    utilisation: float


class Pair(NamedTuple):
    """The same load past the filter and through it."""

    past: Seen
    through: Seen

    @property
    def increase(self) -> float:
        """What the filter adds to the median latency, in ns."""
        return self.through.p50 - self.past.p50


class Turn(NamedTuple):
    """One turn: what plain requests took around it, and waking before it, in ns; what came of it; requests a second."""

    plain: float
    wake: float
    seen: Seen
    rate: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A load in one round.

    How long users thought, in ns on average; requests a second through the filter; what a plain request and waking
    took, in ns; and what it brought both ways.
    """

    think: float
    rate: float
    plain: float
    wake: float
    pair: Pair


@dataclass(frozen=True, slots=True)
class Point:
    """A filter at a share of what Envoy can do with it; by round, what was measured and what the simulator says."""

    name: str
    share: float
    measured: tuple[Measured, ...]
    simulated: tuple[Pair, ...]

    @property
    def increases(self) -> tuple[float, ...]:
        """What the filter adds to the real Envoy's median latency, by round, in ns."""
        return tuple(each.pair.increase for each in self.measured)

    @property
    def increase(self) -> float:
        """What it adds, in the middle of the rounds."""
        return median(self.increases)

    @property
    def predicted(self) -> float:
        """What it adds in the simulator."""
        return median(each.increase for each in self.simulated)

    @property
    def error(self) -> float:
        """How far the prediction is off, as a part of what Envoy does."""
        return self.predicted / self.increase - 1

    @property
    def again(self) -> float:
        """How far Envoy is off itself: half the range of its rounds."""
        return (max(self.increases) - min(self.increases)) / 2 / self.increase

    def utilisations(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The busy part of the worker's time, predicted and measured: past the filter, and through it."""
        past, through = (
            (
                median(each[place].utilisation for each in self.simulated),
                median(each.pair[place].utilisation for each in self.measured),
            )
            for place in (0, 1)
        )
        return past, through


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """All points; and whether other programs had to wait for them."""

    points: tuple[Point, ...]
    first: bool


def compare(bench: Bench, profile: Profile, tick: Tick) -> UnderLoad:
    """Put the real Envoy and the simulated one under the same loads."""
    paths = {name: bench.module(f"under-load-{name}", code) for name, code in FILTERS.items()}
    filters = {_NONE: ()} | {name: (chains.wasm(path),) for name, path in paths.items()}
    keys = [(name, share) for name in FILTERS for share in SHARES]
    rounds: list[Mapping[tuple[str, float], Measured]] = []
    with foremost() as first:
        for _ in range(ROUNDS):
            with contextlib.ExitStack() as closing:
                traffic = closing.enter_context(contextlib.closing(Traffic()))
                real = _Real(closing.enter_context(bench.envoy(filters, host_port=traffic.port)), traffic)
                rounds.append({key: real.load(*key, tick) for key in keys})
    simulated = {key: tuple(_simulate(key[0], each[key], profile, tick) for each in rounds) for key in keys}
    points = tuple(Point(*key, tuple(each[key] for each in rounds), simulated[key]) for key in keys)
    return UnderLoad(points, first)


def plain_ns(profile: Profile) -> float:
    """CPU time of a plain request when the profile was made, asked for by the same client."""
    return profile["awake_request_ns"]


def slowed(profile: Profile, times: float, wake_ns: float) -> Profile:
    """The profile of a machine that is so many times as slow, and takes so long to wake a worker.

    >>> from meshsim.cost import default_profile
    >>> slow = slowed(default_profile(), 2.0, wake_ns=50e3)
    >>> slow["fuel_ns"] == 2 * default_profile()["fuel_ns"], slow["wake_ns"]
    (True, 50000.0)
    """
    values = {name: times * profile[name] for name in PRICES} | {"wake_ns": wake_ns}
    dear = {name: replace(profile.coefficients[name], value=value) for name, value in values.items()}
    return replace(profile, coefficients={**profile.coefficients, **dear})


class _Real:
    """A process of the real Envoy under load."""

    def __init__(self, envoy: Running, traffic: Traffic) -> None:
        self._envoy = envoy
        self._traffic = traffic
        self._connections = {name: traffic.connect(port, USERS) for name, port in envoy.ports.items()}
        for each in self._connections.values():
            traffic.saturate(each, WARM_UP_S)

    def load(self, name: str, share: float, tick: Tick) -> Measured:
        """Find out how long users have to think, and take turns."""
        seen = [self._traffic.saturate(self._connections[name], FULL_S) / FULL_S for _ in range(6)]
        capacity = fmean(sorted(seen)[len(seen) // 2 :])
        think = self._think(name, share * capacity)
        sides: dict[str, list[Turn]] = {_NONE: [], name: []}
        for number in range(PASSES):
            for side in (_NONE, name, name, _NONE):
                sides[side].append(self._turn(side, think, number))
        tick()
        past, through = (_fastest(turns) for turns in sides.values())
        plain, wake = (median(each) for each in list(zip(*past, *through, strict=True))[:2])
        rate = median(turn.rate for turn in through)
        return Measured(think, rate, plain, wake, Pair(_middle(past), _middle(through)))

    def _think(self, name: str, rate: float) -> float:
        """How long users think so that so many requests a second come."""
        cycle_ns = USERS / rate * 1e9
        think = min(0.7 * cycle_ns, MOST_NS)
        for trial in range(TRIALS):
            draw = ClosedLoop(USERS, Exponential(think)).thinking(Streams(trial))
            latencies, _ = self._traffic.use(self._connections[name], TURN_S, draw)
            think = min(max(LEAST_NS, cycle_ns - fmean(latencies)), MOST_NS)
        return think

    def _turn(self, side: str, think: float, seed: int) -> Turn:
        """One turn, between plain requests."""
        draw = ClosedLoop(USERS, Exponential(think)).thinking(Streams(seed))
        rare, plain = self._rare_ns(), self._plain_ns()
        before = self._envoy.first_worker()
        latencies, took_ns = self._traffic.use(self._connections[side], TURN_S, draw)
        ran = self._envoy.first_worker().since(before).ran
        wake, plain = rare - plain, (plain + self._plain_ns()) / 2
        return Turn(plain, wake, Seen(median(latencies), ran / took_ns), len(latencies) / took_ns * 1e9)

    def _plain_ns(self) -> float:
        """CPU time of a plain request where one comes after the other."""
        before = self._envoy.first_worker()
        answered = self._traffic.saturate(self._connections[_NONE], PLAIN_S, PLAIN)
        return self._envoy.first_worker().since(before).ran / answered

    def _rare_ns(self) -> float:
        """CPU time of a plain request that the worker has to be woken for."""
        before = self._envoy.first_worker()
        answered = self._traffic.offer(self._connections[_NONE], RARE_NS, PLAIN)
        return self._envoy.first_worker().since(before).ran / len(answered)


def _simulate(name: str, measured: Measured, profile: Profile, tick: Tick) -> Pair:
    """The same load in the simulator: the sidecar of a service that answers at once, with one worker."""
    here = slowed(profile, measured.plain / plain_ns(profile), measured.wake)
    costs = CostModel(here, under_load=True)
    near = Network(default=Link(Constant(round(profile["loopback_ns"]))))
    past = Mesh(Topology([Service(_ENTRY, workers=1)]), network=near, costs=costs)
    through = past.with_filter(_ENTRY, module=FILTERS[name])
    load = ClosedLoop(USERS, Exponential(measured.think))
    pair = Pair(_run(past, load), _run(through, load))
    tick()
    return pair


def _run(mesh: Mesh, load: ClosedLoop) -> Seen:
    result = mesh.run(load, seconds=SIMULATED_S, level=Level.REQUESTS)
    (worker,) = (use for use in result.usage if use.track.startswith("worker"))
    return Seen(result.latency.p50, worker.share)


def _fastest(turns: Sequence[Turn]) -> Sequence[Turn]:
    """The half in which plain requests were fastest; nothing else decides."""
    return sorted(turns, key=attrgetter("plain"))[: max(1, len(turns) // 2)]


def _middle(turns: Sequence[Turn]) -> Seen:
    return Seen(*map(median, zip(*(turn.seen for turn in turns), strict=True)))


def section(profile: Profile, tick: Tick = lambda: None) -> str:
    """Measure, simulate, and say in Markdown how well one predicts the other."""
    with termination_as_exit(), tempfile.TemporaryDirectory(prefix="meshsim-under-load-") as folder:
        return report(compare(Bench(Path(folder)), profile, tick))


def report(seen: UnderLoad) -> str:
    """The points, in Markdown, and how many are within the bars."""
    increases = [abs(each.error) <= INCREASE_BAR for each in seen.points]
    pairs = [pair for each in seen.points for pair in each.utilisations()]
    busy = [abs(predicted - measured) <= UTILISATION_BAR for predicted, measured in pairs]
    plain, wake = (
        [attrgetter(name)(each) / 1e3 for point in seen.points for each in point.measured] for name in ("plain", "wake")
    )
    return "\n\n".join(
        [
            _table(seen.points),
            f"Increase of the median within {INCREASE_BAR:.0%}: {sum(increases)} of {len(increases)}. "
            f"Utilisation within {100 * UTILISATION_BAR:.0f} points: {sum(busy)} of {len(busy)}. "
            f"Plain requests took {min(plain):.1f} to {max(plain):.1f} us, waking {min(wake):.0f} to {max(wake):.0f}. "
            f"Other programs {'had to' if seen.first else 'did not have to'} wait.",
        ]
    )


def _table(points: Sequence[Point]) -> str:
    lines = [
        "| load | requests/s | p50 over no filter, us: predicted | Envoy | error | Envoy again "
        "| worker busy, no filter: predicted | Envoy | with the filter: predicted | Envoy |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += map("| {} |".format, map(" | ".join, map(_cells, points)))
    return "\n".join(lines)


def _cells(point: Point) -> Iterator[str]:
    yield f"{point.name}, {point.share:.0%}"
    yield f"{median(each.rate for each in point.measured):,.0f}"
    yield f"{point.predicted / 1e3:.0f}"
    yield f"{point.increase / 1e3:.0f}"
    yield f"{point.error:+.0%}"
    yield f"{point.again:.0%}"
    for pair in point.utilisations():
        yield from (f"{part:.0%}" for part in pair)
