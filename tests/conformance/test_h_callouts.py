"""Rows H: HTTP and gRPC callouts."""

from __future__ import annotations

import pytest

from meshsim.testing import Answer, Reply
from tests.conformance.conftest import Run, Script, answers_of, callbacks_of, calls, lines_of, texts, truth
from tests.conformance.guests import OUT

_HEADERS = ":method|POST|:path|/|:authority|foo"
_ON = ";hr effective|2;hr continue|0"
_GO = ";gr effective|2;gr continue|0;gc effective|2;gc continue|0"
_BLOCK = bytes.fromhex("03000000 07000000 03000000 05000000 01000000 0a000000 03000000") + (
    b":method\0GET\0:path\0/\0:authority\0foo\0"
)
_WITHOUT_PATH = bytes.fromhex("02000000 07000000 03000000 0a000000 03000000") + b":method\0GET\0:authority\0foo\0"


def _answered(reply: Reply) -> list[str]:
    """The callback's arguments behind the context, as the trace has them."""
    return [line.partition("(")[2].rstrip(")") for line in calls_of(reply, "proxy_on_http_call_response")]


def calls_of(reply: Reply, callback: str) -> list[str]:
    return [line for line in reply.trace.splitlines() if line.startswith(f"[host->vm] {callback}(")]


def test_h86_a_callout_and_its_answer(call: Script) -> None:
    answer = Answer(body="response", headers={"x-a": "1"}, trailers={"t": "1"})
    script = (
        f"qh value|1;qh fetch|svc|1000|hello world|1|{_HEADERS}|trail|er;hr get|6|x-a;hr get|7|t;hr body|4|0|99{_ON}"
    )
    reply = call(script, answers={"svc": answer})
    (sent,) = reply.callouts
    assert (sent.method, sent.path, sent.headers[":authority"], sent.body) == ("POST", "/", "foo", "hello world")
    assert sent.headers["content-length"] == "11"
    assert "x-forwarded-for" not in sent.headers
    assert sent.trailers == {}  # Envoy 1.40 never sends a callout's trailers
    assert _answered(reply) == ["1, 4, 4, 8, 1"]
    assert [answer for answer in answers_of(reply, "hr") if answer[0] == "g"] == [("g", 0, "1"), ("g", 0, "1")]
    assert "response" in lines_of(reply, "hr")[0]


def test_h87_callouts_that_are_refused(run: Run) -> None:
    def http_call(cluster: str, block: bytes, timeout: int) -> tuple[str | bytes | int, ...]:
        return ("proxy_http_call", cluster, block, 0, 0, 0, 0, timeout, OUT)

    outcome = run(
        http_call("bogus", _BLOCK, 1000),
        http_call("svc", _BLOCK, 0xFFFF_FFFF),
        http_call("svc", _WITHOUT_PATH, 1000),
        clusters=["svc"],
    )
    assert outcome.statuses == [2, 2, 2]
    assert outcome.reply.callouts == ()


def test_h88_an_answer_waits_for_the_callback(call: Script) -> None:
    lines = call(f"qh value|1;qh fetch|svc|1000||0|{_HEADERS}{_ON}").trace.splitlines()
    answer = next(i for i, line in enumerate(lines) if "proxy_on_http_call_response" in line)
    assert any(line.startswith("[host<-vm] proxy_on_request_headers return") for line in lines[:answer])


def test_h89_a_stream_waits_for_a_callout_and_goes_on_once(call: Script) -> None:
    reply = call(
        f"qh value|1;qh fetch|svc|1000||0|{_HEADERS}{_ON};hr continue|0", answers={"svc": Answer(latency_ms=5)}
    )
    assert reply.status == 200
    assert reply.elapsed_ms > 5
    assert len(calls_of(reply, "proxy_on_response_headers")) == 1
    lines = reply.trace.splitlines()
    done = next(i for i, line in enumerate(lines) if "[host<-vm] proxy_on_http_call_response" in line)
    assert "[host->vm] proxy_on_response_headers" in "".join(lines[done:])  # no callback was open when it went on


def test_h90_a_client_that_cannot_send_refuses() -> None:
    said = "".join(texts(truth("call-http-no-endpoints")))
    assert "f=10:" in said


def test_h91_an_answer_that_is_there_at_once_is_a_refusal() -> None:
    result = truth("call-http-no-endpoints")
    assert result.stats["cluster.hollow.upstream_rq_5xx"] >= 1
    told = calls(result, "proxy_on_http_call_response")  # only of the call to another cluster
    assert [line.split(", ")[1] for line in told] == ["16"]


def test_h92_an_answer_that_breaks_off_counts_nothing(call: Script) -> None:
    reply = call(
        f"qh value|1;qh fetch|svc|1000||0|{_HEADERS};hr outcome{_ON}",
        answers={"svc": Answer(body="half", failure="cut")},
    )
    assert _answered(reply) == ["1, 4, 0, 0, 0"]
    assert answers_of(reply, "hr")[0] == ("o", 0, "11:reset")


