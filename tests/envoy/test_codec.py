from __future__ import annotations

import pytest

from meshsim.envoy.codec import (
    bodiless_status,
    ends_connection,
    head_bytes,
    request_from_wire,
    request_to_wire,
    response_from_wire,
    response_to_wire,
    unreadable,
    unsendable,
)
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.wire import Head

GET = [(b":method", b"GET"), (b":path", b"/"), (b":authority", b"h")]


def request(*pairs: tuple[bytes, bytes], method: bytes = b"GET") -> HeaderMap:
    return HeaderMap([(b":method", method), *GET[1:], *pairs], Kind.REQUEST)


@pytest.mark.parametrize(
    ("method", "end", "added"),
    [
        (b"GET", True, []),
        (b"DELETE", True, []),
        (b"POST", True, [(b"content-length", b"0")]),
        (b"GET", False, [(b"transfer-encoding", b"chunked")]),
        (b"POST", False, [(b"transfer-encoding", b"chunked")]),
    ],
)
def test_how_a_request_is_framed(method: bytes, end: bool, added: list[tuple[bytes, bytes]]) -> None:
    head = request_to_wire(request((b"a", b"1"), method=method), end)
    assert head.headers == ((b"host", b"h"), (b"a", b"1"), *added)
    assert (head.method, head.target) == (method, b"/")
    length = request((b"content-length", b"3"), method=method)
    assert request_to_wire(length, end).headers == ((b"host", b"h"), (b"content-length", b"3"))


@pytest.mark.parametrize(
    ("status", "end", "to_head", "added"),
    [
        (b"200", True, False, (b"content-length", b"0")),
        (b"200", False, False, (b"transfer-encoding", b"chunked")),
        (b"404", True, True, (b"transfer-encoding", b"chunked")),
        (b"204", True, False, None),
        (b"304", False, False, None),
    ],
)
def test_how_a_response_is_framed(status: bytes, end: bool, to_head: bool, added: tuple[bytes, bytes] | None) -> None:
    head = response_to_wire(HeaderMap([(b":status", status)], Kind.RESPONSE), end, to_head=to_head)
    assert head.headers == (() if added is None else (added,))
    assert head.status == int(status)


def test_a_line_end_in_a_value_makes_another_line() -> None:
    headers = HeaderMap([(b":status", b"200"), (b"a", b"1\r\nb: 2")], Kind.RESPONSE)
    assert response_to_wire(headers, True, to_head=False).headers[:2] == ((b"a", b"1"), (b"b", b"2"))


@pytest.mark.parametrize(
    ("target", "pseudo"),
    [
        (b"/a?b", {b":path": b"/a?b", b":authority": b"h"}),
        (b"http://abs.example", {b":path": b"/", b":authority": b"abs.example", b":scheme": b"http"}),
        (b"HTTPS://o/p?x", {b":path": b"/p?x", b":authority": b"o", b":scheme": b"https"}),
    ],
)
def test_what_a_target_says(target: bytes, pseudo: dict[bytes, bytes]) -> None:
    headers = request_from_wire(Head(((b"Host", b"h"), (b"X-A", b"  v\t")), b"GET", target))
    assert {key: value for key, value in headers if key.startswith(b":")} == pseudo | {b":method": b"GET"}
    assert headers[b"x-a"] == b"v"


