"""Latency and utilisation of one Envoy under load: a client, Envoy with a Wasm filter, and a host, for both engines.

The real Envoy has one worker on a core of its own; client and host share the other
(:mod:`~meshsim.reference.traffic`). What it can do with the filter is measured first, in a closed loop; then the client
offers shares of that, at the very moments at which the simulator's client does, through the filter and past it in turn.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from statistics import median
from typing import Literal, NamedTuple

from meshsim.cost import CostModel, Profile
from meshsim.envoy.wire import LOOPBACK_NS
from meshsim.mesh import ClosedLoop, Constant, Link, Mesh, Network, OpenLoop, Service, Topology
from meshsim.reference import chains
from meshsim.reference.bench import Bench, Running, own_turns
from meshsim.reference.envoy import termination_as_exit
from meshsim.reference.fit import USUAL
from meshsim.reference.rounds import Tick
from meshsim.reference.specimens import CALLBACKS, guest
from meshsim.reference.traffic import Traffic
from meshsim.sim import Level, Streams

Arrivals = Literal["constant", "poisson"]

#: Filters that are put under load: callbacks and a few host calls; and, with them, code, of all the kinds that a
#: profile is made of in equal parts, because what is tested here is load and not the price of one kind.
FILTERS: Mapping[str, bytes] = {
    "light": guest(tuple(CALLBACKS), calls={"found": 2, "add": 2, "log": 1}),
    "heavy": guest(
        tuple(CALLBACKS), calls=dict.fromkeys(USUAL, 2), code={"hash": 25_000, "copy": 25_000, "calls": 500}
    ),
}
#: Shares of what Envoy can do.
SHARES = (0.3, 0.6, 0.8)
ARRIVALS: tuple[Arrivals, ...] = ("constant", "poisson")
#: Connections of the client.
CONNECTIONS = 64
#: Rounds, each a fresh process; how long a load lasts in one turn, and until caches are warm, in seconds.
ROUNDS, TURN_S, WARM_UP_S = 4, 0.25, 0.3
#: Of the turns of a round, those that were disturbed least count; so many each way. Turns go on, up to a number, until
#: these were disturbed for no larger part of the time than this.
KEPT, TURNS, QUIET = 2, 8, 0.02
#: What an error may be: of the increase, as a part of it; of utilisation, as a part of the core.
INCREASE_BAR, UTILISATION_BAR = 0.25, 0.10
_NONE = "none"
_ENTRY = "host"


class Seen(NamedTuple):
    """What a load has brought: the median latency, in ns, and the busy part of the worker's time."""

    p50: float
    utilisation: float


