"""From what was measured to points, and from points to coefficients.

A round gives each coefficient some points (amount, ns or bytes); their slope, or what a single point says, is what the
round makes of it. A coefficient is the median over rounds of that, and its range is where nine of ten further rounds
would fall; where it depends on what is done (which host call, which code), the value is the mean over the kinds, and
the range takes in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import sqrt
from statistics import fmean, linear_regression, median, stdev

from meshsim.cost.profile import Coefficient, Point
from meshsim.cost.request import LUA_HEADERS
from meshsim.reference.probes import CALLS, CONNECTIONS, FEW, HEADERS, LENGTH, LUA_STEPS, LUA_TIMES, MANY, ROUNDS
from meshsim.reference.rounds import Loading, middle
from meshsim.reference.scripts import LUA_CALLS
from meshsim.reference.specimens import CALLBACKS, COPIED_BYTES, HOST_CALLS
from meshsim.reference.tasks import ENGINES, TASKS
from meshsim.wasm.types import PAGE_BYTES

#: Student's t that nine of ten are within, by degrees of freedom (any table of it).
T_90 = {1: 6.31, 2: 2.92, 3: 2.35, 4: 2.13, 5: 2.02}

Points = Sequence[Point]
#: What a round gave: points by coefficient and by what they were measured on.
Round = Mapping[str, Mapping[str, Points]]

#: Host calls that have a coefficient for their function each.
KINDS = tuple(name for name in HOST_CALLS if name not in ("clock", "in", "out"))
#: Of these, those that filters make most: the coefficient of a host call is their mean.
USUAL = ("add", "get", "found", "replace", "log", "property", "metric")
#: The probe of one host call, where the others make many.
ADD_ONCE = "task add_header wasm"
#: The same in Lua, the task's requests without it, and the call.
LUA_ADD_ONCE, ADDED_TO, LUA_ADD = "task add_header lua", "task add_header", "headers_add"
#: Bytes that ``data`` and ``share`` copy, where ``in`` and ``out`` copy many.
WORD_BYTES = 4
#: VMs of a module that no worker runs: the base and the main thread's.
UNBOUND_VMS = 2
#: What is weighed: pages of a memory that is touched, and Lua scripts in one chain; the fewest workers; and modules of
#: one size that are loaded together.
PAGES, LUA_SCRIPTS, FIRST, TOGETHER = 256, 8, 1, 3


def slope(points: Points) -> float:
    """Least squares through the points, or through the origin when there is one only.

    >>> slope([(8, 1000.0)]), slope([(0, 10.0), (2, 14.0), (4, 18.0)])
    (125.0, 2.0)
    """
    if len(points) == 1:
        return points[0][1] / points[0][0]
    return linear_regression(*zip(*points, strict=True)).slope


def coefficient(name: str, unit: str, how: str, rounds: Sequence[Round]) -> Coefficient:
    """One number, with its range, from what the rounds say of it."""
    points = {
        kind: tuple(tuple((round(x, 3), round(y, 1)) for x, y in each[name][kind]) for each in rounds)
        for kind in rounds[0][name]
    }
    slopes = [[slope(each) for each in by_round] for by_round in points.values()]
    value, ranges = fmean(map(median, slopes)), list(map(likely, slopes))
    low, high = min(value, *(low for low, _ in ranges)), max(value, *(high for _, high in ranges))
    return Coefficient(_rounded(value), unit, _rounded(low), _rounded(high), how, points)


def likely(rounds: Sequence[float]) -> tuple[float, float]:
    """Where nine of ten further rounds would fall, if rounds are normally distributed.

    >>> likely([1.0, 1.0, 1.0]), likely([5.0])
    ((1.0, 1.0), (5.0, 5.0))
    >>> low, high = likely([9.0, 10.0, 11.0])
    >>> low < 9 and high > 11
    True
    """
    count, middle = len(rounds), fmean(rounds)
    beyond = T_90[min(count - 1, max(T_90))] * stdev(rounds) * sqrt(1 + 1 / count) if count > 1 else 0.0
    return middle - beyond, middle + beyond


def of_requests(cpu: Mapping[str, float], fuels: Mapping[str, int]) -> Round:
    """What CPU time by probe, in ns a request, says; ``fuels`` are of the guests that run code, and of the bare one."""
    return {**_wasm(cpu, fuels), **_others(cpu), **_connections(cpu), **_tasks(cpu)}


def _wasm(cpu: Mapping[str, float], fuels: Mapping[str, int]) -> Round:
    none, bare = cpu[f"none {MANY}"], cpu["bare"]
    callbacks: dict[str, Points] = {
        kind: [(filters, cpu[f"bare{chain}"]), (filters * len(CALLBACKS), cpu[f"all{chain}"])]
        for kind, chain, filters in (("a filter alone", "", 1), ("a chain", " chain", LENGTH))
    }
    calls: dict[str, Points] = {name: [(0, bare), (times, cpu[f"call {name}"])] for name, times in CALLS.items()}
    once, often = cpu[ADD_ONCE], cpu["call add"]
    first = once - bare - (often - once) / (CALLS["add"] - 1)
    kinds: dict[str, dict[str, Points]] = {}
    for name in KINDS:
        further: Points = [(0, bare + first), (CALLS[name], cpu[f"call {name}"])]
        kinds.setdefault(f"host_call_ns.{HOST_CALLS[name].kind}", {})[name] = further
    a_callback = slope(callbacks["a chain"])
    return {
        "filter_ns": {
            kind: [(0, none), (filters, with_callback - filters * slope(points))]
            for kind, points in callbacks.items()
            for filters, with_callback in points[:1]
        },
        "filter_ns.first": {"a filter alone": [(0, none), (1, bare - a_callback)]},
        "filter_ns.further": {"a chain": [(1, bare - a_callback), (LENGTH, cpu["bare chain"] - LENGTH * a_callback)]},
        "callback_ns": callbacks,
        "host_call_ns": {name: calls[name] for name in USUAL},
        "host_call_ns.first": {"add": [(1, first)]},
        **kinds,
        "clock_read_ns": {"clock": calls["clock"]},
        "copy_ns_per_byte": {
            way: [(CALLS[small] * WORD_BYTES, cpu[f"call {small}"]), (CALLS[bulk] * COPIED_BYTES, cpu[f"call {bulk}"])]
            for way, small, bulk in (("into the guest", "data", "in"), ("out of it", "share", "out"))
        },
        "fuel_ns": {name: [(fuels["bare"], bare), (fuels[name], cpu[f"code {name}"])] for name in ROUNDS},
    }


def _others(cpu: Mapping[str, float]) -> Round:
    none, lua = cpu[f"none {MANY}"], cpu["lua"]
    calls: dict[str, Points] = {name: [(0, lua), (LUA_TIMES, cpu[f"lua {name}"])] for name in LUA_CALLS}
    once = cpu[LUA_ADD_ONCE] - cpu[ADDED_TO] - (lua - none)
    first = once - (cpu[f"lua {LUA_ADD}"] - lua - once) / (LUA_TIMES - 1)
    further: dict[str, Points] = {
        name: [(0, lua + first * name.startswith(LUA_HEADERS)), (LUA_TIMES, cpu[f"lua {name}"])] for name in LUA_CALLS
    }
    return {
        "native_filter_ns": {"1 header": [(0, none), (1, cpu["native"])]},
        "native_change_ns": {"headers": [(1, cpu["native"]), (HEADERS, cpu["native more"])]},
        "lua_filter_ns": {"empty script": [(0, none), (1, lua)]},
        "lua_response_ns": {"empty function": [(0, lua), (1, cpu["lua response"])]},
        "lua_call_ns": calls,
        "lua_headers_ns": {LUA_ADD: [(1, first)]},
        **{f"lua_call_ns.{name}": {name: points} for name, points in further.items()},
        "lua_step_ns": {"hash": [(0, lua), (LUA_STEPS, cpu["lua steps"])]},
    }


def _connections(cpu: Mapping[str, float]) -> Round:
    plain = {count: cpu[f"none {count}"] for count in CONNECTIONS}
    added = {
        kind: {count: cpu[f"{probe} {count}"] - plain[count] for count in CONNECTIONS}
        for kind, probe in (("a filter alone", "alone"), ("a chain", "chain"))
    }
    return {
        "request_ns": {"direct response": [(1, plain[FEW])]},
        **{f"request_ns.{count}": {"direct response": [(1, plain[count])]} for count in CONNECTIONS},
        **{
            f"filter_scale.{count}": {kind: [(each[MANY], each[count])] for kind, each in added.items()}
            for count in CONNECTIONS
        },
    }


def _tasks(cpu: Mapping[str, float]) -> Round:
    return {
        f"task_ns.{task}.{engine}": {"task": [(0, cpu[f"task {task}"]), (1, cpu[f"task {task} {engine}"])]}
        for task, engine in product(TASKS, ENGINES)
    }


def of_loading(
    loadings: Sequence[Loading],
    ordinary: Mapping[int, Loading],
    straight: Mapping[int, Loading],
    small: Mapping[int, Mapping[int, Loading]],
    written: Mapping[int, Loading],
    branches: Mapping[int, int],
) -> Round:
    """What spans say, in ns.

    Parameters
    ----------
    loadings : sequence of Loading
        Of tiny modules, of which the first has started V8.
    ordinary, straight : mapping of int to Loading
        Of larger modules, by their bytes.
    small : mapping of int to mapping
        Of small ones, by the size that was asked for and then by their bytes.
    written : mapping of int to Loading
        Of modules that write their memory when they are configured, by pages of 64 KiB.
    branches : mapping of int to int
        How many branches the larger modules' code has, by their bytes.
    """
    first, *tiny = loadings
    base, isolate, clone, configure = (
        middle([getattr(each, what) for each in tiny]) for what in ("base", "isolate", "clone", "configure")
    )
    arithmetic: Points = [(size, each.base - base) for size, each in straight.items()]
    return {
        "v8_start_ns": {"first VM": [(1, first.base - base)]},
        "isolate_ns": {"tiny module": [(1, base - isolate)]},
        "compile_ns_per_byte": {"ordinary": [(0, 0.0), *((size, each.base - base) for size, each in ordinary.items())]},
        "compile_ns_per_byte.arithmetic": {"straight": arithmetic},
        "compile_ns_per_branch": {
            "ordinary": [
                (branches[size], each.base - base - size * slope(arithmetic)) for size, each in ordinary.items()
            ]
        },
        **{
            f"compile_ns_per_byte.{asked}": {
                f"module {number}": [(size, each.base - base)] for number, (size, each) in enumerate(made.items())
            }
            for asked, made in small.items()
        },
        "clone_ns": {"tiny module": [(1, clone)]},
        "clone_ns_per_byte": {"ordinary": [(0, clone)] + [(size, each.clone or 0) for size, each in ordinary.items()]},
        "first_call_ns": {"two empty callbacks": [(2, configure)]},
        "written_ns_per_byte": {
            f"{pages} pages": [(0, configure), (pages * PAGE_BYTES, each.configure)] for pages, each in written.items()
        },
    }


def of_calls(times: Mapping[int, int], fuel: int) -> Round:
    """What calls of one function say, in ns by their number; ``fuel`` is that of one call."""
    return {f"fuel_ns.call_{call}": {"hash": [(fuel, took)]} for call, took in times.items()}


def of_memory(weights: Mapping[str, Mapping[int, int]], sizes: Mapping[str, int]) -> Round:
    """What resident memory says, in bytes, by what is loaded and the number of workers.

    Beside ``none``, ``touched`` and ``lua`` there are modules, whose bytes are in ``sizes``; ``tiny`` is the smallest.
    ``many tiny`` and ``many`` are :data:`TOGETHER` such as ``tiny`` and ``small``: what a further module takes is what
    V8 keeps of it, and what a first one takes besides has been left by compiling.
    """
    none = weights["none"]
    added = {name: {count: size - none[count] for count, size in each.items()} for name, each in weights.items()}
    tiny = [
        (modules * (count + UNBOUND_VMS), size)
        for modules, name in ((1, "tiny"), (TOGETHER, "many tiny"))
        for count, size in added[name].items()
    ]
    alone = {name: (sizes[name], added[name][FIRST] - added["tiny"][FIRST]) for name in sizes}
    kept = [alone["small"], (TOGETHER * sizes["small"], added["many"][FIRST] - added["many tiny"][FIRST])]
    return {
        "envoy_bytes": {"no filters": [(1, linear_regression(*zip(*none.items(), strict=True)).intercept)]},
        "worker_bytes": {"no filters": list(none.items())},
        "v8_bytes": {"tiny modules": [(1, linear_regression(*zip(*tiny, strict=True)).intercept)]},
        "vm_bytes": {"tiny modules": tiny},
        "module_bytes_per_code_byte": {"ordinary": kept},
        "compile_bytes_per_code_byte": {
            "ordinary": [(size, weight - size * slope(kept)) for size, weight in alone.values()]
        },
        "touched_bytes_per_byte": {
            "all of 16 MiB": [
                (PAGES * PAGE_BYTES * (count + 1), size - added["tiny"][count])
                for count, size in added["touched"].items()
            ]
        },
        "lua_vm_bytes": {"scripts": [(LUA_SCRIPTS * (count + 1), size) for count, size in added["lua"].items()]},
    }


def _rounded(value: float) -> float:
    """Four digits: more than the measurement has."""
    return float(f"{value:.4g}")
