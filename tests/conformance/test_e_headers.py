"""Rows E: headers of an HTTP stream, pauses, local replies."""

from __future__ import annotations

import pytest

from meshsim.abi.callbacks import data_action, headers_action
from meshsim.abi.constants import DataAction, HeadersAction
from meshsim.testing import Answer, WasmFilterFactory
from tests.conformance.conftest import Run, Script, answers_of, callbacks_of, lines_of, texts, truth
from tests.conformance.guests import OUT, guest

_HEADERS = "proxy_on_request_headers"


def _callbacks(trace: str) -> list[str]:
    lines = (line.removeprefix("[host->vm] ") for line in trace.splitlines() if line.startswith("[host->vm]"))
    return [line for line in lines if not line.startswith(("malloc", "proxy_on_memory_allocate"))]


def test_e57_a_request_of_headers_only(http: Script) -> None:
    reply = http("")
    called = _callbacks(reply.trace)
    assert called[:2] == ["proxy_on_context_create(2, 1)", "proxy_on_request_headers(2, 7, 1)"]
    assert called[-3:] == ["proxy_on_log(2)", "proxy_on_done(2)", "proxy_on_delete(2)"]
    assert lines_of(reply, "qh")[0].count("[") == 7  # pseudo headers count


def test_e58_what_is_added_and_replaced_is_seen(http: Script) -> None:
    reply = http("qh add|0|newheader|new;qh replace|0|server|wasm;qh get|0|newheader", headers={"server": "client"})
    assert answers_of(reply, "qh") == [("a", 0, ""), ("r", 0, ""), ("g", 0, "new")]
    assert reply.request_headers["newheader"] == "new"
    assert reply.request_headers["server"] == "wasm"


def test_e59_the_response_cannot_be_touched_before_it_is_there(run: Run) -> None:
    outcome = run(
        ("proxy_add_header_map_value", 2, "x", "1"),
        ("proxy_add_header_map_value", 3, "x", "1"),
        ("proxy_get_header_map_size", 2, OUT),
        ("proxy_get_header_map_size", 0, OUT),
        ("proxy_log", 9, OUT, 0),
    )
    assert outcome.statuses[:4] == [2, 2, 2, 0]


def test_e60_a_whole_exchange_in_order(http: Script) -> None:
    answer = Answer(body="answer", trailers={"t": "2"})
    reply = http("", method="POST", chunks=["one"], trailers={"t": "1"}, answers={"upstream": answer})
    names = [call.partition("(")[0].removeprefix("proxy_on_") for call in _callbacks(reply.trace)]
    assert list(dict.fromkeys(names)) == [
        "context_create",
        *(f"{side}_{part}" for side in ("request", "response") for part in ("headers", "body", "trailers")),
        *("log", "done", "delete"),
    ]
    waiting = http("", method="POST", headers={"expect": "100-continue"}, body="one")
    assert [":status: 200" in line for line in lines_of(waiting, "rh")] == [True]  # of "100 Continue" no filter is told


def test_e61_nothing_is_told_of_a_stream_that_no_filter_saw() -> None:
    first = callbacks_of(truth("http-bad-request"))
    start = first.index("proxy_on_context_create", 1)
    told = [name for name in first[start : start + 8] if name != "proxy_on_memory_allocate"]
    assert told[:4] == ["proxy_on_context_create", "proxy_on_log", "proxy_on_done", "proxy_on_delete"]


def test_e62_stop_iteration_stops_all(http: Script) -> None:
    assert headers_action(1, stopped=False, allow_stop_iteration=False) is HeadersAction.STOP_ALL_AND_WATERMARK
    reply = http("qh value|1;qh tick|0|30", method="POST", chunks=["body"])
    assert lines_of(reply, "qb")
    assert reply.elapsed_ms > 30
    body = next(entry.time_ns for entry in reply.facts.entries if "request_body" in str(entry.event))
    assert body / 1e6 > 30  # the body was not seen before


