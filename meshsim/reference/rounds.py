"""The three measurements that a cost profile comes from, each a round at a time, on fresh processes of the real Envoy.

The log's time stamps while VMs are made; memory by number of workers; CPU time per request by filter chain. Other
programs on the machine only ever add, so what is measured often counts by its lower end: spans by the least of some
starts, chains (which take turns in one process, forwards and backwards) by the lowest decile of many short turns. With
quartiles of longer turns, differences between chains varied by half from round to round; so, by a tenth or two.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import linear_regression, median, quantiles

from meshsim.cost.profile import Point
from meshsim.reference import specimens
from meshsim.reference.bench import Bench, Load
from meshsim.wasm import Engine, FuncType, Vm

#: Starts of Envoy whose fastest spans make a round of timelines.
STARTS = 4
#: Times that each chain has its turn in a round, and how long it is under load, in seconds.
PASSES, SLOT_S = 100, 0.01
#: Seconds until V8 has optimised what a chain runs, and until a process at rest has all its memory.
WARM_UP_S, SETTLE_S = 0.1, 0.3
#: Connections: enough that Envoy never waits, so that a slower chain does not change how it batches; and a few.
MANY, FEW = 64, 8
#: Bytes of code of the modules on a timeline. The very first one starts V8, the others of no size make VMs.
SIZES = (0, 0, 0, 0, 1_000, 32_000, 250_000, 1_000_000, 2_000_000)
#: Memory is measured for these numbers of workers, and for modules of these bytes of code.
WORKERS, SMALL, LARGE = (1, 2, 4, 8), 0, 2_000_000
#: Filters of a long chain, each with a VM of its own, as filters from different authors have.
LENGTH = 8
#: How often a guest does a thing for a request: a host call as often as guests do; the clock as often as one that
#: waits on it; code for some 30 microseconds.
TIMES = {"add": 10, "get": 10, "log": 10, "clock": 100, "hash": 20_000, "copy": 50_000, "calls": 200}

Points = Sequence[Point]
#: What a round gave: points by coefficient and by what they were measured on.
Round = Mapping[str, Mapping[str, Points]]

_LOG = ("--component-log-level", "wasm:trace", "--log-format", "@@%E%f|%t|%v")
_LINE = re.compile(r"@@(\d+)\|(\d+)\|(.*)")


def slope(points: Points) -> float:
    """Least squares through the points, or through the origin when there is one only.

    >>> slope([(8, 1000.0)]), slope([(0, 10.0), (2, 14.0), (4, 18.0)])
    (125.0, 2.0)
    """
    if len(points) == 1:
        return points[0][1] / points[0][0]
    return linear_regression(*zip(*points, strict=True)).slope


def timelines(bench: Bench) -> Iterator[Round]:
    """Make VMs in fresh processes."""
    modules = [bench.module(f"padded{seed}", specimens.padded(size, seed)) for seed, size in enumerate(SIZES)]
    sizes = [path.stat().st_size for path in modules]
    tiny = sizes.count(sizes[0])
    while True:
        starts = []
        for _ in range(STARTS):
            with bench.envoy({"all": modules}, log=_LOG) as envoy:
                time.sleep(SETTLE_S)
            starts.append(spans(envoy.log.read_text(encoding="utf-8")))
        bases, isolates, clones = (
            [min(each) for each in zip(*kind, strict=True)] for kind in zip(*starts, strict=True)
        )
        base, isolate, clone = median(bases[1:tiny]), median(isolates[: tiny - 1]), median(clones[: tiny - 1])
        yield {
            "v8_start_ns": {"first VM": [(1, bases[0] - base)]},
            "isolate_ns": {"tiny module": [(1, base - isolate)]},
            "compile_ns_per_byte": {"arithmetic": list(zip(sizes[tiny:], bases[tiny:], strict=True))},
            "clone_ns": {"tiny module": [(1, clone)]},
        }


def spans(log: str) -> tuple[list[int], list[int], list[int]]:
    """Read from the log of one worker what VMs took, in ns: base VMs; isolates; clones, from the second one on.

    A base VM's span ends with the isolate of its canary. The worker shows how long an isolate takes: it makes one
    between the end of one plugin's start and the line of the next plugin's clone, whose first callback ends the clone.
    """
    lines = [(1000 * int(at), thread, text) for at, thread, text in _LINE.findall(log)]
    main = [(at, text) for at, thread, text in lines if thread == lines[0][1]]
    worker = [(at, text) for at, thread, text in lines if thread != lines[0][1]]
    bases = [after - at for (at, text), (after, _) in pairwise(main) if text.startswith("Base Wasm created")]
    made = [
        (created - at, linked - at)
        for (at, text), (created, _), (linked, _) in zip(worker, worker[1:], worker[2:], strict=False)
        if text == "[host<-vm] proxy_on_configure return: 1"
    ]
    return bases, [isolate for isolate, _ in made], [clone for _, clone in made]


def memories(bench: Bench) -> Iterator[Round]:
    """Weigh processes without Wasm, with a small and with a large module, each with several numbers of workers."""
    modules = {size: bench.module(f"weighed{size}", specimens.padded(size, size)) for size in (SMALL, LARGE)}
    while True:
        without = [_weight(bench, [], workers) for workers in WORKERS]
        lines = {}
        for path in modules.values():
            added = [_weight(bench, [path], n) - none for n, none in zip(WORKERS, without, strict=True)]
            lines[path.stat().st_size] = list(zip(WORKERS, added, strict=True))
        fits = {size: linear_regression(*zip(*points, strict=True)) for size, points in lines.items()}
        yield {
            "vm_bytes": {"tiny module": lines[min(lines)]},
            "vm_bytes_per_code_byte": {"arithmetic": [(size, fit.slope) for size, fit in fits.items()]},
            "module_bytes_per_code_byte": {"arithmetic": [(size, fit.intercept) for size, fit in fits.items()]},
        }


def loads(bench: Bench) -> Iterator[Round]:
    """Send requests through filter chains of fresh processes."""
    empties = {"bare": ["request_headers"], "all": list(specimens.CALLBACKS)}
    guests = {name: specimens.empty(callbacks) for name, callbacks in empties.items()}
    guests |= {call: specimens.calling(call, TIMES[call]) for call in specimens.HOST_CALLS}
    guests |= {code: specimens.running(code, TIMES[code]) for code in specimens.CODE}
    chains: dict[str, list[Path]] = {"none": []}
    chains |= {name: [bench.module(name, data)] for name, data in guests.items()}
    for name, callbacks in empties.items():
        modules = (specimens.empty(callbacks, seed) for seed in range(LENGTH))
        chains[f"{name} chain"] = [bench.module(f"{name}{seed}", module) for seed, module in enumerate(modules)]
    fuels = {name: fuel(guests[name]) for name in ("bare", *specimens.CODE)}
    while True:
        with bench.envoy(chains) as envoy, contextlib.ExitStack() as closing:
            open_loads = {name: Load(envoy.ports[name], MANY) for name in chains}
            open_loads["few"] = Load(envoy.ports["none"], FEW)
            for load in open_loads.values():
                closing.callback(load.close)
                load.run(WARM_UP_S)
            cpu = _cpu_per_request(envoy.cpu_ns, open_loads)
        yield requests(cpu, fuels)


def requests(cpu: Mapping[str, float], fuels: Mapping[str, int]) -> Round:
    """What requests cost, from the CPU time in ns of a request by chain, and the fuel of those that run code."""
    callbacks: dict[str, Points] = {
        kind: [(filters, cpu[f"bare{chain}"]), (filters * len(specimens.CALLBACKS), cpu[f"all{chain}"])]
        for kind, chain, filters in (("a filter alone", "", 1), ("a chain", " chain", LENGTH))
    }
    calls: dict[str, Points] = {call: [(0, cpu["bare"]), (TIMES[call], cpu[call])] for call in specimens.HOST_CALLS}
    return {
        "request_ns": {"direct response": [(1, cpu["few"])]},
        "filter_ns": {
            kind: [(0, cpu["none"]), (filters, with_callback - filters * slope(points))]
            for kind, points in callbacks.items()
            for filters, with_callback in points[:1]
        },
        "callback_ns": callbacks,
        "clock_read_ns": {"clock": calls.pop("clock")},
        "host_call_ns": calls,
        "fuel_ns": {code: [(fuels["bare"], cpu["bare"]), (fuels[code], cpu[code])] for code in specimens.CODE},
    }


def fuel(guest: bytes) -> int:
    """Fuel of a request in a guest without host calls.

    >>> fuel(specimens.empty(["request_headers"])) < 5
    True
    """
    vm = Vm(Engine().compile(guest), {})
    on_request_headers = vm.function("proxy_on_request_headers", FuncType("iii", "i"))
    assert on_request_headers is not None
    on_request_headers(2, 0, 1)
    return vm.fuel_used


def _weight(bench: Bench, chain: Sequence[Path], workers: int) -> int:
    with bench.envoy({"all": chain}, workers) as envoy:
        time.sleep(SETTLE_S)
        return envoy.anonymous_bytes()


def _cpu_per_request(cpu_ns: Callable[[], int], open_loads: Mapping[str, Load]) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in open_loads}
    for turn in range(PASSES):
        for name in list(open_loads)[:: -1 if turn % 2 else 1]:
            before = cpu_ns()
            answered = open_loads[name].run(SLOT_S)
            times[name].append((cpu_ns() - before) / answered)
    return {name: quantiles(each, n=10, method="inclusive")[0] for name, each in times.items()}
