"""Lesson 09: what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.abi.events import Direction
from meshsim.cost import Profile, default_profile
from meshsim.envoy.requests import Request
from meshsim.lab.lessons.answers import as_module
from meshsim.lab.lessons.plan import Exercise, Parameter, Plan, Wrong
from meshsim.lab.lessons.runs import names, started
from meshsim.sim import Level

if TYPE_CHECKING:
    from meshsim.envoy.proxy import Envoy
    from meshsim.lab.lessons.lesson import Lesson
    from meshsim.lab.wat import WatModule

#: What is sent.
REQUEST = Request(None, "GET", "/", "example.com")

#: Connections that drive each worker.
CONNECTIONS = 16
#: Requests that each worker is sent: enough for a steady figure.
REQUESTS = 200

#: What the filter of the challenge may ask of the host for a request.
THRIFTY_CALLS = 2


def with_calls(at: Lesson, calls: int, workers: int = 1, level: Level = Level.ABI) -> Envoy:
    """Start the lesson's Envoy with a filter that makes so many host calls for each request."""
    text = at.bootstrap.read_text(encoding="utf-8").replace('value: "10"', f'value: "{calls}"')
    return started(at, text, workers=workers, level=level)


def _alone_ns(envoy: Envoy) -> int:
    """How long one request takes that has the Envoy to itself."""
    return envoy.drive(REQUEST, count=1, connections=1).took_ns


def _vm_bytes(at: Lesson, workers: int) -> int:
    """What all VMs take, compiled code included."""
    return sum(vm.v8_bytes + vm.linear_bytes for vm in at.envoy(concurrency=workers).memory())


def _clone_bytes(at: Lesson) -> int:
    """What one clone takes."""
    return next(vm.v8_bytes + vm.linear_bytes for vm in at.envoy(concurrency=1).memory() if vm.kind == "local")


def _memory(at: Lesson) -> int:
    return _vm_bytes(at, at.workers)


def _longer(at: Lesson) -> int:
    """How much longer a request takes with the host calls than without."""
    return _alone_ns(with_calls(at, at.calls)) - _alone_ns(with_calls(at, 0))


def _per_second(at: Lesson) -> float:
    return _driven(at, at.workers)


def _driven(at: Lesson, workers: int) -> float:
    """Requests a second, of virtual time, with every worker busy."""
    envoy = with_calls(at, at.calls, workers, Level.OFF)
    return envoy.drive(REQUEST, count=REQUESTS * workers, connections=CONNECTIONS * workers).per_second


def _as_much_as_a_request(at: Lesson) -> int:
    """How many host calls take as long as a request without Wasm."""
    profile = default_profile()
    return round(profile["request_ns"] / profile["host_call_ns"])


def side_by_side(profile: Profile) -> dict[str, float]:
    """Return what adding one header costs in each way, cheapest first: ns of CPU time over no filter."""
    costs = {engine: profile[f"task_ns.add_header.{engine}"] for engine in ("native", "lua", "wasm")}
    return dict(sorted(costs.items(), key=lambda item: item[1]))


def _cheapest_first(at: Lesson) -> tuple[str, ...]:
    return tuple(side_by_side(default_profile()))


def _thrifty(at: Lesson, module: WatModule) -> str | None:
    """Whether a filter does what the wasteful one does, with fewer crossings."""
    path = str(as_module(module).path)
    envoy = started(at, at.bootstrap.read_text(encoding="utf-8").replace("crossings.wasm", path), workers=1)
    most = 0
    for plan, tier in (("gold", "gold"), ("free", "basic"), (None, "basic")):
        before = len(envoy.abi_trace())
        headers = {"x-plan": plan} if plan else {}
        seen = dict(envoy.get("/", headers=headers).headers).get("x-seen-tier", "nothing")
        if seen != tier:
            return f"with {headers or 'no x-plan'} the tier should be {tier}, and is {seen}."
        most = max(most, len(names(envoy.abi_trace()[before:], Direction.VM_CALLS_HOST)))
    if most > THRIFTY_CALLS:
        return f"it does the right thing, with {most} host calls for a request; {THRIFTY_CALLS} are enough."
    return None