def test_e63_stop_iteration_may_stop_the_headers_alone() -> None:
    assert headers_action(1, stopped=False, allow_stop_iteration=True) is HeadersAction.STOP_ITERATION
    said = texts(truth("http-pause-stop-iteration"))
    assert [text[:2] for text in said[:4]] == ["qh", "qb", "qb", "qb"]  # the body comes, though the headers wait


@pytest.mark.parametrize(("value", "action"), [(3, "STOP_ALL_AND_BUFFER"), (4, "STOP_ALL_AND_WATERMARK")])
def test_e64_numbers_of_actions(http: Script, value: int, action: str) -> None:
    assert headers_action(value, stopped=False, allow_stop_iteration=False).name == action
    reply = http(f"qh value|{value};qh tick|0|20")
    assert reply.actions[0] == (_HEADERS, action)
    assert reply.status == 200


def test_e65_a_paused_stream_is_edited_and_continued_from_a_timer(http: Script) -> None:
    reply = http("qh value|1;qh tick|0|20;ti replace|0|server|envoy-wasm-continue", headers={"server": "x"})
    assert reply.request_headers["server"] == "envoy-wasm-continue"
    assert reply.elapsed_ms > 20


def test_e66_streams_of_a_kind_that_there_is_not(run: Run) -> None:
    assert run(("proxy_continue_stream", 9999), ("proxy_close_stream", 9999)).statuses == [2, 2]


@pytest.mark.parametrize("phase", ["qh", "rh"])
def test_e67_a_stream_that_is_closed_is_reset(http: Script, phase: str) -> None:
    reply = http(f"{phase} hang|{'qr'.index(phase[0])};lo property|response.code_details")
    assert (reply.status, reply.error) == (0, "connection closed")
    details = "wasm_close_stream" if phase == "qh" else "via_upstream"  # that the upstream gave, stay
    assert answers_of(reply, "lo") == [("p", 0, details)]
    assert all(action.action == "CONTINUE" for action in reply.actions)


def test_e68_trailers_are_made_in_the_last_body_callback_only(http: Script) -> None:
    script = "qm add|1|x-early|1;qe add|1|x-late|1;rm add|3|y-early|1;re add|3|y-late|1;"
    answer = Answer(body="answer", headers={"transfer-encoding": "chunked"})
    reply = http(script, method="POST", chunks=["one"], answers={"upstream": answer})
    assert [status for _, status, _ in answers_of(reply, "qb")] == [2, 0]
    assert reply.request_trailers == {"x-late": "1"}
    assert [status for _, status, _ in answers_of(reply, "rb")] == [2, 0]
    assert reply.trailers == {"y-late": "1"}


def test_e69_two_local_replies_give_one_response(http: Script) -> None:
    first = http("qh local|403||one|-1;qh local|500||two|-1")
    assert (first.status, first.body) == (403, "one")
    both = http("qh local|403||one|-1;rh local|500||two|-1")
    assert (both.status, both.body) == (500, "two")
    assert len(lines_of(both, "rh")) == 1


def test_e70_a_local_reply_to_grpc_has_a_status(http: Script) -> None:
    grpc = {"content-type": "application/grpc"}
    assert http("qh local|200||no|7", headers=grpc).headers["grpc-status"] == "7"
    assert "grpc-status" not in http("qh local|200||no|7").headers
    # Without one it follows from the HTTP status: 403 is PERMISSION_DENIED.
    assert http("qh local|403||no|-1", headers=grpc).headers["grpc-status"] == "7"
    assert data_action(0, stopped=True) is DataAction.STOP_NO_BUFFER
    reply = http("qb local|403||no|-1", method="POST", chunks=["one"])
    assert (reply.status, reply.body) == (403, "no")


def test_e70_a_response_is_not_stopped_by_a_guest_that_does_nothing(wasm_filter: WasmFilterFactory) -> None:
    reply = wasm_filter(guest({_HEADERS: []})).get()
    assert [action.action for action in reply.actions] == ["CONTINUE"]