def test_h93_a_callout_ends_with_its_vm() -> None:
    result = truth("call-http-outstanding")
    assert calls(result, "proxy_on_http_call_response") == []
    assert callbacks_of(result)[-1] == "proxy_on_delete"


def test_h94_a_grpc_call_and_its_answer(call: Script) -> None:
    script = f"qh value|1;qh unary|grpc|s.Svc|Meth|1000|hello|x-m|1;gr body|5|0|99{_GO}"
    reply = call(script, answers={"grpc": Answer.grpc(b"world")})
    (sent,) = reply.callouts
    assert (sent.path, sent.headers["grpc-timeout"], sent.headers["x-m"]) == ("/s.Svc/Meth", "1000m", "1")
    assert calls_of(reply, "proxy_on_grpc_receive") == ["[host->vm] proxy_on_grpc_receive(1, 5, 5)"]
    assert "world" in lines_of(reply, "gr")[0]


def test_h95_services_that_there_are_not() -> None:
    tokens = "".join(text for text in texts(truth("call-grpc-refusals")) if text.startswith("qh"))
    assert "u=4:" in tokens
    assert "u=10:" in tokens
    assert "j=4:" in tokens


def test_h96_a_grpc_call_that_fails(call: Script) -> None:
    script = f"qh value|1;qh unary|grpc|s.Svc|Meth|1000|hello;gc outcome{_GO}"
    reply = call(script, answers={"grpc": Answer.grpc(status=7, message="not you")})
    assert calls_of(reply, "proxy_on_grpc_close") == ["[host->vm] proxy_on_grpc_close(1, 5, 7)"]
    assert "o=0:7:not you" in lines_of(reply, "gc")[0]


@pytest.mark.parametrize("verb", ["quit", "shut"])
def test_h97_a_grpc_call_is_given_up(call: Script, verb: str) -> None:
    reply = call(
        f"qh unary|grpc|s.Svc|Meth|1000|hello;qh {verb}|5", answers={"grpc": Answer.grpc(b"late", latency_ms=1)}
    )
    assert answers_of(reply, "qh")[1][:2] == (verb[0], 0)
    assert reply.status == 200
    assert not any("proxy_on_grpc" in line for line in reply.trace.splitlines())


def _unknown(call: Script, token: int) -> list[int]:
    reply = call(f"qh mail|{token}|x|0;qh quit|{token};qh shut|{token}")
    return [status for _, status, _ in answers_of(reply, "qh")]


def test_h98_a_token_of_an_http_call_is_none_of_grpc(call: Script) -> None:
    assert _unknown(call, 0xFF00) == [2, 2, 2]


def test_h99_an_unknown_token_of_a_grpc_call(call: Script) -> None:
    assert _unknown(call, 0xFF01) == [2, 1, 1]


def test_h100_an_unknown_token_of_a_grpc_stream(call: Script) -> None:
    assert _unknown(call, 0xFF02) == [1, 1, 1]


def test_h101_a_stream_of_messages_in_order(call: Script) -> None:
    script = f"qh value|1;qh join|grpc|s.Svc|Meth;qh mail|6|hello|1{_GO}"
    reply = call(script, answers={"grpc": Answer.grpc(b"one", b"two", message="fine")})
    told = [
        line.split("(")[0].rpartition("proxy_on_grpc_")[2]
        for line in reply.trace.splitlines()
        if "->vm] proxy_on_grpc" in line
    ]
    assert told == ["receive_initial_metadata", "receive", "receive", "receive_trailing_metadata", "close"]


def test_h102_each_side_closes_its_half(call: Script) -> None:
    script = f"qh value|1;qh join|grpc|s.Svc|Meth;qh mail|6|hello|0;qh shut|6;qh shut|6;gc shut|6{_GO}"
    reply = call(script, answers={"grpc": Answer.grpc(b"one")})
    assert [status for name, status, _ in answers_of(reply, "qh") if name in "ms"] == [0, 0, 0]
    assert reply.callouts[0].complete
    assert reply.callouts[0].body.endswith("hello")
    after = call("qh join|grpc|s.Svc|Meth;qh mail|6|x|1;gc mail|6|x|0", answers={"grpc": Answer.grpc(b"one")})
    assert after.status == 200


def test_h103_an_open_stream_ends_with_its_vm() -> None:
    result = truth("call-grpc-stream-cancel")
    last_stream = max(i for i, name in enumerate(callbacks_of(result)) if name == "proxy_on_request_headers")
    assert "proxy_on_grpc_close" not in callbacks_of(result)[last_stream:]
    assert callbacks_of(result)[-1] == "proxy_on_delete"
