"""HTTP/1.1 as text: parts of messages to bytes, and back.

Connections carry parts of messages (:mod:`meshsim.envoy.wire`). Where a network filter stands, the bytes matter,
and only there they are made: exactly those that Envoy's codec and the replay's client write.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from meshsim.envoy.codec import bodiless_status
from meshsim.envoy.headers import Pair, as_number
from meshsim.envoy.reasons import reason
from meshsim.envoy.wire import Data, End, Head, Part

_LINE_END = b"\r\n"
_HEAD_END = b"\r\n\r\n"
_VERSION = re.compile(rb"HTTP/\d\.\d")
#: What stands for a head that is no HTTP: a codec refuses it.
_UNREADABLE = Head(((b"content-length", b"?"),))


def _lines(pairs: tuple[Pair, ...]) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in pairs)


@dataclass(slots=True)
class PartWriter:
    r"""Writes the parts of one direction as bytes.

    Examples
    --------
    >>> writer = PartWriter()
    >>> writer.write(Head(((b"content-length", b"5"),), status=200))
    b'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n'
    >>> writer.write(Data(b"hello")), writer.write(End())
    (b'hello', b'')
    """

    _chunked: bool = False

    def write(self, part: Part) -> bytes:
        """Return a part's bytes; the end of a body that has a length has none."""
        match part:
            case Head():
                self._chunked = part.chunked
                return self._start_line(part) + _lines(part.headers) + _LINE_END
            case Data():
                return b"%x\r\n%b\r\n" % (len(part.data), part.data) if self._chunked and part.data else part.data
            case End():
                return b"0\r\n" + _lines(part.trailers) + _LINE_END if self._chunked else b""

    @staticmethod
    def _start_line(head: Head) -> bytes:
        if head.status:
            return b"%b %d %b\r\n" % (head.protocol, head.status, reason(head.status))
        return b"%b %b %b\r\n" % (head.method, head.target, head.protocol)


@dataclass(slots=True)
class PartReader:
    r"""Reads the parts of one direction from bytes, however these are cut.

    ``bodiless`` says of a head that no body follows, whatever the head says. Chunks are given when they are whole.

    Examples
    --------
    >>> reader = PartReader(bodiless=lambda head: False)
    >>> reader.feed(b"GET / HTTP/1.1\r\nhost: a\r")
    []
    >>> reader.feed(b"\n\r\n")
    [Head(headers=((b'host', b'a'),), method=b'GET', target=b'/', status=0, protocol=b'HTTP/1.1', end=False)]
    """

    bodiless: Callable[[Head], bool]
    _data: bytearray = field(default_factory=bytearray)
    _left: int = 0
    _chunked: bool = False
    _until_close: bool = False
    _broken: bool = False

    def feed(self, data: bytes) -> list[Part]:
        """Take bytes; give the parts that are whole now."""
        self._data += data
        parts: list[Part] = []
        while not self._broken and (part := self._next()) is not None:
            parts.append(part)
        return parts

    def _next(self) -> Part | None:
        if self._until_close:
            return Data(self._take(len(self._data))) if self._data else None
        if self._left:
            piece = self._take(min(self._left, len(self._data)))
            self._left -= len(piece)
            return Data(piece) if piece else None
        return self._next_chunk() if self._chunked else self._next_head()

    def _take(self, count: int) -> bytes:
        piece = bytes(self._data[:count])
        del self._data[:count]
        return piece

    def _next_head(self) -> Part | None:
        end = self._data.find(_HEAD_END)
        if end < 0:
            return None
        head = _head(self._take(end + len(_HEAD_END)))
        self._broken = head is _UNREADABLE
        if not self.bodiless(head):
            self._chunked = head.chunked
            self._until_close = bool(head.status) and head.value(b"content-length") is None and not head.chunked
            self._left = 0 if head.chunked else as_number(head.value(b"content-length")) or 0
        return head

    def _next_chunk(self) -> Part | None:
        line_end = self._data.find(_LINE_END)
        if line_end < 0:
            return None
        size = _hexadecimal(bytes(self._data[:line_end]))
        if size is None:
            self._broken = True
            return _UNREADABLE
        if size == 0:
            return self._trailers(line_end)
        start = line_end + len(_LINE_END)
        if len(self._data) < start + size + len(_LINE_END):
            return None
        return Data(self._take(start + size + len(_LINE_END))[start : start + size])

    def _trailers(self, line_end: int) -> Part | None:
        end = self._data.find(_HEAD_END, line_end)
        if end < 0:
            return None
        self._chunked = False
        return End(_pairs(self._take(end + len(_HEAD_END)).split(_LINE_END)[1:-2]) or ())


def _hexadecimal(text: bytes) -> int | None:
    try:
        return int(text.partition(b";")[0], 16)
    except ValueError:
        return None


def _head(text: bytes) -> Head:
    start, *lines = text.split(_LINE_END)[:-2]
    words, pairs = start.split(b" ", 2), _pairs(lines)
    if len(words) < 3 or pairs is None:
        return _UNREADABLE
    if not words[0].startswith(b"HTTP/"):
        return Head(pairs, words[0], words[1], protocol=words[2]) if _VERSION.fullmatch(words[2]) else _UNREADABLE
    return Head(pairs, status=int(words[1]), protocol=words[0]) if words[1].isdigit() else _UNREADABLE


def _pairs(lines: list[bytes]) -> tuple[Pair, ...] | None:
    split = [line.partition(b":") for line in lines]
    if not all(mark for _, mark, _ in split):
        return None
    return tuple((name, value.strip(b" \t")) for name, _, value in split)


@dataclass(slots=True)
class Conversation:
    """Which method each response answers: a response to HEAD has no body."""

    _methods: deque[bytes] = field(default_factory=deque)

    def asked(self, head: Head) -> bool:
        """Take note of a request; it may have a body."""
        self._methods.append(head.method)
        return False

    def answered(self, head: Head) -> bool:
        """Whether a response has no body."""
        if head.status < 200:
            return True
        method = self._methods.popleft() if self._methods else b""
        return method == b"HEAD" or bodiless_status(head.status)
