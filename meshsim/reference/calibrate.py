"""Measure what filters cost in the real Envoy here, and make a cost profile of it.

Everything is measured in several rounds on fresh processes, because code and data fall differently in each, and other
programs on the machine come and go: they make everything up to half as slow again, so of the loads only the rounds
with the fastest plain requests count. :mod:`~meshsim.reference.rounds` has the measurements,
:mod:`~meshsim.reference.fit` what they say.
"""

from __future__ import annotations

import os
import platform
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from meshsim.cost.profile import Coefficient, Profile
from meshsim.reference import chains, fit, rounds, specimens, tiers, wakes
from meshsim.reference.bench import Bench
from meshsim.reference.envoy import envoy_version, release, termination_as_exit
from meshsim.reference.fit import LUA_SCRIPTS, PAGES, TOGETHER, Round
from meshsim.reference.heldout import digest
from meshsim.reference.meanings import meanings
from meshsim.reference.probes import ROUNDS, probes
from meshsim.reference.rounds import ALIKE, SMALL, Loading, Loads, Tick, Weighing, weigh
from meshsim.reference.scripts import script
from meshsim.wasm import Engine, FuncType, Vm, parse_module

#: What is weighed beside a module of each size: nothing, memory that is touched, Lua, and many modules of two sizes.
WEIGHED_BESIDES = 5


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes
    ----------
    rounds, kept, passes : int
        Of the loads: rounds, how many of them count, and turns of each chain in one.
    loadings, starts : int
        Of what is loaded: rounds, and starts of Envoy whose fastest spans make one.
    sizes, straight : tuple of int
        Bytes of the modules that are loaded: of ordinary code, and of arithmetic.
    weighings : int
        Rounds of weighing.
    workers : tuple of int
        Numbers of workers that processes are weighed with.
    weights : tuple of int
        Bytes of the modules that are weighed; of the second size, several together too.
    """

    rounds: int
    kept: int
    passes: int
    loadings: int
    starts: int
    sizes: tuple[int, ...]
    straight: tuple[int, ...]
    weighings: int
    workers: tuple[int, ...]
    weights: tuple[int, ...]

    @property
    def steps(self) -> int:
        """How many times somebody is told that it goes on."""
        weighed = len(self.workers) * (len(self.weights) + WEIGHED_BESIDES)
        loads = self.rounds * (self.passes + wakes.PASSES)
        return loads + self.loadings * (self.starts + 1) + self.weighings * weighed


FULL = Plan(
    rounds=6, kept=4, passes=50, loadings=3, starts=4, weighings=2, workers=(1, 2, 4, 8),
    weights=(0, 1_000_000, 2_500_000),
    sizes=(10_000, 100_000, 500_000, 2_000_000), straight=(100_000, 1_000_000, 10_000_000),
)  # fmt: skip
QUICK = Plan(
    rounds=2, kept=2, passes=20, loadings=2, starts=2, weighings=2, workers=(1, 4),
    weights=(0, 1_000_000), sizes=(10_000, 100_000, 1_000_000), straight=(100_000, 500_000),
)  # fmt: skip

#: What a profile calls the part of the time, at most, that other programs had Envoy's core while requests were timed.
DISTURBED = "disturbed"
#: Tiny modules at the head of those that are loaded: the first starts V8.
TINY = 4
#: Pages of linear memory that modules write when they are configured, to see how long that takes.
WRITTEN = (4, 16, 32)


def calibrate(name: str, plan: Plan, tick: Tick, say: Callable[[str], object]) -> Profile:
    """Measure everything by a plan.

    Parameters
    ----------
    name : str
        The profile's.
    plan : Plan
        :data:`FULL` or :data:`QUICK`.
    tick : callable
        Is called ``plan.steps`` times.
    say : callable
        Is told what is measured next.

    Raises
    ------
    ReferenceUnavailable
        There is no real Envoy here.
    MeshsimError
        It does not start, or does not answer.
    """
    about = {"envoy": release(envoy_version())} | machine() | {"held out": digest()}
    with termination_as_exit(), tempfile.TemporaryDirectory(prefix="meshsim-calibrate-") as folder:
        bench = Bench(Path(folder))
        say("loading modules")
        parts: list[Sequence[Round]] = [list(_loading(bench, plan, tick))]
        say("weighing processes")
        parts.append(list(_memory(bench, plan, tick)))
        say("requests under load")
        loads, disturbed = _requests(bench, plan, tick)
        parts.append(loads)
        prices = {each: coefficient.value for each, coefficient in _coefficients(parts).items()}
        say("workers that sleep")
        slept = [wakes.measure(bench, prices, tick) for _ in range(plan.rounds)]
        parts.append(sorted(slept, key=wakes.plain_ns)[: plan.kept])
    return Profile(name, _coefficients(parts), about | {DISTURBED: f"{disturbed:.1%}"})


def _coefficients(parts: Iterable[Sequence[Round]]) -> dict[str, Coefficient]:
    """What the parts have measured, in the order of its meanings."""
    return {
        each: fit.coefficient(each, unit, how, part)
        for each, (unit, how) in meanings().items()
        for part in parts
        if each in part[0]
    }


def machine() -> dict[str, str]:
    """When and where this runs."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%MZ"),
        "wasmtime": version("wasmtime"),
        "cpu": model[1] if model else platform.machine(),
        "cores": str(len(os.sched_getaffinity(0))),
        "kernel": platform.release(),
    }


