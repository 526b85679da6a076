"""Lua scripts that do known things a known number of times, for measuring what Envoy's Lua filter costs."""

from __future__ import annotations

from collections.abc import Mapping

#: Calls of Envoy's Lua API, by kind; ``get`` asks for a header that is not there, ``log`` is below Envoy's level.
LUA_CALLS = {
    "headers_add": 'headers:add("x-cost", "wasm")',
    "headers_get": 'headers:get("x-cost")',
    "headers_found": 'headers:get(":path")',
    "headers_replace": 'headers:replace("x-cost", "wasm")',
    "log": 'handle:logTrace("x-cost")',
}
#: A round of code: a hash.
LUA_STEP = "hash = (hash * 33 + n) % 16777216"


def script(calls: Mapping[str, int] | None = None, steps: int = 0, response: bool = False) -> str:
    """A script that makes these calls for each request, and runs a loop of so many steps; one more for ``response``.

    Examples
    --------
    >>> script({"log": 2})
    'function envoy_on_request(handle) for n = 1, 2 do handle:logTrace("x-cost") end end'
    """
    calls = calls or {}
    parts = ["local headers = handle:headers()"] if any(name.startswith("headers") for name in calls) else []
    parts += [f"for n = 1, {times} do {LUA_CALLS[name]} end" for name, times in calls.items()]
    if steps:
        parts.append(f"local hash = 0 for n = 1, {steps} do {LUA_STEP} end seen = hash")
    on_response = " function envoy_on_response(handle) end" if response else ""
    return f"function envoy_on_request(handle) {' '.join(parts)} end{on_response}"
