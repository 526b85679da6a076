from __future__ import annotations

import pytest

from meshsim.envoy.answers import Answer, Failure, UpstreamRequest
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request
from meshsim.errors import ConfigError
from tests.envoy.conftest import MakeEnvoy, cluster, listener

ROUTE = {"match": {"prefix": "/"}, "route": {"cluster": "up"}}
HTTP2 = {"http2_protocol_options": {}}


@pytest.fixture
def envoy(make_envoy: MakeEnvoy) -> Envoy:
    """An Envoy that routes everything to the cluster ``up``, at an endpoint where nothing listens."""
    return make_envoy("", listener(routes=[ROUTE]), clusters=[cluster("up", 19001)])


@pytest.fixture(params=[{}, HTTP2], ids=["HTTP/1.1", "HTTP/2"])
def any_envoy(request: pytest.FixtureRequest, make_envoy: MakeEnvoy) -> Envoy:
    """The same, for clusters of each protocol."""
    return make_envoy("", listener(routes=[ROUTE]), clusters=[cluster("up", 19001, **request.param)])


def test_without_it_connections_are_refused(envoy: Envoy) -> None:
    assert envoy.get("/").status == 503


def test_a_name_that_nobody_knows_is_known_once_it_is_scripted(make_envoy: MakeEnvoy) -> None:
    named = cluster("up", 80, type="STRICT_DNS")
    named["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]["socket_address"]["address"] = (
        "up.invalid"
    )
    envoy = make_envoy("", listener(routes=[ROUTE]), clusters=[named])
    assert envoy.get("/").body == "no healthy upstream"
    envoy.upstream("up")
    assert envoy.get("/").status == 200


def test_an_answer(any_envoy: Envoy) -> None:
    any_envoy.upstream("up", Answer(201, {"x-a": "1"}, "made", latency_ms=3))
    start_ns = any_envoy.kernel.now_ns
    reply = any_envoy.get("/x", headers={"x-b": "2"})
    assert (reply.status, reply.body, dict(reply.headers)["x-a"]) == (201, "made", "1")
    assert dict(reply.headers)["x-envoy-upstream-service-time"] == "3"
    assert 3_000_000 < any_envoy.kernel.now_ns - start_ns < 4_000_000
    (request,) = any_envoy.upstream("up").requests
    assert [request.header(name) for name in (":method", ":path", "X-B", "none")] == ["GET", "/x", "2", None]
    assert request.complete


@pytest.mark.parametrize(("status", "method"), [(200, "HEAD"), (204, "GET"), (304, "GET"), (200, "GET")])
def test_answers_without_a_body(any_envoy: Envoy, status: int, method: str) -> None:
    any_envoy.upstream("up", Answer(status))
    replies = [any_envoy.send(Request(method=method)) for _ in range(2)]
    assert [(reply.status, reply.body, reply.error) for reply in replies] == [(status, "", None)] * 2


def test_head_is_told_of_a_body_that_it_does_not_get(any_envoy: Envoy) -> None:
    any_envoy.upstream("up", Answer(body="long", headers={"content-length": "4"}))
    reply = any_envoy.send(Request(method="HEAD"))
    assert (reply.body, dict(reply.headers)["content-length"], reply.error) == ("", "4", None)


def test_a_body_in_pieces_is_received_whole(any_envoy: Envoy) -> None:
    any_envoy.upstream("up")
    assert any_envoy.send(Request(method="POST", chunks=("a", "b"))).status == 200
    assert any_envoy.upstream("up").requests[0].body == "ab"


def test_one_connection_serves_one_request_after_the_other(any_envoy: Envoy) -> None:
    upstream = any_envoy.upstream("up", Answer(body=b"\xff\x00"))
    assert [any_envoy.get(path).body for path in ("/1", "/2")] == ["\udcff\x00"] * 2
    assert [request.header(":path") for request in upstream.requests] == ["/1", "/2"]


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        ("refused", (503, "reset reason: remote connection failure")),
        ("reset", (503, "reset reason: connection termination")),
        ("cut", (200, "ha")),
    ],
)
def test_failures(envoy: Envoy, failure: str, said: tuple[int, str]) -> None:
    envoy.upstream("up", [Answer(), Answer(body="half", failure=failure), Answer(202)])
    replies = [envoy.get("/") for _ in range(3)]
    assert [reply.status for reply in replies] == [200, said[0], 202]
    assert replies[1].body.endswith(said[1])
    assert (replies[1].error is not None) is (failure == "cut")


def test_a_reset_stream_of_http_2(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy("", listener(routes=[ROUTE]), clusters=[cluster("up", 19001, **HTTP2)])
    envoy.upstream("up", Answer(failure=Failure.RESET))
    assert envoy.get("/").body.endswith("reset reason: remote reset")


def test_an_upstream_that_never_answers(make_envoy: MakeEnvoy) -> None:
    route = {"match": {"prefix": "/"}, "route": {"cluster": "up", "timeout": "0.2s"}}
    envoy = make_envoy("", listener(routes=[route]), clusters=[cluster("up", 19001)])
    envoy.upstream("up", Answer(failure="silent"))
    assert (envoy.get("/").status, envoy.stats()["cluster.up.upstream_rq_timeout"]) == (504, 1)


def test_a_function_answers_by_the_request(envoy: Envoy) -> None:
    def echo(request: UpstreamRequest) -> Answer:
        return Answer(body=f"{request.header(':path')} {request.body}")

    envoy.upstream("up", echo)
    assert envoy.send(Request(method="POST", path="/p", body="b")).body == "/p b"


def test_an_early_answer_does_not_wait_for_the_body(envoy: Envoy) -> None:
    envoy.upstream("up", Answer(413), early=True)
    assert envoy.send(Request(method="POST", chunks=("a", "b"))).status == 413
    assert not envoy.upstream("up").requests[0].complete


def test_a_new_script_replaces_the_old_one(envoy: Envoy) -> None:
    envoy.upstream("up", Answer(500))
    envoy.upstream("up", Answer(200))
    assert envoy.get("/").status == 200
    envoy.upstream("up", Answer(failure="refused"))
    assert envoy.get("/").status == 503


def test_a_listener_stays_one(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy("", listener(routes=[ROUTE]), listener(name="back", port=19001), clusters=[cluster("up", 19001)])
    with pytest.raises(ConfigError, match="no free endpoint in cluster 'up'"):
        envoy.upstream("up")


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (lambda envoy: envoy.upstream("down"), "no cluster 'down'"),
        (lambda envoy: envoy.upstream("up", []), "a script without answers"),
        (lambda envoy: envoy.upstream("up", Answer(failure="late")), "no such failure: 'late'"),
    ],
)
def test_what_makes_no_sense(envoy: Envoy, use: object, words: str) -> None:
    assert callable(use)
    with pytest.raises(ConfigError, match=words):
        use(envoy)
