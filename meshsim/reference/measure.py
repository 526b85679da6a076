"""Measure what Wasm costs in the real Envoy here, and write it as a cost profile.

``python -m meshsim.reference.measure OUT.json``

Three things are measured on fresh processes: the log's time stamps while VMs are made, memory by number of workers,
and CPU time per request by filter chain. Other programs on the machine only ever add, so what is measured often
counts by its lower end: spans by the least of some starts, chains (which take turns in one process, forwards and
backwards) by their lower quartile. All of it is done in several rounds, over minutes. A coefficient is the slope of a
round's points and the median of the rounds; ``low`` and ``high`` are the least and the greatest round. Where it
depends on what is done (which host call, which code), the value is the mean, and the range takes in all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import platform
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from statistics import fmean, linear_regression, median, quantiles

from meshsim.cost.profile import Coefficient, Point, Profile
from meshsim.reference import specimens
from meshsim.reference.bench import Bench, Load
from meshsim.reference.envoy import envoy_version
from meshsim.wasm import Engine, FuncType, Vm

#: Rounds over everything, and starts of Envoy whose fastest spans make a round's timeline.
ROUNDS, STARTS = 6, 4
#: Times that each chain has its turn in a round, and how long it is under load, in seconds.
PASSES, SLOT_S = 40, 0.02
#: Seconds until V8 has optimised what a chain runs, and until a process at rest has all its memory.
WARM_UP_S, SETTLE_S = 0.1, 0.5
#: Connections: enough that Envoy never waits, so that a slower chain does not change how it batches; and a few.
MANY, FEW = 64, 8
#: Bytes of code of the modules on a timeline. The very first one starts V8, the others of no size make VMs.
SIZES = (0, 0, 0, 0, 1_000, 32_000, 250_000, 1_000_000, 2_000_000)
#: Memory is measured for these numbers of workers, and for modules of these bytes of code.
WORKERS, SMALL, LARGE = (1, 2, 4, 8), 0, 2_000_000
#: Filters of a long chain; host calls of a request; loops of code of a request, some 30 microseconds.
LENGTH, CALLS, LOOPS = 16, 200, {"hash": 20_000, "copy": 50_000, "calls": 200}

#: What each coefficient is: its unit, and how it was measured.
MEANINGS = {
    "v8_start_ns": ("ns", "Log time stamps: the first base VM of a process over the later ones, all of a tiny module."),
    "isolate_ns": (
        "ns",
        "Log time stamps: 'Base Wasm created' to the canary's 'Thread-Local Wasm created' for a tiny module, less the "
        "canary's own isolate as seen on a worker. With parsing, linking, instantiation.",
    ),
    "compile_ns_per_byte": (
        "ns/byte",
        "Log time stamps: the same span by the module's size, 1 kB to 2 MB of straight arithmetic. On one core: V8 "
        "compiles on threads of its own too, so it takes less wall time where cores are free.",
    ),
    "clone_ns": (
        "ns",
        "Log time stamps on a worker that makes clones one after the other: the end of a plugin's start to the next "
        "one's first callback (isolate and linking) for a tiny module. Twice that for one of 2 MB.",
    ),
    "request_ns": (
        "ns",
        f"CPU time per request of a direct response without Wasm, {FEW} keep-alive connections. Depends on how many "
        "requests Envoy finds at once: three times as much with 1 connection, 20 % less with 64.",
    ),
    "filter_ns": (
        "ns",
        f"CPU time per request of {LENGTH} filters of one VM with an empty callback each over none, by filter, less "
        "the callback. A filter alone costs up to a microsecond more.",
    ),
    "callback_ns": (
        "ns",
        f"CPU time per request of {LENGTH} filters of one VM that export {len(specimens.CALLBACKS)} empty callbacks, "
        "over the same filters with one, by callback.",
    ),
    "host_call_ns": (
        "ns",
        f"CPU time per request of {CALLS} host calls over none: proxy_add_header_map_value, and "
        "proxy_get_header_map_value of a header that is not there. A call that allocates in the guest costs a callback "
        "more.",
    ),
    "clock_read_ns": ("ns", f"CPU time per request of {CALLS} proxy_get_current_time_nanoseconds over none."),
    "fuel_ns": (
        "ns/fuel",
        "CPU time per request over Wasmtime's fuel of hot, optimised loops: a dependent chain, loads and stores, calls "
        "and branches. Cold code, before V8 has optimised it, is slower.",
    ),
    "vm_bytes": (
        "bytes",
        "Anonymous memory of the process by number of workers, with a tiny module over without Wasm; with the one or "
        "two pages of linear memory that such a guest touches.",
    ),
    "vm_bytes_per_code_byte": (
        "bytes/byte",
        "The same slope by the module's size: V8 shares a module's code between its VMs.",
    ),
    "module_bytes_per_code_byte": (
        "bytes/byte",
        "Anonymous memory at no workers (extrapolated) by the module's size: what V8 keeps of a module once a process.",
    ),
}

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


def coefficient(name: str, rounds: Sequence[Round]) -> Coefficient:
    """One number, with its range, from what the rounds say of it."""
    unit, how = MEANINGS[name]
    points = {
        kind: tuple(tuple((x, round(y, 1)) for x, y in each[name][kind]) for each in rounds) for kind in rounds[0][name]
    }
    slopes = [[slope(each) for each in by_round] for by_round in points.values()]
    value, low, high = fmean(map(median, slopes)), min(map(min, slopes)), max(map(max, slopes))
    return Coefficient(_rounded(value), unit, _rounded(low), _rounded(high), how, points)


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
    guests = {"bare": specimens.empty(["request_headers"]), "all": specimens.empty(list(specimens.CALLBACKS))}
    guests |= {call: specimens.calling(call, CALLS) for call in specimens.HOST_CALLS}
    guests |= {code: specimens.running(code, LOOPS[code]) for code in specimens.CODE}
    chains = {name: [bench.module(name, data)] for name, data in guests.items()}
    chains |= {"none": [], "bare chain": chains["bare"] * LENGTH, "all chain": chains["all"] * LENGTH}
    fuels = {name: fuel(guests[name]) for name in ("bare", *specimens.CODE)}
    while True:
        with bench.envoy(chains) as envoy, contextlib.ExitStack() as closing:
            open_loads = {name: Load(envoy.ports[name], MANY) for name in chains}
            open_loads["few"] = Load(envoy.ports["none"], FEW)
            for load in open_loads.values():
                closing.callback(load.close)
                load.run(WARM_UP_S)
            yield requests(_cpu_per_request(envoy.cpu_ns, open_loads), fuels)


def requests(cpu: Mapping[str, float], fuels: Mapping[str, int]) -> Round:
    """What requests cost, from the CPU time in ns of a request by chain, and the fuel of those that run code."""
    crossings: Points = [
        (LENGTH, cpu["bare chain"]),
        (LENGTH * len(specimens.CALLBACKS), cpu["all chain"]),
    ]
    filters = cpu["bare chain"] - LENGTH * slope(crossings)

    def over_bare(kinds: Iterable[str]) -> dict[str, Points]:
        return {kind: [(0, cpu["bare"]), (CALLS, cpu[kind])] for kind in kinds}

    return {
        "request_ns": {"direct response": [(1, cpu["few"])]},
        "filter_ns": {"empty": [(0, cpu["none"]), (LENGTH, filters)]},
        "callback_ns": {"empty": crossings},
        "host_call_ns": over_bare(["add", "get"]),
        "clock_read_ns": over_bare(["clock"]),
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


def measure(name: str, say: Callable[[str], object]) -> Profile:
    """Measure everything; ``say`` is told how it goes."""
    envoy = envoy_version().split("/")[1]
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="meshsim-measure-") as folder:
        bench = Bench(Path(folder))
        parts = [timelines(bench), memories(bench), loads(bench)]
        rounds = []
        for number in range(1, ROUNDS + 1):
            rounds.append({name: points for part in parts for name, points in next(part).items()})
            say(f"{time.monotonic() - began:4.0f} s  round {number} of {ROUNDS}")
    return Profile(name, {each: coefficient(each, rounds) for each in MEANINGS}, {"envoy": envoy} | machine())


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


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a profile; progress and the table go to stderr."""
    parser = argparse.ArgumentParser(prog="python -m meshsim.reference.measure", description="Write a cost profile.")
    parser.add_argument("out", type=Path, metavar="OUT.json")
    out: Path = parser.parse_args(arguments).out
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    profile = measure(out.stem, lambda text: print(text, file=sys.stderr))
    out.write_text(profile.to_json(), encoding="utf-8")
    for name, each in profile.coefficients.items():
        print(f"{name:27}{each.value:>12g} {each.unit:10} ({each.low:g} to {each.high:g})", file=sys.stderr)


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
    return {name: quantiles(each, n=4, method="inclusive")[0] for name, each in times.items()}


def _rounded(value: float) -> float:
    """Four digits: more than the measurement has."""
    return float(f"{value:.4g}")


if __name__ == "__main__":
    main()