@dataclass(frozen=True, slots=True)
class Point:
    """A filter at a load: by round, past the filter and through it; and the same from the simulator, by seed."""

    name: str
    arrivals: Arrivals
    share: float
    rate: float
    real: tuple[tuple[Seen, Seen], ...]
    simulated: tuple[tuple[Seen, Seen], ...]

    @property
    def increases(self) -> tuple[float, ...]:
        """What the filter adds to the real Envoy's median latency, by round, in ns."""
        return tuple(through.p50 - past.p50 for past, through in self.real)

    @property
    def increase(self) -> float:
        """What it adds, in the middle of the rounds."""
        return median(self.increases)

    @property
    def predicted(self) -> float:
        """What it adds in the simulator."""
        return median(through.p50 - past.p50 for past, through in self.simulated)

    @property
    def error(self) -> float:
        """How far the prediction is off, as a part of what Envoy does.

        >>> past, through = Seen(100.0, 0.1), Seen(140.0, 0.2)
        >>> Point("x", "constant", 0.3, 1.0, ((past, through),), ((past, Seen(150.0, 0.2)),)).error
        0.25
        """
        return self.predicted / self.increase - 1

    @property
    def again(self) -> float:
        """How far Envoy is off itself: half the range of its rounds."""
        return (max(self.increases) - min(self.increases)) / 2 / self.increase

    def utilisations(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """The busy part of the worker's time, predicted and measured: past the filter, and through it.

        >>> idle, busy = Seen(1.0, 0.1), Seen(1.0, 0.9)
        >>> Point("x", "constant", 0.3, 1.0, ((idle, busy),), ((idle, idle),)).utilisations()
        ((0.1, 0.1), (0.1, 0.9))
        """
        past, through = (
            tuple(median(each[place].utilisation for each in side) for side in (self.simulated, self.real))
            for place in (0, 1)
        )
        return (past[0], past[1]), (through[0], through[1])


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """All points; what Envoy can do with each filter, in requests a second, and what the simulator says that it can.

    ``disturbed`` is the part of a turn, at most, that the worker or the client was ready and its core did other things.
    """

    points: tuple[Point, ...]
    capacity: Mapping[str, tuple[float, float]]
    disturbed: float


def due_ns(load: OpenLoop, seconds: float, seed: int) -> list[int]:
    """When the simulator's client sends, in ns from its start, in a run with that seed."""
    end_ns = round(seconds * 1e9)
    return [*takewhile(lambda due: due < end_ns, load.arrivals_ns(Streams(seed).child("load")))]


def compare(bench: Bench, profile: Profile, tick: Tick) -> UnderLoad:
    """Put the real Envoy and the simulated one under the same loads."""
    paths = {name: bench.module(f"under-load-{name}", code) for name, code in FILTERS.items()}
    filters = {_NONE: ()} | {name: (chains.wasm(path),) for name, path in paths.items()}
    rates: dict[str, float] = {}
    rounds: list[Mapping[tuple[str, Arrivals, float], tuple[Seen, Seen]]] = []
    disturbed = 0.0
    for seed in range(ROUNDS):
        with contextlib.ExitStack() as closing:
            traffic = closing.enter_context(contextlib.closing(Traffic()))
            envoy = closing.enter_context(bench.envoy(filters, host_port=traffic.port))
            real = _Real(envoy, traffic)
            rates = rates or {name: real.capacity(name) for name in FILTERS}
            rounds.append({key: real.turns(*key, rates[key[0]], seed, tick) for key in _keys()})
            disturbed = max(disturbed, real.disturbed)
    simulated = _Simulated(CostModel(profile, under_load=True))
    points = tuple(
        Point(
            *key,
            key[2] * rates[key[0]],
            tuple(each[key] for each in rounds),
            tuple(simulated.turns(*key, rates[key[0]], seed, tick) for seed in range(ROUNDS)),
        )
        for key in _keys()
    )
    return UnderLoad(points, {name: (rate, simulated.capacity(name)) for name, rate in rates.items()}, disturbed)


def _keys() -> Iterator[tuple[str, Arrivals, float]]:
    return ((name, arrivals, share) for name in FILTERS for arrivals in ARRIVALS for share in SHARES)


class _Real:
    """A process of the real Envoy under load."""

    def __init__(self, envoy: Running, traffic: Traffic) -> None:
        self._envoy = envoy
        self._traffic = traffic
        self.connections = {name: traffic.connect(port, CONNECTIONS) for name, port in envoy.ports.items()}
        self.disturbed = 0.0
        for each in self.connections.values():
            traffic.saturate(each, WARM_UP_S)

    def capacity(self, name: str) -> float:
        """Requests a second that a closed loop gets through, when it is disturbed least."""
        return max(self._traffic.saturate(self.connections[name], TURN_S) / TURN_S for _ in range(TURNS))

    def turns(
        self, name: str, arrivals: Arrivals, share: float, capacity: float, seed: int, tick: Tick
    ) -> tuple[Seen, Seen]:
        """Past the filter, through it, through it, past it, and so on."""
        due = due_ns(OpenLoop(share * capacity, arrivals), TURN_S, seed)
        past: list[tuple[float, Seen]] = []
        through: list[tuple[float, Seen]] = []
        while len(past) < KEPT or (
            len(past) < TURNS and max(_quietest(past)[-1][0], _quietest(through)[-1][0]) > QUIET
        ):
            for side, each in ((past, _NONE), (through, name), (through, name), (past, _NONE)):
                side.append(self._turn(self.connections[each], due))
        tick()
        self.disturbed = max(self.disturbed, *(part for part, _ in (*_quietest(past), *_quietest(through))))
        return _middle(past), _middle(through)

    def _turn(self, connections: Sequence[int], due: Sequence[int]) -> tuple[float, Seen]:
        """One turn, and for what part of it Envoy or the client was disturbed."""
        before, own = self._envoy.first_worker(), own_turns()
        latencies = self._traffic.offer(connections, due)
        turns, own = self._envoy.first_worker().since(before), own_turns().since(own)
        span_ns = TURN_S * 1e9
        return max(turns.waited, own.waited) / span_ns, Seen(median(latencies), turns.ran / span_ns)


class _Simulated:
    """The same in the simulator: the sidecar of a service that answers at once, with one worker."""

    def __init__(self, costs: CostModel) -> None:
        near = Network(default=Link(Constant(LOOPBACK_NS)))
        plain = Mesh(Topology([Service(_ENTRY, workers=1)]), network=near, costs=costs)
        self._meshes = {_NONE: plain} | {name: plain.with_filter(_ENTRY, module=code) for name, code in FILTERS.items()}

    def capacity(self, name: str) -> float:
        """Requests a second that a closed loop gets through."""
        seconds = TURN_S
        result = self._meshes[name].run(ClosedLoop(CONNECTIONS), seconds=seconds, level=Level.OFF)
        return result.counters[_ENTRY]["requests"] / seconds

    def turns(
        self, name: str, arrivals: Arrivals, share: float, capacity: float, seed: int, tick: Tick
    ) -> tuple[Seen, Seen]:
        """Past the filter, and through it."""
        load = OpenLoop(share * capacity, arrivals, connections=CONNECTIONS)
        seen = [self._run(self._meshes[each], load, seed) for each in (_NONE, name)]
        tick()
        return seen[0], seen[1]

    @staticmethod
    def _run(mesh: Mesh, load: OpenLoop, seed: int) -> Seen:
        result = mesh.run(load, seconds=TURN_S, seed=seed, level=Level.REQUESTS)
        (worker,) = (use for use in result.usage if use.track.startswith("worker"))
        return Seen(result.latency.p50, worker.share)


def _quietest(turns: Sequence[tuple[float, Seen]]) -> Sequence[tuple[float, Seen]]:
    return sorted(turns)[:KEPT]


def _middle(turns: Sequence[tuple[float, Seen]]) -> Seen:
    return Seen(*map(median, zip(*(seen for _, seen in _quietest(turns)), strict=True)))


def section(profile: Profile, tick: Tick = lambda: None) -> str:
    """Measure, simulate, and say in Markdown how well one predicts the other."""
    with termination_as_exit(), tempfile.TemporaryDirectory(prefix="meshsim-under-load-") as folder:
        return report(compare(Bench(Path(folder)), profile, tick))


def report(seen: UnderLoad) -> str:
    """The points, in Markdown, and how many are within the bars."""
    increases = [abs(each.error) <= INCREASE_BAR for each in seen.points]
    pairs = [pair for each in seen.points for pair in each.utilisations()]
    busy = [abs(predicted - measured) <= UTILISATION_BAR for predicted, measured in pairs]
    able = (
        f"{name}: {predicted:,.0f} predicted, {measured:,.0f} measured"
        for name, (measured, predicted) in seen.capacity.items()
    )
    return "\n\n".join(
        [
            f"Requests a second that Envoy can do with a filter: {'; '.join(able)}.",
            _table(seen.points),
            f"Increase of the median within {INCREASE_BAR:.0%}: {sum(increases)} of {len(increases)}. "
            f"Utilisation within {100 * UTILISATION_BAR:.0f} points: {sum(busy)} of {len(busy)}. "
            f"Other programs had one of the cores for at most {seen.disturbed:.1%} of a turn.",
        ]
    )


def _table(points: Sequence[Point]) -> str:
    lines = [
        "| arrivals, load | requests/s | p50 over no filter, us: predicted | Envoy | error | Envoy again "
        "| worker busy, no filter: predicted | Envoy | with the filter: predicted | Envoy |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for each in points:
        busy = " | ".join(f"{part:.1%}" for pair in each.utilisations() for part in pair)
        lines.append(
            f"| {each.name}, {each.arrivals}, {each.share:.0%} | {each.rate:,.0f} | {each.predicted / 1e3:.1f} "
            f"| {each.increase / 1e3:.1f} | {each.error:+.1%} | {each.again:.1%} | {busy} |"
        )
    return "\n".join(lines)
