"""Rows G: the access log and the end of a stream."""

from __future__ import annotations

from meshsim.testing import WasmFilterFactory
from tests.conformance.conftest import Script, answers_of, lines_of, module_of, texts, truth


def test_g81_a_stream_is_logged_before_it_is_done(http: Script) -> None:
    reply = http("lo get|0|:path;lo get|2|:status", path="/x")
    assert answers_of(reply, "lo") == [("g", 0, "/x"), ("g", 0, "200")]
    ends = [log.text[:2] for log in reply.logs if log.text[:2] in ("lo", "do")]
    assert ends == ["lo", "do"]


def test_g82_without_a_response_there_is_no_status_to_log(http: Script) -> None:
    ((_, status, value),) = answers_of(http("qh hang|0;lo get|2|:status"), "lo")
    assert status != 0
    assert value == ""


def test_g83_a_context_is_made_just_for_the_log() -> None:
    assert texts(truth("http-bad-request"))[:2] == ["lo(2) ", "do(2) "]


def test_g85_a_stream_ends_once(wasm_filter: WasmFilterFactory) -> None:
    filter_ = wasm_filter(module_of("http-script"), configuration="x-do")
    reply = filter_.get(headers={"x-do": "qh hang|0;qh hang|0;lo hang|2"})
    assert len(lines_of(reply, "do")) == 1
    ended = filter_.shut_down()
    assert [reply.called(name) + ended.called(name) for name in ("proxy_on_done", "proxy_on_delete")] == [3, 3]
