"""Rows F: bodies of an HTTP stream; a piece is ``hello`` unless said otherwise."""

from __future__ import annotations

import re

import pytest

from meshsim.testing import Answer, Reply, WasmFilterFactory
from tests.conformance.conftest import Script, answers_of, contents
from tests.conformance.guests import guest

_EDITS = [
    ("prepend and append", "write|0|0|0|prepend.;{} write|0|{end}|0|.append", "prepend.hello.append"),
    ("replace", "write|0|0|99|replace", "replace"),
    ("replace a part", "write|0|0|1|partial.replace.", "partial.replace.ello"),
    ("remove", "write|0|0|99|", ""),
    ("remove a part", "write|0|0|1|", "ello"),
]


def _edited(http: Script, edit: str, *, buffered: bool) -> str:
    """What the upstream gets of ``hello`` (buffered: of ``hel`` and ``lo``) when it is edited so."""
    phase = "qe" if buffered else "qm"
    text = edit.format(phase, end=99)
    script = f"{'qm value|1;' if buffered else ''}{phase} {text}"
    return http(script, method="POST", chunks=["hel", "lo"] if buffered else ["hello"]).request_body


def test_f71_a_body_is_read(http: Script) -> None:
    reply = http("qm body|0|0|99", method="POST", chunks=["hello"])
    assert contents(reply, "qb")[0] == "hello> b<hello"
    assert not reply.paused


def test_f72_bytes_are_put_before_and_behind(http: Script) -> None:
    assert _edited(http, _EDITS[0][1], buffered=False) == _EDITS[0][2]


@pytest.mark.parametrize("length", [5, 0xFFFF_FFFF])
def test_f73_a_body_is_replaced(http: Script, length: int) -> None:
    assert http(f"qm write|0|0|{length}|replace", method="POST", chunks=["hello"]).request_body == "replace"


def test_f74_the_start_of_a_body_is_replaced(http: Script) -> None:
    assert _edited(http, _EDITS[2][1], buffered=False) == _EDITS[2][2]


def test_f75_a_body_is_removed_and_a_part_of_it(http: Script) -> None:
    assert _edited(http, _EDITS[3][1], buffered=False) == ""
    assert _edited(http, _EDITS[4][1], buffered=False) == "ello"


def _buffered(http: Script) -> Reply:
    return http("qm value|1", method="POST", chunks=["hello", " again ", "hello"], answers={"upstream": _CHUNKS})


_CHUNKS = Answer(body="hello", headers={"transfer-encoding": "chunked"})


def test_f76_a_body_that_is_buffered_is_seen_as_it_grows(http: Script) -> None:
    reply = _buffered(http)
    assert list(contents(reply, "qb")) == ["hello", "hello again ", "hello again hello", "hello again hello"]
    actions = [action.action for action in reply.actions if action.callback == "proxy_on_request_body"]
    assert actions == ["STOP_AND_BUFFER"] * 3 + ["CONTINUE"]  # the end is a piece of its own
    assert reply.request_body == "hello again hello"


def test_f77_a_response_starts_with_a_buffer_of_its_own(http: Script) -> None:
    assert list(contents(_buffered(http), "rb")) == ["hello", ""]


@pytest.mark.parametrize(("edit", "expected"), [edit[1:] for edit in _EDITS], ids=[edit[0] for edit in _EDITS])
def test_f78_a_buffered_body_is_edited_as_one(http: Script, edit: str, expected: str) -> None:
    assert _edited(http, edit, buffered=True) == expected


_TWICE = """
  (global $seen (mut i32) (i32.const 0))
  (func (export "proxy_on_{side}_body") (param i32 i32 i32) (result i32)
    (global.set $seen (i32.add (global.get $seen) (i32.const 1)))
    (i32.le_u (global.get $seen) (i32.const 2)))"""


@pytest.mark.parametrize("side", ["request", "response"])
def test_f79_a_body_is_streamed_after_a_buffered_part(wasm_filter: WasmFilterFactory, side: str) -> None:
    pieces = ["hello", ", there, ", "world!", "So it's ", "goodbye, then!"]
    filter_ = wasm_filter(guest({}, more=_TWICE.replace("{side}", side)))
    filter_.upstream(script=lambda request: Answer(body=request.body))
    reply = filter_.post(chunks=pieces)
    seen = re.findall(rf"proxy_on_{side}_body\(2, (\d+), \d\)", reply.trace)
    actions = [action.action for action in reply.actions if action.callback == f"proxy_on_{side}_body"]
    if side == "request":
        assert seen == ["5", "14", "20", "8", "14", "0"]  # what is buffered, then each piece alone, then the end
        assert actions == ["STOP_AND_BUFFER"] * 2 + ["CONTINUE"] * 4
    else:
        assert seen == ["42", "42"]  # the answer comes in one piece, and is buffered to its end
        assert actions == ["STOP_AND_BUFFER"] * 2
    assert reply.request_body == "".join(pieces)


def test_f80_nothing_is_written_into_the_middle(http: Script) -> None:
    reply = http("qm write|0|2|1|X", method="POST", chunks=["hello"])
    assert answers_of(reply, "qb")[0] == ("w", 2, "")
    assert reply.request_body == "hello"
