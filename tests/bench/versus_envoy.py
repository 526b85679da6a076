"""meshsim against the real Envoy: requests a second, through the same bootstrap, in the same minute.

The real one has one worker on a core of its own, under ``wrk -c8`` on another; the simulated one runs on the worker's
core when the load rests, and goes through the public API (:meth:`meshsim.Envoy.drive`: eight connections that send as
soon as they are answered, as wrk's do). They take turns, every other round backwards, and a ratio is that of a round.

Seconds are CPU seconds of the engine: of Envoy alone, without wrk, and of this process. With a machine for itself the
worker is busy all the time and that is the same as by the clock, which ``ratio_by_clock`` shows; when others use the
machine, wrk waits for its core and Envoy for wrk, which would make the simulated one look better than it is.
"""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time_ns

import meshsim as ms
from meshsim.sim import Level
from tests.bench import levels
from tests.bench.figures import Outcome, Work, figure, in_turns
from tests.bench.real_envoy import CONNECTIONS, Answer, RealEnvoy, Turn, find_tools, free_port, on_core, real_envoy
from tests.bench.scenes import AUTHORIZATION, REQUEST, SCENES, Scene

ROUNDS = 5
REAL_S = 2
SIMULATED_S = 1.0
WARM_UP_REQUESTS = 500
HEADERS = dict([AUTHORIZATION])
REAL = "real"

#: What of a response may differ: clocks.
CLOCKS = ("date", "x-envoy-upstream-service-time")

#: At least so many simulated requests for a real one, by scene and level; a trace of every call has no bar.
BARS: dict[tuple[str, Level], float | None] = {
    ("direct", Level.OFF): 4,
    ("direct", Level.REQUESTS): 2,
    ("direct", Level.ABI): None,
    ("two-hops", Level.OFF): 8,
    ("two-hops", Level.REQUESTS): 4,
    ("two-hops", Level.ABI): None,
}


@dataclass(frozen=True, slots=True)
class Duel:
    """The turns of each contestant, by ``real`` or the name of a level."""

    turns: Mapping[str, list[Turn]]

    def outcome(self, level: Level) -> Outcome:
        """Give simulated requests a second for a real one."""
        pairs = list(zip(self.turns[level.name], self.turns[REAL], strict=True))
        ratios = [real.cpu_us / simulated.cpu_us for simulated, real in pairs]
        by_clock = [simulated.per_second / real.per_second for simulated, real in pairs]
        names = (level.name, REAL)
        return Outcome(
            median(ratios),
            {
                "range": [round(min(ratios), 3), round(max(ratios), 3)],
                "rounds": len(ratios),
                "ratio_by_clock": round(median(by_clock), 3),
                "per_second": {name: round(median(turn.per_second for turn in self.turns[name])) for name in names},
                "cpu_us": {name: round(median(turn.cpu_us for turn in self.turns[name]), 1) for name in names},
                "connections": CONNECTIONS,
                "checked_requests": levels.CHECKED_REQUESTS,
            },
        )


def same_answer(simulated: ms.Response, real: Answer) -> bool:
    """Whether both answer alike, clocks aside."""

    def comparable(headers: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
        return sorted((name, "" if name in CLOCKS else value) for name, value in headers)

    return (simulated.status, simulated.body, comparable(simulated.headers)) == (
        real.status,
        real.body,
        comparable(real.headers),
    )


def simulated_turn(envoy: ms.Envoy, requests: int, core: int) -> Turn:
    """Send requests through a simulated Envoy on a core."""
    with on_core(core):
        gc.collect()
        cpu, start = process_time_ns(), perf_counter()
        envoy.drive(REQUEST, count=requests, connections=CONNECTIONS)
        return Turn(requests, perf_counter() - start, process_time_ns() - cpu)


def _prepared(scene: Scene, level: Level, core: int) -> Callable[[], Turn]:
    """Start and warm up; the turns of this contestant will take about :data:`SIMULATED_S` each."""
    envoy = levels.start(scene, level)
    warm = simulated_turn(envoy, WARM_UP_REQUESTS, core)
    return partial(simulated_turn, envoy, max(WARM_UP_REQUESTS, round(SIMULATED_S * warm.per_second)), core)


def _real_turn(envoy: RealEnvoy, seconds: int) -> Turn:
    return envoy.load(HEADERS, seconds)


@cache
def duel(name: str) -> Duel:
    """Check, then time, everything about a scene."""
    tools = find_tools()
    with tempfile.TemporaryDirectory(prefix="meshsim-bench-") as folder:
        scene = SCENES[name](Path(folder), free_port)
        response = levels.check(scene)
        with real_envoy(tools, scene.path, scene.port, "ingress", Path(folder)) as real:
            answer = real.get(HEADERS)
            if not same_answer(response, answer):
                raise RuntimeError(f"{name}: the simulated Envoy answers {response}, the real one {answer}")
            real.load(HEADERS, 1)  # V8 optimises what it runs often
            contestants: dict[str, Callable[[], Turn]] = {REAL: partial(_real_turn, real, REAL_S)}
            contestants |= {level.name: _prepared(scene, level, tools.cores[0]) for level in Level}
            return Duel(in_turns(contestants, ROUNDS))


def workload(name: str, level: Level) -> Work:
    """Prepare what the profiler looks at."""
    with tempfile.TemporaryDirectory(prefix="meshsim-bench-") as folder:
        envoy = levels.start(SCENES[name](Path(folder), free_port), level)
    envoy.drive(REQUEST, count=WARM_UP_REQUESTS, connections=CONNECTIONS)
    return lambda: envoy.drive(REQUEST, count=10 * WARM_UP_REQUESTS, connections=CONNECTIONS)


def _register(name: str, level: Level, bar: float | None) -> None:
    register = figure(f"envoy-{name}-{level.name.lower()}", at_least=bar, workload=partial(workload, name, level))
    register(lambda: duel(name).outcome(level))


for (_name, _level), _bar in BARS.items():
    _register(_name, _level, _bar)
