from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.client import parts_of
from meshsim.envoy.codec import unreadable
from meshsim.envoy.http1_bytes import Conversation, PartReader, PartWriter
from meshsim.envoy.requests import Request, wire
from meshsim.envoy.wire import Data, End, Head, Part

REQUESTS = (
    Request(),
    Request(method="POST", path="/x?y", headers=(("x-a", "1"),), body="hello"),
    Request(method="POST", chunks=("ab", "c" * 20), trailers=(("x-end", "1"),)),
    Request(method="PUT", body=""),
)


def written(parts: list[Part]) -> bytes:
    return b"".join(map(PartWriter().write, parts))


def read(data: bytes, *cuts: int) -> list[Part]:
    reader, edges = PartReader(lambda _: False), [0, *sorted(cuts), len(data)]
    return [part for i, edge in enumerate(edges[1:]) for part in reader.feed(data[edges[i] : edge])]


def body(parts: list[Part]) -> bytes:
    return b"".join(part.data for part in parts if isinstance(part, Data))


@pytest.mark.parametrize("request_", REQUESTS)
def test_parts_are_the_bytes_that_the_client_sends(request_: Request) -> None:
    parts = [part for _, parts in parts_of(request_) for part in parts]
    assert written(parts) == b"".join(piece.data for piece in wire(request_))


@given(st.sampled_from(REQUESTS), st.lists(st.integers(0, 200), max_size=5))
def test_bytes_are_read_alike_however_they_are_cut(request_: Request, cuts: list[int]) -> None:
    data = b"".join(piece.data for piece in wire(request_))
    parts, whole = read(data, *(cut % (len(data) + 1) for cut in cuts)), read(data)
    assert body(parts) == body(whole) == (request_.body or "".join(request_.chunks or ())).encode()
    assert [part for part in parts if not isinstance(part, Data)] == [p for p in whole if not isinstance(p, Data)]


@given(st.binary(max_size=300))
def test_junk_does_no_harm(data: bytes) -> None:
    for part in read(data):
        assert isinstance(part, Head | Data | End)


def test_what_is_no_request_is_a_head_that_no_codec_takes() -> None:
    (part,) = read(b"nonsense\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    assert isinstance(part, Head)
    assert unreadable(part) == 400


def test_a_response_to_head_has_no_body() -> None:
    conversation = Conversation()
    conversation.asked(Head((), b"HEAD", b"/"))
    reader = PartReader(conversation.answered)
    parts = reader.feed(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    )
    assert [part.status for part in parts if isinstance(part, Head)] == [100, 200, 204]


@pytest.mark.parametrize(("status", "words"), [(413, b"Payload Too Large"), (299, b"Unknown"), (204, b"No Content")])
def test_a_status_has_envoys_words(status: int, words: bytes) -> None:
    assert PartWriter().write(Head((), status=status)) == b"HTTP/1.1 %d %b\r\n\r\n" % (status, words)


def test_a_chunk_that_is_none_ends_the_reading() -> None:
    parts = read(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nGET / HTTP/1.1\r\n\r\n")
    assert [isinstance(part, Head) for part in parts] == [True, True]
    assert isinstance(parts[1], Head)
    assert unreadable(parts[1]) == 400


def test_a_response_without_a_length_lasts_as_long_as_its_connection() -> None:
    reader = PartReader(lambda _: False)
    parts = [
        part for data in (b"HTTP/1.0 200 OK\r\n\r\nab", b"c", b"HTTP/1.1 200 OK\r\n\r\n") for part in reader.feed(data)
    ]
    assert body(parts) == b"abcHTTP/1.1 200 OK\r\n\r\n"
    assert PartReader(lambda _: True).feed(b"HTTP/1.1 304 Not Modified\r\n\r\nHTTP/1.1 200 OK\r\n\r\n")[1:] != []


@pytest.mark.parametrize("version", [b"HTTP/0.9", b"HTTP/1.0", b"HTTP/1.7", b"HTTP/2.0"])
def test_any_version_is_read(version: bytes) -> None:
    (head,) = read(b"GET / " + version + b"\r\n\r\n")
    assert isinstance(head, Head)
    assert head.protocol == version