PLAN = Plan(
    number="09",
    title="What it costs: memory, CPU, workers, crossings",
    minutes=20,
    parameters=(
        Parameter("workers", 4, range(2, 9), "worker threads"),
        Parameter("calls", 10, (5, 10, 20, 50, 100), "host calls for each request"),
    ),
    variants=({"workers": 2, "calls": 50}, {"workers": 8, "calls": 20}),
    exercises=(
        Exercise(
            "09.1",
            "How many bytes do the VMs take?",
            truth=_memory,
            unit="bytes",
            tolerance=0.02,
            wrong=(
                Wrong(
                    lambda at: _vm_bytes(at, 1) * at.workers,
                    "that is {workers} times all of it. The base VM and the main thread's clone do not become more.",
                ),
                Wrong(
                    lambda at: _clone_bytes(at) * at.workers,
                    "that is the workers' VMs. The main thread has one, and the base VM stays too.",
                ),
                Wrong(
                    lambda at: _clone_bytes(at) * (at.workers + 1),
                    "one is missing: the base VM stays as well, and it is the one that holds the compiled code.",
                ),
                Wrong(lambda at: _vm_bytes(at, 1), "that is with one worker: each further one brings a VM."),
            ),
            hint="Take the sum for one worker. Each further worker brings a row like worker_0's.",
            solution="the sum for one worker + ({workers} - 1) x what worker_0's VM takes",
        ),
        Exercise(
            "09.2",
            "How much longer does a request take with the host calls?",
            truth=_longer,
            unit="ns",
            tolerance=0.12,
            wrong=(
                Wrong(
                    lambda at: _alone_ns(with_calls(at, at.calls)),
                    "that is the whole request. How much of it is due to the host calls?",
                ),
                Wrong(
                    lambda at: 2 * _longer(at),
                    "a host call is there and back, and the profile's number is for both.",
                ),
                Wrong(
                    lambda at: round(default_profile()["host_call_ns"]),
                    "that is one host call. This filter makes {calls}.",
                ),
            ),
            hint="host_call_ns is what one host call takes, there and back.",
            solution="{calls} x host_call_ns; the instructions around the calls take hardly anything.",
        ),
        Exercise(
            "09.3",
            "How many host calls take as long as a request without Wasm?",
            truth=_as_much_as_a_request,
            tolerance=0.06,
            wrong=(
                Wrong(lambda at: 1, "one host call is far cheaper than a whole request: compare the two lines."),
                Wrong(
                    lambda at: round(default_profile()["request_ns"]),
                    "that is the request, in ns. How many host calls fit into it?",
                ),
            ),
            hint="Divide one line by the other.",
            solution="request_ns / host_call_ns",
        ),
        Exercise(
            "09.4",
            "How many requests a second do the workers serve together?",
            truth=_per_second,
            unit="count",
            tolerance=0.1,
            wrong=(
                Wrong(
                    lambda at: _driven(at, 1),
                    "that is one worker's. Each worker is a thread of its own, and nobody waits for a lock.",
                ),
                Wrong(
                    lambda at: _driven(at, 1) * (at.workers + 1),
                    "the main thread serves no requests.",
                ),
            ),
            hint="Workers share nothing that they would have to wait for.",
            solution="{workers} times what one worker serves.",
        ),
        Exercise(
            "09.5",
            "native, lua, wasm: cheapest first.",
            truth=_cheapest_first,
            wrong=(
                Wrong(
                    lambda at: ("wasm", "lua", "native"),
                    "native code crosses no border, and starts no stream context: look for the smallest number.",
                ),
                Wrong(
                    lambda at: ("wasm", "native", "lua"),
                    "cheaper than the script, yes; but cheaper than no border at all?",
                ),
                Wrong(
                    lambda at: ("native", "lua", "wasm"),
                    "native code is first, and the other two are close: look at their numbers, and at their ranges.",
                ),
                Wrong(
                    lambda at: ("lua", "native", "wasm"),
                    "a script is called over a border too, and it has to be interpreted, or compiled while it runs.",
                ),
            ),
            hint="Run the next cell: it prints what was measured.",
            solution="the engines of the next cell, by their ns",
        ),
        Exercise(
            "09.6",
            "The same filter, with at most two host calls for a request.",
            test=_thrifty,
            hint="One proxy_get_header_map_value gives status, address and length at once. Logging is a crossing "
            "too, even below the log level.",
            solution="(if (i32.eqz (call $get_header\n"
            "      (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 256) (i32.const 260)))\n"
            "  (then (local.set $gold (i32.eq (i32.load8_u (i32.load (i32.const 256))) (i32.const 103)))))",
        ),
    ),
)
