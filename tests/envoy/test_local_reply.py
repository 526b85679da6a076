from __future__ import annotations

import pytest

from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.local_reply import LocalReply, is_grpc, percent_encode


def composed(reply: LocalReply, *, grpc: bool = False) -> list[tuple[bytes, bytes]]:
    return reply.compose(grpc=grpc)[0].pairs()


def edit(headers: HeaderMap) -> None:
    for key, value in ((b"x-l", b"1"), (b"content-length", b"99"), (b"content-type", b"text/own")):
        headers.add(key, value)


def test_own_headers_come_first_and_the_length_is_the_bodys() -> None:
    assert composed(LocalReply(403, b"denied", edit=edit)) == [
        (b":status", b"403"),
        (b"x-l", b"1"),
        (b"content-length", b"6"),
        (b"content-type", b"text/own"),
    ]


def test_without_a_body_there_is_neither_length_nor_type() -> None:
    assert composed(LocalReply(503, edit=edit)) == [(b":status", b"503"), (b"x-l", b"1")]


@pytest.mark.parametrize(
    ("status", "given", "told"),
    [(403, None, b"7"), (403, 5, b"5"), (200, None, b"2"), (418, None, b"2"), (503, None, b"14"), (200, 0, b"0")],
)
def test_a_grpc_reply_tells_its_outcome_in_headers(status: int, given: int | None, told: bytes) -> None:
    headers, body = LocalReply(status, b"no\n", grpc_status=given).compose(grpc=True)
    assert headers.pairs() == [
        (b":status", b"200"),
        (b"content-type", b"application/grpc"),
        (b"grpc-status", told),
        (b"grpc-message", b"no%0A"),
    ]
    assert body == b""


def test_a_grpc_reply_without_a_body_has_no_message() -> None:
    assert b"grpc-message" not in dict(composed(LocalReply(503), grpc=True))


@pytest.mark.parametrize(("text", "encoded"), [(b"", b""), (b"a b~", b"a b%7E"), (b"%\x7f\xff", b"%25%7F%FF")])
def test_messages_are_printable(text: bytes, encoded: bytes) -> None:
    assert percent_encode(text) == encoded


@pytest.mark.parametrize(
    ("content_type", "grpc"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc-web", False),
        (b"text/plain", False),
        (None, False),
    ],
)
def test_what_is_grpc(content_type: bytes | None, grpc: bool) -> None:
    headers = HeaderMap([] if content_type is None else [(b"content-type", content_type)], Kind.REQUEST)
    assert is_grpc(headers) is grpc