def test_a_request_that_was_sent_is_read_as_it_was() -> None:
    headers = request((b"a", b"1"), (b"cookie", b"x"), (b"cookie", b"y"))
    assert sorted(request_from_wire(request_to_wire(headers, True)).pairs()) == sorted(headers.pairs())
    answer = HeaderMap([(b":status", b"201"), (b"content-length", b"0"), (b"a", b"")], Kind.RESPONSE)
    assert response_from_wire(response_to_wire(answer, True, to_head=False)).pairs() == answer.pairs()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (Head(((b"host", b"h"),), b"GET", b"/"), 0),
        (Head((), b"LINK", b"/"), 0),
        (Head((), b"OPTIONS", b"*"), 0),
        (Head((), b"GET", b"*"), 400),
        (Head((), b"GET", b"no"), 400),
        (Head((), b"FOO", b"/"), 400),
        (Head((), b"get", b"/"), 400),
        (Head((), b"CONNECT", b"/"), 400),
        (Head((), b"CONNECT", b"a:80"), 0),
        (Head((), b"CONNECT", b"a:65536"), 400),
        (Head(((b"content-length", b"1"),), b"CONNECT", b"a:80"), 400),
        (Head(((b"transfer-encoding", b"chunked"),), b"CONNECT", b"a:80"), 501),
        (Head((), b"MSEARCH", b"/"), 0),
        (Head((), b"M-SEARCH", b"/"), 400),
        (Head((), b"GET", b"HTTPS://a/b"), 0),
        (Head((), b"GET", b"ftp://a/b"), 400),
        (Head(((b"a b", b"v"),), b"GET", b"/"), 400),
        (Head(((b"", b"v"),), b"GET", b"/"), 400),
        (Head(((b"\xc3\xa9", b"v"),), b"GET", b"/"), 400),
        (Head(((b"Content-Length", b"-1"),), b"GET", b"/"), 400),
        (Head(((b"transfer-encoding", b"identity"),), b"GET", b"/"), 501),
        (Head(((b"transfer-encoding", b"Chunked"),), b"GET", b"/"), 0),
    ],
)
def test_what_the_codec_refuses(head: Head, status: int) -> None:
    assert unreadable(head) == status


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((b"x", b"v\xff\t"), ""),
        ((b"x bad", b"v"), "invalid header name: x bad"),
        ((b"", b"v"), ""),
        ((b"x-nl", b"a\nb"), "invalid header value for: x-nl"),
        ((b"x-nul", b"\0"), "invalid header value for: x-nul"),
    ],
)
def test_what_keeps_a_request_from_being_sent(change: tuple[bytes, bytes], words: str) -> None:
    assert unsendable(request(change)) == words


def test_a_request_without_a_method_or_path_cannot_be_sent() -> None:
    for name in (b":method", b":path"):
        headers = request()
        headers.remove(name)
        assert unsendable(headers) == f"missing required header: {name.decode()}"


def test_statuses_without_a_body() -> None:
    assert [status for status in (100, 101, 199, 200, 204, 205, 304, 404) if bodiless_status(status)] == [
        *(100, 101, 199, 204, 304)
    ]


@pytest.mark.parametrize(
    ("protocol", "headers", "ends"),
    [
        (b"HTTP/1.1", (), False),
        (b"HTTP/1.1", ((b"Connection", b"keep-alive, Close"),), True),
        (b"HTTP/1.1", ((b"connection", b"closer"),), False),
        (b"HTTP/1.1", ((b"Proxy-Connection", b"close"),), True),
        (b"HTTP/1.0", (), True),
        (b"HTTP/1.0", ((b"connection", b"Keep-Alive"),), False),
    ],
)
def test_which_messages_are_the_last_of_their_connection(
    protocol: bytes, headers: tuple[tuple[bytes, bytes], ...], ends: bool
) -> None:
    assert ends_connection(Head(headers, b"GET", b"/", protocol=protocol)) is ends


def test_http_1_0_knows_no_chunks() -> None:
    headers = HeaderMap([(b":status", b"200")], Kind.RESPONSE)
    old = response_to_wire(headers, False, to_head=False, http10=True)
    assert (old.protocol, old.headers) == (b"HTTP/1.0", ())
    assert response_to_wire(headers, True, to_head=False, http10=True).value(b"content-length") == b"0"


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (Head(((b"host", b"h"),), b"GET", b"/path"), b"GET /path HTTP/1.1\r\nhost: h\r\n\r\n"),
        (Head(((b"a", b""),), status=404), b"HTTP/1.1 404 Not Found\r\na: \r\n\r\n"),
        (Head((), status=299, protocol=b"HTTP/1.0"), b"HTTP/1.0 299 Unknown\r\n\r\n"),
    ],
)
def test_how_long_a_head_is(head: Head, text: bytes) -> None:
    assert head_bytes(head) == len(text)
