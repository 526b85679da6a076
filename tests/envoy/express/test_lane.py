"""Lanes: when requests take them, when they ride, and when they leave."""

from __future__ import annotations

from typing import Any

import pytest

from meshsim.envoy.answers import Answer, Failure
from meshsim.envoy.express.course import Node, Over, Sent, Shown
from meshsim.envoy.express.lane import Lane
from meshsim.envoy.hops import Hop
from meshsim.envoy.load import Driven
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request
from meshsim.sim import Level
from tests.envoy.conftest import HELLO, MakeEnvoy, cluster, listener, plugin

GET = Request(None, "GET", "/", "example.com")
FORWARD = {"match": {"prefix": "/"}, "route": {"cluster": "back"}}

ADD = """(import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))"""
#: Marks each request.
MARKS = """
  (data (i32.const 0) "x-markyes")
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $add (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 6) (i32.const 3)))
    (i32.const 0))"""
#: Marks each request with another letter.
COUNTS = """
  (data (i32.const 0) "x-mark")
  (global $number (mut i32) (i32.const 0))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.set $number (i32.add (global.get $number) (i32.const 1)))
    (i32.store (i32.const 16) (i32.add (i32.const 0x61616161) (global.get $number)))
    (drop (call $add (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 16) (i32.const 4)))
    (i32.const 0))"""
REPLY = """(import "env" "proxy_send_local_response" (func $reply
    (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))"""
#: Answers every fifth request itself.
REFUSES = """
  (global $number (mut i32) (i32.const 0))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (global.set $number (i32.add (global.get $number) (i32.const 1)))
    (if (i32.eqz (i32.rem_u (global.get $number) (i32.const 5)))
      (then (drop (call $reply (i32.const 403) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                               (i32.const 0) (i32.const 0) (i32.const -1)))))
    (i32.const 0))"""
#: Traps in the ninth request.
TRAPS = """
  (global $number (mut i32) (i32.const 0))
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (global.set $number (i32.add (global.get $number) (i32.const 1)))
    (if (i32.eq (global.get $number) (i32.const 9)) (then unreachable))
    (i32.const 0))"""

GUESTS = {"marks": (MARKS, ADD), "counts": (COUNTS, ADD), "refuses": (REFUSES, REPLY), "traps": (TRAPS, "")}


def drive(envoy: Envoy, count: int = 40, connections: int = 1) -> tuple[Any, ...]:
    """Drive; what came of it."""
    heard: list[Any] = []
    load = envoy.drive(GET, count=count, connections=connections, heard=heard.append)
    return _told(load), heard, list(envoy.recorder.table(Hop)), envoy.stats()


def _told(load: Driven) -> tuple[Any, ...]:
    return load.count, load.errors, load.took_ns, load.latency.total, load.statuses


def lanes(envoy: Envoy) -> list[Lane]:
    """The lanes that there are."""
    assert envoy.express is not None
    return envoy.express.lanes()


def moments(node: Node | None) -> list[type]:
    """What usually happens from a node on."""
    return [] if node is None else [type(node.moment), *moments(node.usual)]


@pytest.mark.parametrize("name", GUESTS)
@pytest.mark.parametrize("policy", ["FAIL_CLOSED", "FAIL_OPEN", "FAIL_RELOAD"])
@pytest.mark.parametrize("connections", [1, 3])
def test_guests_of_every_temper_are_the_same_on_lanes(
    make_envoy: MakeEnvoy, name: str, policy: str, connections: int
) -> None:
    body, imports = GUESTS[name]

    def run(level: Level) -> Any:
        front = listener([plugin(failure_policy=policy)])
        return drive(make_envoy(body, front, imports=imports, level=level), connections=connections)

    assert run(Level.REQUESTS) == run(Level.ABI)


@pytest.mark.parametrize("name", GUESTS)
def test_two_hops_and_two_filters_are_the_same_on_lanes(make_envoy: MakeEnvoy, name: str) -> None:
    body, imports = GUESTS[name]

    def run(level: Level) -> Any:
        front = listener([plugin(name="p"), plugin(name="q")], [FORWARD])
        back = listener([plugin(name="r", vm_id="other")], name="back", port=18001)
        clusters = [cluster("back", 18001)]
        return drive(make_envoy(body, front, back, imports=imports, clusters=clusters, level=level))

    assert run(Level.REQUESTS) == run(Level.ABI)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, body="far"),
        Answer(200, body="later", latency_ms=7),
        Answer(503),
        Answer(failure=Failure.RESET),
        Answer(failure=Failure.CUT, body="half"),
        Answer(failure=Failure.SILENT),
        [Answer(200, body=str(number % 3), latency_ms=number % 4) for number in range(20)],
    ],
    ids=["at once", "later", "an error", "reset", "cut", "silent", "now this, now that"],
)
def test_upstreams_of_every_temper_are_the_same_on_lanes(make_envoy: MakeEnvoy, answer: Any) -> None:
    def run(level: Level) -> Any:
        route = {"match": {"prefix": "/"}, "route": {"cluster": "back", "timeout": "0.5s"}}
        envoy = make_envoy(
            MARKS, listener([plugin()], [route]), imports=ADD, clusters=[cluster("back", 1)], level=level
        )
        envoy.upstream("back", [Answer(200, body="first")] * 6 + (answer if isinstance(answer, list) else [answer] * 9))
        return drive(envoy, 15)

    assert run(Level.REQUESTS) == run(Level.ABI)


