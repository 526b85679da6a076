"""A small HTTP/1.1 client over a plain socket: one connection a request, nothing added, nothing followed.

Names and values come back as received. The client reads while it still has pieces to send, because Envoy may
answer early; once the answer is whole it closes, whatever is left unsent. A send that fails is not the end either:
the answer may already lie in the socket.
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence

from meshsim.envoy.outcome import CLOSED, MALFORMED, REFUSED, TIMEOUT, Header, Response, as_text
from meshsim.envoy.requests import Piece

#: How long to wait for an answer after the last piece, in seconds.
PATIENCE_S = 10.0


def exchange(
    address: tuple[str, int], pieces: Sequence[Piece], method: str, patience_s: float = PATIENCE_S
) -> Response:
    """Send one request, return its answer.

    Parameters
    ----------
    address : (host, port)
        Where to connect.
    pieces : sequence of Piece
        What to send, and when.
    method : str
        The request's method: an answer to HEAD has no body.
    patience_s : float
        Seconds without the answer's end, counted from the last piece, after which the response is a timeout.
    """
    reader = Answer(method)
    try:
        with socket.create_connection(address, timeout=patience_s) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            for piece in pieces:
                _read(connection, reader, piece.delay_ms / 1000)
                _send(connection, reader, piece.data, patience_s)
            _read(connection, reader, patience_s)
            reader.fail(TIMEOUT)
    except TimeoutError:
        reader.fail(TIMEOUT)
    except OSError:
        reader.fail(REFUSED)
    return reader.response()


def _read(connection: socket.socket, reader: Answer, seconds: float) -> None:
    """Feed the reader for so long, or until the answer has ended."""
    end = time.monotonic() + seconds
    while not reader.done and (left := end - time.monotonic()) > 0:
        if select.select([connection], [], [], left)[0]:
            _receive(connection, reader)


def _send(connection: socket.socket, reader: Answer, data: bytes, patience_s: float) -> None:
    """Send it all, unless the answer ends first: a proxy that has answered may never read the rest."""
    while data and not reader.done:
        readable, writable, _ = select.select([connection], [connection], [], patience_s)
        if readable:
            _receive(connection, reader)
        elif writable:
            data = data[_send_some(connection, data) :]
        else:
            reader.fail(TIMEOUT)


def _send_some(connection: socket.socket, data: bytes) -> int:
    try:
        return connection.send(data)
    except (BrokenPipeError, ConnectionResetError):
        return len(data)  # nobody reads it any more, but an answer may lie in the socket


def _receive(connection: socket.socket, reader: Answer) -> None:
    try:
        data = connection.recv(65536)
    except ConnectionResetError:
        data = b""
    if data:
        reader.feed(data)
    else:
        reader.end()


class Answer:
    r"""Reads one HTTP/1.1 answer from bytes that come in pieces.

    Examples
    --------
    >>> answer = Answer("GET")
    >>> answer.feed(b"HTTP/1.1 200 OK\r\nA: b\r\ncontent-le")
    >>> answer.feed(b"ngth: 2\r\n\r\nok")
    >>> answer.done, answer.response()
    (True, Response(status=200, headers=(('A', 'b'), ('content-length', '2')), body='ok', trailers=(), error=None))
    """

    def __init__(self, method: str) -> None:
        self.done = False
        self._method = method
        self._buffer = b""
        self._step = self._read_head
        self._status = 0
        self._headers: tuple[Header, ...] = ()
        self._trailers: tuple[Header, ...] = ()
        self._body: list[bytes] = []
        self._left = 0
        self._until_close = False
        self._error: str | None = None

    def feed(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._buffer += data
        try:
            while not self.done and self._step():
                pass
        except ValueError:
            self.fail(MALFORMED)

    def end(self) -> None:
        """The peer closed or reset the connection."""
        if self._until_close:
            self.done = True
        else:
            self.fail(CLOSED)

    def fail(self, error: str) -> None:
        """Give up; what has come so far is kept."""
        if not self.done:
            self.done, self._error = True, error

    def response(self) -> Response:
        """The answer, as far as it came."""
        body = as_text(b"".join(self._body))
        return Response(self._status, self._headers, body, self._trailers, self._error)

    # Each step eats from the buffer and says whether it could; the step after it is in self._step.

    def _read_head(self) -> bool:
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return False
        self._buffer = rest
        start, *lines = head.split(b"\r\n")
        version, status, *_ = start.split(b" ", 2)
        if not version.startswith(b"HTTP/1.") or len(status) != 3:
            raise ValueError(start)
        code = int(status)
        if 100 <= code < 200 and code != 101:
            return True
        self._status, self._headers = code, _fields(lines)
        self._choose_framing()
        return True

    def _choose_framing(self) -> None:
        """RFC 9112, section 6.3."""
        fields = {name.lower(): value for name, value in self._headers}
        tunnel = self._method == "CONNECT" and 200 <= self._status < 300
        if tunnel or self._method == "HEAD" or self._status in (101, 204, 304):
            self.done = True
        elif "chunked" in fields.get("transfer-encoding", "").lower():
            self._step = self._read_chunk_size
        elif "content-length" in fields:
            self._left = int(fields["content-length"])
            self._step, self.done = self._read_counted, self._left == 0
        else:
            self._until_close = True
            self._step = self._read_rest

    def _read_rest(self) -> bool:
        self._body.append(self._buffer)
        self._buffer = b""
        return False

    def _read_counted(self) -> bool:
        self._take()
        self.done = self._left == 0
        return False

    def _read_chunk_size(self) -> bool:
        line, found, rest = self._buffer.partition(b"\r\n")
        if not found:
            return False
        self._buffer = rest
        self._left = int(line.partition(b";")[0], 16)
        self._step = self._read_chunk if self._left else self._read_trailers
        return True

    def _read_chunk(self) -> bool:
        self._take()
        if self._left or len(self._buffer) < 2:
            return False
        self._buffer = self._buffer[2:]
        self._step = self._read_chunk_size
        return True

    def _read_trailers(self) -> bool:
        if self._buffer.startswith(b"\r\n"):
            self.done = True
            return False
        block, found, _ = self._buffer.partition(b"\r\n\r\n")
        if found:
            self._trailers = _fields(block.split(b"\r\n"))
            self.done = True
        return False

    def _take(self) -> None:
        taken = self._buffer[: self._left]
        self._buffer = self._buffer[len(taken) :]
        self._body.append(taken)
        self._left -= len(taken)


def _fields(lines: Sequence[bytes]) -> tuple[Header, ...]:
    return tuple((as_text(name), as_text(value.strip(b" \t"))) for name, value in map(_split, lines))


def _split(line: bytes) -> tuple[bytes, bytes]:
    """Name and value of a line; Envoy may write a name that begins with a colon, as trailers."""
    at = line.find(b":", line[:1] == b":" and line[1:2] not in (b"", b" "))
    return (line, b"") if at < 0 else (line[:at], line[at + 1 :])
