"""Where the CPU time of one request goes, by part, for filters in Wasm, in Lua and built in.

This is for looking at: it takes each host function by its own cost, and knows how costs change with the number of
connections. What the simulator charges while it runs is :class:`~meshsim.cost.model.CostModel`, which is simpler, so
that its host functions in Python and those in Wasm come to the same nanosecond.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from meshsim.cost.curves import between
from meshsim.cost.estimate import Estimate, total
from meshsim.cost.profile import Profile, default_profile

#: Connections that filters were measured with.
CONNECTIONS = 64
_PREFIX = "proxy_"
_CLOCK = "get_current_time_nanoseconds"
PLAIN = "plain request"
#: Calls of Envoy's Lua API that begin with this go through the headers' object, which the first of them makes.
LUA_HEADERS = "headers_"


@dataclass(frozen=True, slots=True)
class Work:
    """What filters do for one request.

    Attributes
    ----------
    filters, callbacks : int
        Wasm filters, and calls into their modules (the allocator's belong to the host calls that need it).
    host_calls : mapping of str to int
        Calls of each host function, ``proxy_log`` or ``log``.
    copied_bytes : int
        Bytes that these copy between host and guest.
    fuel : int
        What the guests' own code burns.
    native_filters, native_changes : int
        Built-in filters that change headers, and the headers that they change.
    lua_filters, lua_responses : int
        Lua filters that have ``envoy_on_request``, and such that have ``envoy_on_response``.
    lua_calls : mapping of str to int
        Calls of each function of Envoy's Lua API: ``headers_get``, ``log``...
    lua_steps : int
        Rounds of simple loops.
    """

    filters: int = 0
    callbacks: int = 0
    host_calls: Mapping[str, int] = field(default_factory=dict)
    copied_bytes: int = 0
    fuel: int = 0
    native_filters: int = 0
    native_changes: int = 0
    lua_filters: int = 0
    lua_responses: int = 0
    lua_calls: Mapping[str, int] = field(default_factory=dict)
    lua_steps: int = 0


def request_parts(work: Work, connections: float = CONNECTIONS, profile: Profile | None = None) -> dict[str, Estimate]:
    """Estimate the CPU time of a request, in ns, by part.

    Parameters
    ----------
    work : Work
        What its filters do.
    connections : float
        How many keep-alive connections send requests as fast as they are answered. With few, Envoy wakes up for each
        request, finds its caches cold, and everything takes longer.
    profile : Profile, optional
        Another than the one that ships.

    Examples
    --------
    >>> parts = request_parts(Work(filters=1, callbacks=3, host_calls={"proxy_log": 2}, fuel=500))
    >>> list(parts)
    ['plain request', 'Wasm filters', 'callbacks', 'host calls', 'copying', 'guest code', 'native filters', 'Lua']
    >>> parts["host calls"].value < parts["plain request"].value
    True
    """
    profile = profile or default_profile()
    cost = profile.estimate
    scale = between(profile, "filter_scale.", connections)
    changes = max(0, work.native_changes - work.native_filters)
    lua = work.lua_filters * cost("lua_filter_ns") + work.lua_responses * cost("lua_response_ns")
    lua += total(times * _kind(profile, "lua_call_ns", name) for name, times in work.lua_calls.items())
    lua += any(times for name, times in work.lua_calls.items() if name.startswith(LUA_HEADERS)) * cost("lua_headers_ns")
    return {
        PLAIN: between(profile, "request_ns.", connections),
        "Wasm filters": _filters(work, profile).by(scale),
        "callbacks": (work.callbacks * cost("callback_ns")).by(scale),
        "host calls": _host_calls(work, profile).by(scale),
        "copying": work.copied_bytes * cost("copy_ns_per_byte"),
        "guest code": work.fuel * cost("fuel_ns"),
        "native filters": (work.native_filters * cost("native_filter_ns") + changes * cost("native_change_ns")).by(
            scale
        ),
        "Lua": lua.by(scale) + work.lua_steps * cost("lua_step_ns"),
    }


def increment(work: Work, connections: float = CONNECTIONS, profile: Profile | None = None) -> Estimate:
    """Estimate what the filters add to a plain request, in ns.

    >>> increment(Work())
    Estimate(value=0.0, low=0.0, high=0.0)
    """
    parts = request_parts(work, connections, profile)
    return total(each for name, each in parts.items() if name != PLAIN)


def host_call(profile: Profile, function: str) -> Estimate:
    """Estimate a call of a host function, in ns, not a request's first; for an unknown one the mean of the usual."""
    name = function.removeprefix(_PREFIX)
    return profile.estimate("clock_read_ns") if name == _CLOCK else _kind(profile, "host_call_ns", name)


def _filters(work: Work, profile: Profile) -> Estimate:
    first, further = profile.estimate("filter_ns.first"), profile.estimate("filter_ns.further")
    return min(work.filters, 1) * first + max(work.filters - 1, 0) * further


def _host_calls(work: Work, profile: Profile) -> Estimate:
    calls = total(times * host_call(profile, name) for name, times in work.host_calls.items())
    return calls + bool(sum(work.host_calls.values())) * profile.estimate("host_call_ns.first")


def _kind(profile: Profile, name: str, kind: str) -> Estimate:
    own = f"{name}.{kind}"
    return profile.estimate(own if own in profile.coefficients else name)
