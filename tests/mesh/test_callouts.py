"""Requests that filters send themselves: a row each, on the account of the request that the filter works on."""

from __future__ import annotations

from typing import Any

import pytest

from meshsim.mesh import Call, Constant, Mesh, OpenLoop, Result, Service, Topology
from meshsim.mesh.find import words
from meshsim.mesh.scenario_loader import load_scenario
from meshsim.sim import Level

MS = 1_000_000
SHORT = [("duration", "1s"), ("warmup", "0s")]


@pytest.fixture(scope="module")
def asked() -> Result:
    """A filter of the shop's asks ``auth`` about each request, and holds the request meanwhile."""
    return load_scenario("slow-callout", SHORT).run()


def test_a_callout_is_a_row_of_its_request(asked: Result) -> None:
    callouts = asked.find("callout")
    assert len(callouts) == len(asked.requests) > 50
    parents = {(row.request, row.hop): row for row in asked.rows}
    for row in callouts:
        parent = parents[row.request, row.parent]
        assert (row.filter, row.source, row.service, row.pod, row.status) == ("ask", "shop", "auth", "auth-0", 200)
        assert (parent.service, parent.filter) == ("shop", "")
        assert parent.start_ns < row.start_ns < row.end_ns < parent.end_ns


def test_the_find_box_knows_callouts(asked: Result) -> None:
    assert "callout" in words()
    assert len(asked.find('filter == "ask"')) == len(asked.find("callout"))
    slow = asked.find("callout and rt > 20")
    assert 0 < len(slow) < len(asked.find("callout"))
    assert len(asked.find("not callout")) == 3 * len(asked.requests)


def test_a_callout_s_parts_are_all_of_it(asked: Result) -> None:
    for row in asked.find("callout"):
        assert row.end_ns - row.start_ns == row.proxy_ns + row.queue_ns + row.app_ns + row.network_ns


def test_a_request_that_is_held_is_not_worked_on(asked: Result) -> None:
    """What the shop's proxy works is microseconds, however long it waits for ``auth``."""
    assert max(row.end_ns - row.start_ns for row in asked.find("callout")) > 20 * MS
    assert all(0 < row.proxy_ns < MS for row in asked.find('service == "shop"'))


def test_who_is_asked_has_a_rate(asked: Result) -> None:
    auth = asked.service("auth")
    assert auth.rate == pytest.approx(asked.service("shop").rate)
    assert asked.counters["auth"]["requests"] == len(auth.rows)


@pytest.mark.parametrize("level", [Level.ABI, Level.OFF])
def test_every_level_keeps_the_same(asked: Result, level: Level) -> None:
    other = load_scenario("slow-callout", SHORT).run(level=level)
    assert other.counters == asked.counters
    assert other.stats == asked.stats
    assert other.usage == asked.usage
    if level is Level.ABI:
        assert other.digest() == asked.digest()


def test_a_callout_that_takes_too_long_says_so() -> None:
    result = load_scenario("slow-callout", [*SHORT, ("services.auth.service_time", "900ms")]).run()
    assert {(row.status, row.flags) for row in result.find("callout")} == {(504, "UT")}
    assert {row.status for row in result.requests} == {403}


# -- callouts of scripts, which need not wait for the answer ---


def lua(*, waits: bool) -> dict[str, Any]:
    """A Lua filter that sends ``side`` a request."""
    headers = '{[":method"]="GET", [":path"]="/", [":authority"]="side"}'
    at_once = "false" if waits else "true"
    code = f'function envoy_on_request(handle) handle:httpCall("side", {headers}, "", 5000, {at_once}) end'
    kind = "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"
    return {"name": "tell", "typed_config": {"@type": kind, "default_source_code": {"inline_string": code}}}


def told(*, waits: bool) -> Result:
    """``shop`` has that filter; ``side`` takes 5 ms, and asks ``deep``."""
    services = [
        Service(
            "shop",
            service_time=Constant(MS),
            script=(Call("side", probability=0),),
            http_filters=(lua(waits=waits),),
            is_entry=True,
        ),
        Service("side", service_time=Constant(5 * MS), script=(Call("deep"),)),
        Service("deep"),
    ]
    return Mesh(Topology(services)).run(OpenLoop(100, "constant"), seconds=0.2, seed=1)


def test_what_a_callout_causes_belongs_to_the_request() -> None:
    result = told(waits=True)
    rows = {(row.request, row.hop): row for row in result.rows}
    deep = result.find('service == "deep"')
    assert len(deep) == len(result.requests) == len(result.find("callout"))
    for row in deep:
        callout = rows[row.request, row.parent]
        assert (callout.filter, callout.service) == ("tell", "side")
        assert rows[row.request, callout.parent].service == "shop"


def test_nobody_waits_for_a_callout_that_is_only_sent() -> None:
    waits, goes_on = told(waits=True), told(waits=False)
    assert waits.latency.p50 - goes_on.latency.p50 > 4 * MS
    rows = {(row.request, row.hop): row for row in goes_on.rows}
    callouts = goes_on.find("callout and request < 15")
    assert len(callouts) == 15
    assert all(row.end_ns > rows[row.request, row.parent].end_ns for row in callouts)
    for result in (waits, goes_on):
        assert all(0 < row.proxy_ns < MS for row in result.find('service == "shop"'))
