"""The four measurements that a cost profile comes from, each a round at a time, on fresh processes of the real Envoy.

The log's time stamps while VMs are made; how fast code is when it is new; memory by number of workers; CPU time per
request by filter chain. Other programs on the machine only ever add, so what is measured often counts by its lower end:
spans by the least of some starts, chains by the lowest decile of many short turns. With quartiles of longer turns,
differences between chains varied by half from round to round; so, by a tenth or two. Chains take turns in one process,
forwards and backwards, and none comes twice in a row: its second turn would find its own caches.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles
from typing import NamedTuple

from meshsim.reference import chains, specimens, tiers
from meshsim.reference.bench import Bench, Load
from meshsim.reference.chains import Filter
from meshsim.reference.probes import Probe

#: How long each chain is under load in its turn, in seconds.
SLOT_S = 0.01
#: Seconds until a chain's caches are warm, and until a process at rest has all its memory.
WARM_UP_S, SETTLE_S = 0.05, 0.3
#: Bytes of code in small modules, whose compiling takes more for each byte; :data:`ALIKE` modules of each.
SMALL, ALIKE = (1_500, 5_000, 12_000), 3
#: What the logs of a start are written with: time in microseconds, thread, text.
LOG = ("--component-log-level", "wasm:trace", "--log-format", "@@%E%f|%t|%v")
_LINE = re.compile(r"@@(\d+)\|(\d+)\|(.*)")
_CONFIGURED = "[host<-vm] proxy_on_configure return: 1"

#: Is told after each step, so that somebody can show how far it is.
Tick = Callable[[], None]


class Loading(NamedTuple):
    """What one plugin took to load, in ns.

    ``base`` ends with the isolate of its canary. Of the worker that clones it: ``isolate``; ``clone``, which is that
    and linking; ``configure``, the first calls of two empty callbacks. None where another thread hides it.
    """

    base: int
    isolate: int | None
    clone: int | None
    configure: int


def loading(bench: Bench, modules: Sequence[Path], starts: int, tick: Tick) -> list[Loading]:
    """Start Envoy with plugins, one after the other, several times; the least of each span."""
    seen = []
    for _ in range(starts):
        with bench.envoy({"all": [chains.wasm(path) for path in modules]}, log=LOG) as envoy:
            time.sleep(SETTLE_S)
            seen.append(spans(envoy.log.read_text(encoding="utf-8")))
        tick()
    return [_fastest(each) for each in zip(*seen, strict=True)]


def spans(log: str) -> list[Loading]:
    """Read from the log of one worker what plugins took.

    The worker shows how long an isolate takes: it makes one between the end of one plugin's start and the line of the
    next plugin's clone, whose first callback ends the clone. The first plugin's cannot be seen.
    """
    lines = [(1000 * int(at), thread, text) for at, thread, text in _LINE.findall(log)]
    main = [(at, text) for at, thread, text in lines if thread == lines[0][1]]
    worker = [(at, text) for at, thread, text in lines if thread != lines[0][1]]
    bases = [after - at for (at, text), (after, _) in pairwise(main) if text.startswith("Base Wasm created")]
    created = [index for index, (_, text) in enumerate(worker) if text.startswith("Thread-Local Wasm created")]
    found = []
    for base, start in zip(bases, created, strict=True):
        entered = worker[start + 1][0]
        configured = next(at for at, text in worker[start:] if text == _CONFIGURED)
        before = worker[start - 1][0] if start else None
        isolate, clone = (at - before if before else None for at in (worker[start][0], entered))
        found.append(Loading(base, isolate, clone, configured - entered))
    return found


def first_calls(bench: Bench, tick: Tick) -> Mapping[int, int]:
    """What a call takes when it is the first, the tenth...: :func:`~meshsim.reference.tiers.call_times`."""
    with bench.envoy({"all": [chains.wasm(bench.module("marking", tiers.marking()))]}) as envoy:
        time.sleep(SETTLE_S)
        tick()
        return tiers.call_times(envoy.log.read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Weighing:
    """A process that is weighed at rest."""

    filters: tuple[Filter, ...]
    workers: int


def weigh(bench: Bench, what: Weighing) -> int:
    """Resident memory of a process at rest, in bytes."""
    with bench.envoy({"all": what.filters}, what.workers) as envoy:
        time.sleep(SETTLE_S)
        return envoy.resident_bytes()


class Loads(NamedTuple):
    """CPU time of Envoy for a request of each probe, in ns.

    ``disturbed`` is the part of the time that Envoy wanted to run and another program had its core.
    """

    cpu: Mapping[str, float]
    disturbed: float


def cpu_per_request(bench: Bench, probes: Mapping[str, Probe], passes: int, tick: Tick) -> Loads:
    """Put probes under load in turn, all in one fresh process."""
    listeners: dict[tuple[int, ...], str] = {(): "none"}  # probes of the same filters share one
    home = {name: listeners.setdefault(tuple(map(id, each.filters)), name) for name, each in probes.items()}
    filters = {name: probes[name].filters for name in listeners.values() if name != "none"} | {"none": ()}
    times: dict[str, list[float]] = {name: [] for name in probes}
    with bench.envoy(filters) as envoy, contextlib.ExitStack() as closing:
        loads = {name: Load(envoy.ports[home[name]], each.connections, each.sent) for name, each in probes.items()}
        for load in loads.values():
            closing.callback(load.close)
            load.run(WARM_UP_S)
        for turn in range(passes):
            for name in in_turn(list(loads), turn):
                before = envoy.times()
                answered = loads[name].run(SLOT_S)
                times[name].append((envoy.times().ran - before.ran) / answered)
            tick()
        ran, waited = envoy.times()
    cpu = {name: quantiles(each, n=10, method="inclusive")[0] for name, each in times.items()}
    return Loads(cpu, waited / (ran + waited))


def in_turn(names: Sequence[str], turn: int) -> list[str]:
    """Forwards and backwards in turn, each time from another: none comes twice in a row, and finds its own caches.

    >>> [in_turn("abcd", turn) for turn in range(3)]
    [['a', 'b', 'c', 'd'], ['a', 'd', 'c', 'b'], ['c', 'd', 'a', 'b']]
    """
    start = turn % len(names)
    order = [*names[start:], *names[:start]]
    return order[::-1] if turn % 2 else order


def padded(bench: Bench, sizes: Sequence[int], seed: int) -> list[Path]:
    """Fillers of these sizes, no two alike."""
    return [
        bench.module(f"filler{seed}-{index}", specimens.filler(size, 1000 * seed + index))
        for index, size in enumerate(sizes)
    ]


def middle(values: Sequence[int | None]) -> float:
    """The median of those that are there."""
    return median(each for each in values if each is not None)


def _fastest(seen: Sequence[Loading]) -> Loading:
    base, isolate, clone, configure = zip(*seen, strict=True)
    return Loading(min(base), _least(isolate), _least(clone), min(configure))


def _least(values: Sequence[int | None]) -> int | None:
    return min((each for each in values if each is not None), default=None)