def fuel(guest: bytes) -> int:
    """Fuel of a request in a guest without host calls.

    >>> fuel(specimens.guest()) < 5
    True
    """
    vm = Vm(Engine().compile(guest), {})
    on_request_headers = vm.function("proxy_on_request_headers", FuncType("iii", "i"))
    assert on_request_headers is not None
    on_request_headers(2, 0, 1)
    return vm.fuel_used


def _loading(bench: Bench, plan: Plan, tick: Tick) -> Iterator[Round]:
    tiny = rounds.padded(bench, [0] * TINY, 1)
    ordinary = rounds.padded(bench, plan.sizes, 2)
    small = [(asked, path) for asked in SMALL for path in rounds.padded(bench, [asked] * ALIKE, asked)]
    written = {
        count: bench.module(f"written{count}", specimens.filler(0, 4100 + count, pages=count, touched=count))
        for count in WRITTEN
    }
    straight = [bench.module(f"straight{size}", specimens.filler(size, size, straight=True)) for size in plan.straight]
    one_call = fuel(tiers.code())
    for _ in range(plan.loadings):
        paths = [*tiny, *ordinary, *straight, *(path for _, path in small), *written.values()]
        took = dict(zip(paths, rounds.loading(bench, paths, plan.starts, tick), strict=True))
        yield {
            **fit.of_loading(
                [took[path] for path in tiny],
                _by_size(took, ordinary),
                _by_size(took, straight),
                {asked: _by_size(took, (path for size, path in small if size == asked)) for asked in SMALL},
                {count: took[path] for count, path in written.items()},
                {path.stat().st_size: parse_module(path.read_bytes()).branches for path in ordinary},
            ),
            **fit.of_calls(rounds.first_calls(bench, tick), one_call),
        }


def _by_size(took: Mapping[Path, Loading], paths: Iterable[Path]) -> dict[int, Loading]:
    return {path.stat().st_size: took[path] for path in paths}


def _memory(bench: Bench, plan: Plan, tick: Tick) -> Iterator[Round]:
    modules = dict(zip(("tiny", "small", "large"), rounds.padded(bench, plan.weights, 3), strict=False))
    loaded = {name: (chains.wasm(path),) for name, path in modules.items()} | {
        f"many{tail}": tuple(map(chains.wasm, rounds.padded(bench, [plan.weights[size]] * TOGETHER, 5 + size)))
        for size, tail in enumerate((" tiny", ""))
    }
    touched = bench.module("touched", specimens.filler(0, 4000, pages=PAGES, touched=PAGES))
    filters = {
        "none": (),
        "touched": (chains.wasm(touched),),
        "lua": tuple(chains.lua(script({"log": 1 + number})) for number in range(LUA_SCRIPTS)),
    } | loaded
    sizes = {name: path.stat().st_size for name, path in modules.items()}
    for _ in range(plan.weighings):
        weights: dict[str, dict[int, int]] = {}
        for name, each in filters.items():
            for workers in plan.workers:
                weights.setdefault(name, {})[workers] = weigh(bench, Weighing(each, workers))
                tick()
        yield fit.of_memory(weights, sizes)


def _requests(bench: Bench, plan: Plan, tick: Tick) -> tuple[Sequence[Round], float]:
    made = probes(bench)
    fuels = {"bare": fuel(specimens.guest())} | {
        name: fuel(specimens.guest(code={name: times})) for name, times in ROUNDS.items()
    }
    measured = [rounds.cpu_per_request(bench, made, plan.passes, tick) for _ in range(plan.rounds)]
    kept = quietest(measured, plan.kept)
    return [fit.of_requests(loads.cpu, fuels) for loads in kept], max(loads.disturbed for loads in kept)


def quietest(measured: Sequence[Loads], kept: int) -> list[Loads]:
    """The rounds in which requests without filters were fastest; nothing else decides.

    >>> quietest([Loads({"none 8": 3.0, "x": 1.0}, 0.1), Loads({"none 8": 2.0, "x": 9.0}, 0.2)], 1)
    [Loads(cpu={'none 8': 2.0, 'x': 9.0}, disturbed=0.2)]
    """

    def plain(loads: Loads) -> float:
        return sum(each for name, each in loads.cpu.items() if name.startswith("none "))

    return sorted(measured, key=plain)[:kept]
