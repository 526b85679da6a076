from __future__ import annotations

from typing import Any

import pytest

from meshsim.envoy.config.access_log import AccessLogFilter
from meshsim.envoy.config.core import DataSource
from meshsim.envoy.config.http import LocalReplyConfig
from meshsim.envoy.config.listener import Listener
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.log_filter import holds
from meshsim.envoy.reply_forms import ReplyForms
from meshsim.envoy.routing import Routed
from meshsim.envoy.stream import Stream
from meshsim.envoy.stream_info import StreamInfo


@pytest.fixture
def stream() -> Stream:
    info = StreamInfo(0, ("10.0.0.1", 40001), ("127.0.0.1", 80), 7, Listener(), code=404, flags=["NR"])
    stream = Stream(None, info, [HttpFilter()], 100, Routed())  # type: ignore[arg-type]
    stream.request_headers = HeaderMap([(b":path", b"/p"), (b"x-a", b"1")], Kind.REQUEST)
    return stream


def status(op: str, value: int) -> dict[str, Any]:
    return {"status_code_filter": {"comparison": {"op": op, "value": {"default_value": value}}}}


X_A = {"header_filter": {"header": {"name": "x-a", "present_match": True}}}


@pytest.mark.parametrize(
    ("condition", "held"),
    [
        (status("EQ", 404), True),
        (status("NE", 404), False),
        (status("GE", 405), False),
        (status("LE", 404), True),
        (X_A, True),
        ({"header_filter": {"header": {"name": "x-b", "present_match": True}}}, False),
        ({"response_flag_filter": {"flags": ["UF", "NR"]}}, True),
        ({"response_flag_filter": {"flags": ["UF"]}}, False),
        ({"response_flag_filter": {}}, True),
        ({"not_health_check_filter": {}}, True),
        ({"and_filter": {"filters": [X_A, status("EQ", 500)]}}, False),
        ({"or_filter": {"filters": [status("EQ", 500), X_A]}}, True),
    ],
)
def test_conditions(stream: Stream, condition: dict[str, Any], held: bool) -> None:
    assert holds(AccessLogFilter.model_validate(condition), stream) == held


def composed(stream: Stream, config: dict[str, Any], reply: LocalReply) -> tuple[list[tuple[bytes, bytes]], bytes]:
    forms = ReplyForms(LocalReplyConfig.model_validate(config), lambda source: source.inline or b"")
    headers, body = reply.compose(grpc=False, form=lambda headers, body: forms.apply(stream, headers, body))
    return headers.pairs(), body


def test_the_first_mapper_that_fits_changes_body_headers_and_status(stream: Stream) -> None:
    added = {"header": {"key": "x-was", "value": "%RESPONSE_CODE%"}}
    mapper = {
        "filter": status("EQ", 503),
        "status_code": 200,
        "body": {"inline_string": "new"},
        "headers_to_add": [added],
    }
    config = {"mappers": [{"filter": status("EQ", 404), "status_code": 999}, mapper, mapper | {"status_code": 201}]}
    headers, body = composed(stream, config, LocalReply(503, b"old"))
    assert headers == [
        (b":status", b"200"),
        (b"x-was", b"503"),
        (b"content-length", b"3"),
        (b"content-type", b"text/plain"),
    ]
    assert body == b"new"
    assert stream.info.code == 200


def test_a_reply_that_no_mapper_fits_gets_the_common_form(stream: Stream) -> None:
    config = {"mappers": [{"filter": status("EQ", 404)}], "body_format": {"text_format": "<%LOCAL_REPLY_BODY%>"}}
    assert composed(stream, config, LocalReply(503, b"old"))[1] == b"<old>"
    assert composed(stream, config, LocalReply(503))[1] == b"<>"


def test_the_type_follows_the_body_unless_a_mapper_has_set_it(stream: Stream) -> None:
    def typed(headers: HeaderMap) -> None:
        headers.add(b"content-type", b"a/b")

    reply = LocalReply(503, b"old", edit=typed)
    json = {"body_format": {"json_format": {"a": "%LOCAL_REPLY_BODY%"}}}
    assert (b"content-type", b"application/json") in composed(stream, json, reply)[0]
    assert (b"content-type", b"a/b") in composed(stream, {}, reply)[0]
    own = {"header": {"key": "content-type", "value": "c/d"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    assert (b"content-type", b"c/d") in composed(
        stream, json | {"mappers": [{"filter": X_A, "headers_to_add": [own]}]}, reply
    )[0]


def test_a_body_may_come_from_a_file(stream: Stream) -> None:
    def read(source: DataSource) -> bytes:
        return f"content of {source.filename}".encode()

    config = LocalReplyConfig.model_validate({"mappers": [{"filter": X_A, "body": {"filename": "f"}}]})
    headers = HeaderMap([(b":status", b"500")], Kind.RESPONSE)
    assert ReplyForms(config, read).apply(stream, headers, b"") == (b"content of f", b"text/plain")