def test_a_familiar_request_rides(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy(MARKS, imports=ADD, level=Level.OFF)
    drive(envoy)
    (lane,) = lanes(envoy)
    track = lane.root.track
    assert moments(lane.root) == [Shown, Shown, Shown, Over]
    assert track is not None
    assert track.rides > 30
    assert not track.misses


def test_a_request_upstream_waits_between_two_moments(make_envoy: MakeEnvoy) -> None:
    back = listener(name="back", port=18001)
    front = listener([plugin()], [FORWARD])
    envoy = make_envoy(MARKS, front, back, imports=ADD, clusters=[cluster("back", 18001)], level=Level.OFF)
    drive(envoy)
    ahead, behind = lanes(envoy)
    assert moments(ahead.root)[:2] == [Shown, Sent]
    assert moments(behind.root) == [Over]


@pytest.mark.parametrize(
    "fields",
    [
        {"lb_policy": "LEAST_REQUEST"},
        {"lb_policy": "RANDOM"},
        {"http2_protocol_options": {}},
        {"circuit_breakers": {"thresholds": [{"max_requests": 1}]}},
        {"outlier_detection": {}},
    ],
    ids=["LEAST_REQUEST", "RANDOM", "HTTP/2", "breakers", "outliers"],
)
def test_clusters_of_every_kind_are_reached_on_lanes(make_envoy: MakeEnvoy, fields: dict[str, Any]) -> None:
    """Chance and other requests decide where a request goes, or whether; its course stays known."""

    def run(level: Level) -> tuple[Envoy, Any]:
        back, front = listener(name="back", port=18001), listener([plugin()], [FORWARD])
        envoy = make_envoy(MARKS, front, back, imports=ADD, clusters=[cluster("back", 18001, **fields)], level=level)
        return envoy, drive(envoy, 60, connections=2)

    fast, told = run(Level.REQUESTS)
    assert told == run(Level.ABI)[1]
    ahead = lanes(fast)[0]
    assert ahead.served > 40


def test_doings_that_are_never_the_same_are_left_to_the_stream_model(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy(COUNTS, imports=ADD, level=Level.OFF)
    drive(envoy, 200)
    (lane,) = lanes(envoy)
    assert not lane.open
    assert lane.served < 100


def test_a_tree_that_has_grown_too_large_is_forgotten(make_envoy: MakeEnvoy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshsim.envoy.express.lane._NODES", 6)

    def run(level: Level) -> Any:
        route = {"match": {"prefix": "/"}, "route": {"cluster": "back"}}
        envoy = make_envoy(
            MARKS, listener([plugin()], [route]), imports=ADD, clusters=[cluster("back", 1)], level=level
        )
        envoy.upstream("back", [Answer(200, body=str(number % 5)) for number in range(40)])
        return drive(envoy, 40)

    assert run(Level.REQUESTS) == run(Level.ABI)


def test_every_call_is_an_event_at_level_abi(make_envoy: MakeEnvoy) -> None:
    assert make_envoy(MARKS, imports=ADD, level=Level.ABI).express is None


@pytest.mark.parametrize(
    "manager",
    [
        {"tracing": {}},
        {"always_set_request_id_in_response": True},
        {"common_http_protocol_options": {"max_requests_per_connection": 5}},
    ],
)
def test_what_depends_on_more_than_the_request_has_no_lane(make_envoy: MakeEnvoy, manager: dict[str, Any]) -> None:
    envoy = make_envoy(MARKS, listener([plugin()], [HELLO], manager=manager), imports=ADD, level=Level.OFF)
    drive(envoy)
    assert not lanes(envoy)


def test_statistics_do_not_wait(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy(MARKS, imports=ADD, level=Level.OFF)
    drive(envoy, 20)
    assert envoy.stats()["http.front.downstream_rq_total"] == 20
    drive(envoy, 5)
    assert envoy.stats()["http.front.downstream_rq_2xx"] == 25
