from __future__ import annotations

import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.outcome import CLOSED, MALFORMED, REFUSED, TIMEOUT, Response
from meshsim.envoy.requests import Piece, Request, wire
from meshsim.reference.client import Answer, exchange

Peer = Callable[[socket.socket], object]


@contextmanager
def serving(peer: Peer) -> Iterator[tuple[str, int]]:
    """Serve one connection by a function."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                peer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()
        thread.join()


def answer(data: bytes, method: str = "GET", *, closed: bool = False) -> Response:
    reader = Answer(method)
    reader.feed(data)
    if closed:
        reader.end()
    assert reader.done
    return reader.response()


def read_until(connection: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += connection.recv(65536)
    return data


@pytest.mark.parametrize(
    ("data", "method", "closed", "expected"),
    [
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            "GET",
            False,
            Response(200, (("Content-Length", "2"),), "ok"),
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", "HEAD", False, Response(200, (("content-length", "2"),))),
        (b"HTTP/1.1 200 OK\r\n\r\n", "CONNECT", False, Response(200)),
        (b"HTTP/1.1 204 No Content\r\na: b\r\n\r\n", "GET", False, Response(204, (("a", "b"),))),
        (
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n",
            "GET",
            False,
            Response(304, (("content-length", "9"),)),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\nrest", "GET", True, Response(200, (), "rest")),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200\r\ncontent-length: 0\r\n\r\n",
            "GET",
            False,
            Response(200, (("content-length", "0"),)),
        ),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\nA;x=y\r\n, world...\r\n0\r\nt: 1\r\nu: 2\r\n\r\n",
            "GET",
            False,
            Response(200, (("transfer-encoding", "chunked"),), "hello, world...", (("t", "1"), ("u", "2"))),
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhal",
            "GET",
            True,
            Response(200, (("content-length", "9"),), "hal", error=CLOSED),
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n\xff",
            "GET",
            False,
            Response(200, (("content-length", "1"),), "\udcff"),
        ),
        (b"", "GET", True, Response.failed(CLOSED)),
        (b"SSH-2.0\r\n\r\n", "GET", False, Response.failed(MALFORMED)),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            "GET",
            False,
            Response(200, (("transfer-encoding", "chunked"),), error=MALFORMED),
        ),
    ],
)
def test_an_answer_is_read_by_its_framing(data: bytes, method: str, closed: bool, expected: Response) -> None:
    assert answer(data, method, closed=closed) == expected


@given(st.lists(st.integers(0, 90), max_size=8))
def test_how_the_bytes_arrive_does_not_matter(cuts: list[int]) -> None:
    data = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\nt: 1\r\n\r\n"
    reader = Answer("GET")
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in itertools.pairwise(edges):
        reader.feed(data[start:end])
    assert reader.response() == answer(data)


def test_a_request_goes_out_as_it_is_and_its_answer_comes_back() -> None:
    seen: list[bytes] = []

    def peer(connection: socket.socket) -> None:
        seen.append(read_until(connection, b"0\r\n\r\n"))
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        seen.append(connection.recv(1))

    with serving(peer) as address:
        assert exchange(address, wire(Request(chunks=("a",))), "GET").body == "ok"
    head, end_of_connection = seen
    assert head.endswith(b"\r\n\r\n1\r\na\r\n0\r\n\r\n")
    assert end_of_connection == b""


def test_an_early_answer_is_taken_and_the_rest_is_not_sent() -> None:
    seen: list[bytes] = []

    def peer(connection: socket.socket) -> None:
        seen.append(connection.recv(65536))
        connection.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        seen.append(connection.recv(65536))

    with serving(peer) as address:
        response = exchange(address, [Piece(0, b"head"), Piece(60_000, b"never")], "POST")
    assert (response.status, response.error) == (413, None)
    assert seen == [b"head", b""]


def test_an_answer_to_a_body_that_nobody_reads_is_found() -> None:
    def peer(connection: socket.socket) -> None:
        connection.recv(1)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        connection.recv(1)

    with serving(peer) as address:
        assert exchange(address, [Piece(0, b"x" * 20_000_000)], "POST").status == 413


def test_a_reset_is_a_connection_closed() -> None:
    def peer(connection: socket.socket) -> None:
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with serving(peer) as address:
        assert exchange(address, [Piece(0, b"head")], "GET") == Response.failed(CLOSED)


def test_no_answer_in_time_is_a_timeout() -> None:
    with serving(lambda connection: (connection.recv(1), connection.recv(1))) as address:
        assert exchange(address, [Piece(0, b"x")], "GET", patience_s=0.01) == Response.failed(TIMEOUT)


def test_nobody_listening_is_a_connection_refused() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert exchange(unused.getsockname(), [Piece(0, b"x")], "GET") == Response.failed(REFUSED)
