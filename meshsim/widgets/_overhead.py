"""What Wasm filters cost, by part: the estimates of :mod:`meshsim.cost`, named and coloured for bars.

Nothing is simulated here, so that the answer is exact at once. Where a profile has not measured all that CPU time is
estimated from, it is what the simulator charges, by fewer coefficients; where it lacks those too, there is no bar. What
is lacking is said: no number is made up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from meshsim.cost import Estimate, Module, Profile, Work, memory_parts, request_parts, total
from meshsim.cost.profile import MissingCoefficient
from meshsim.figures.provenance import Origin

NOTHING = Estimate(0.0, 0.0, 0.0)
#: The engines that a task can be written for, and the tasks that a profile may have measured.
ENGINES = ("native", "lua", "wasm")
TASKS = {
    "add_header": "add a header",
    "check_token": "check a token",
    "count_metric": "count in a metric",
    "rewrite_body": "rewrite the body",
}
_MEMORY = {
    "Envoy": ("Envoy itself", "purple"),
    "workers": ("worker threads", "grey"),
    "V8": ("V8, once a process", "sky"),
    "VMs": ("a VM for each thread and filter", "blue"),
    "module code": ("compiled code, once a process", "vermillion"),
    "compiling": ("what compiling the largest module left free", "orange"),
    "linear memory": ("linear memory that guests have written", "green"),
}
_CPU = {
    "plain request": ("Envoy's own work", "grey"),
    "Wasm filters": ("a stream context each", "sky"),
    "callbacks": ("callbacks: into the module and back", "blue"),
    "host calls": ("host calls: out of the module and back", "vermillion"),
    "copying": ("bytes copied over the border", "orange"),
    "guest code": ("the module's own code", "green"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a cost, with its range; ``colour`` is a name of the palette."""

    name: str
    cost: Estimate
    colour: str
    origin: Origin = Origin.PROFILE


@dataclass(frozen=True, slots=True)
class Share:
    """What one filter does for one request, counted in a simulated run.

    Attributes
    ----------
    callbacks : int
        Entries into the module, from the stream context's creation to its deletion.
    host_calls : mapping of str to int
        By name, without ``proxy_``.
    copied_bytes : int
        Between host and module, both ways.
    fuel : int
        What the guest's code burns.
    code_bytes, touched_bytes : int
        Of the module; and of its linear memory, what has been written beyond the first two pages.
    """

    callbacks: int
    host_calls: Mapping[str, int]
    copied_bytes: int
    fuel: int
    code_bytes: int
    touched_bytes: int

    def of(self, filters: int) -> Work:
        """Return the work of so many filters."""
        return Work(
            filters,
            filters * self.callbacks,
            {name: filters * times for name, times in self.host_calls.items()},
            filters * self.copied_bytes,
            filters * self.fuel,
        )


@dataclass(frozen=True, slots=True)
class Setup:
    """What is weighed: an Envoy with so many workers, and so many filters in its chain.

    ``code_bytes`` stands for the module's own size where it is not 0; ``own_vms`` gives each filter a VM of its own.
    """

    workers: int
    plugins: int
    connections: int
    code_bytes: int = 0
    own_vms: bool = True

    @property
    def keys(self) -> int:
        """How many VM keys there are."""
        return self.plugins if self.own_vms else min(1, self.plugins)

    @property
    def vms(self) -> int:
        """How many VMs there are: for each key a base, one for the main thread, one for each worker."""
        return self.keys * (self.workers + 2)


@dataclass(frozen=True, slots=True)
class Bar:
    """Parts, and what the profile lacks to have them all, or exactly."""

    parts: tuple[Part, ...]
    lacks: str = ""

    @property
    def total(self) -> Estimate:
        """All parts together."""
        return total(part.cost for part in self.parts)


def memory_bar(profile: Profile, setup: Setup, share: Share) -> Bar:
    """Return the resident memory of the process by part, in bytes.

    Examples
    --------
    >>> from meshsim.cost import default_profile
    >>> bar = memory_bar(default_profile(), Setup(4, 1, 8), Share(5, {}, 0, 0, 5_000, 0))
    >>> vms = next(part for part in bar.parts if part.colour == "blue")
    >>> vms.cost.value == 6 * default_profile()["vm_bytes"]
    True
    """
    code = setup.code_bytes or share.code_bytes
    modules = [Module(code, share.touched_bytes, setup.keys)] if setup.keys else []
    return _bar(_MEMORY, lambda: memory_parts(modules, setup.workers, profile))


def cpu_bar(profile: Profile, setup: Setup, share: Share) -> Bar:
    """Return the CPU time of one request by part, in ns: Envoy's own, and what the filters add.

    Examples
    --------
    >>> from meshsim.cost import default_profile
    >>> share = Share(5, {"log": 2}, 40, 300, 5_000, 0)
    >>> [part.name for part in cpu_bar(default_profile(), Setup(4, 0, 8), share).parts]
    ["Envoy's own work"]
    """
    work = share.of(setup.plugins)
    bar = _bar(_CPU, lambda: request_parts(work, setup.connections, profile))
    return bar if bar.parts else replace(_bar(_CPU, lambda: _charged(work, profile)), lacks=bar.lacks)


def _charged(work: Work, profile: Profile) -> Mapping[str, Estimate]:
    """Return the parts as the simulator charges them: by fewer coefficients, which every profile has."""
    cost = profile.estimate
    return {
        "plain request": cost("request_ns"),
        "Wasm filters": work.filters * cost("filter_ns"),
        "callbacks": work.callbacks * cost("callback_ns"),
        "host calls": sum(work.host_calls.values()) * cost("host_call_ns"),
        "guest code": work.fuel * cost("fuel_ns"),
    }


def lua_bytes(profile: Profile, setup: Setup) -> Estimate | None:
    """Return the memory of as many Lua filters, one on each worker and the main thread; None where not measured."""
    if "lua_vm_bytes" not in profile.coefficients:
        return None
    return setup.plugins * (setup.workers + 1) * profile.estimate("lua_vm_bytes")


def _bar(names: Mapping[str, tuple[str, str]], parts: Callable[[], Mapping[str, Estimate]]) -> Bar:
    """Make a bar of the parts that are there; one that was measured as less than nothing is noise, and is left out."""
    try:
        found = parts()
    except MissingCoefficient as missing:
        return Bar((), missing.name.rstrip("."))
    return Bar(
        tuple(
            Part(name, Estimate(cost.value, max(0.0, cost.low), cost.high), colour)
            for key, (name, colour) in names.items()
            if (cost := found.get(key, NOTHING)).value > 0
        )
    )


@dataclass(frozen=True, slots=True)
class Side:
    """One bar of the comparison: a task in an engine, and the ns of CPU that it adds to a request."""

    task: str
    engine: str
    cost: Estimate
    how: str


def side_by_side(profile: Profile) -> tuple[Side, ...]:
    """Return the same tasks as native filter, in Lua and in Wasm; those alone that the profile has measured.

    Examples
    --------
    >>> from meshsim.cost import default_profile
    >>> all(side.engine in ENGINES for side in side_by_side(default_profile()))
    True
    """
    return tuple(
        Side(task, engine, profile.estimate(name), profile.coefficients[name].how)
        for task in TASKS
        for engine in ENGINES
        if (name := f"task_ns.{task}.{engine}") in profile.coefficients
    )
