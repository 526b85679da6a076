"""HTTP between two ends: what is written, and what one read of the other end makes of it.

Not bytes but parts of messages travel here: a head, pieces of a body, an end. What matters to filters is kept:
everything that one task writes arrives in one read, pieces that arrive in one read are one piece, and a body that
is framed by its length ends where the length says, whatever was meant. In HTTP/2 the last piece says that it is the
last, and what was written and not sent when a stream is cut never leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from meshsim.envoy.account import Account
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.headers import HeaderMap, Pair, as_number
from meshsim.envoy.threads import Thread
from meshsim.envoy.timer_heap import Armed

#: One way over the loopback interface, in ns: assumed, not measured.
LOOPBACK_NS = 20_000
#: How long the kernel takes to make a connection, in ns, for both ends: assumed. Less than one way: a new connection of
#: bytes is there, and what its client has sent is seen, before the host of the one before it has closed (Envoy 1.40).
HANDSHAKE_NS = LOOPBACK_NS // 4
#: Envoy's default ``delayed_close_timeout``.
LINGER_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Head:
    """A start line and headers, as written. ``status`` is 0 in a request; ``end`` (HTTP/2): nothing follows."""

    headers: tuple[Pair, ...]
    method: bytes = b""
    target: bytes = b""
    status: int = 0
    protocol: bytes = b"HTTP/1.1"
    end: bool = False

    def value(self, name: bytes) -> bytes | None:
        """The first value of a header (names compare without case)."""
        for key, value in self.headers:
            if key.lower() == name:
                return value
        return None

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return (self.encoding or b"").lower() == b"chunked"

    @property
    def encoding(self) -> bytes | None:
        """The transfer's encoding, of several lines joined; None without one."""
        values = [value for key, value in self.headers if key.lower() == b"transfer-encoding"]
        return b",".join(filter(None, values)) if values else None

    @property
    def is_framed(self) -> bool:
        """Whether the length of the body can be read, where one is given."""
        length = self.value(b"content-length")
        return length is None or as_number(length) is not None


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of a body; ``end`` (HTTP/2): the last one."""

    data: bytes
    end: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """The end of a message, with trailers where there are any."""

    trailers: tuple[Pair, ...] = ()


Part = Head | Data | End


def body_parts(data: bytes, end: bool, *, http2: bool) -> list[Part]:
    """What is written for a piece of a body, and for its end."""
    if http2:
        return [Data(data, end)]
    pieces: list[Part] = [Data(data)] if data else []
    return [*pieces, End()] if end else pieces


class Wire(Protocol):
    """One end of a connection, as the connection manager writes to it and reads from it."""

    reader: Reader | None

    @property
    def http2(self) -> bool:
        """Whether HTTP/2 is spoken."""

    @property
    def closed(self) -> bool:
        """Whether this end is closed."""

    def write(self, part: Part) -> None:
        """Write a part; it leaves when the current task is over."""

    def write_all(self, parts: list[Part]) -> None:
        """Write parts that belong together."""

    def cut(self) -> None:
        """Close this end at once."""

    def close(self) -> None:
        """Close this end, behind what has been written."""

    def linger(self, delay_ns: int) -> None:
        """Close this end, and tell the other one only when it closes too, or ``delay_ns`` later."""


class Way(Protocol):
    """What lies between two ends, in one direction."""

    def arrival_ns(self, now_ns: int, size_bytes: int) -> int:
        """When a message of so many bytes arrives that leaves at ``now_ns``."""


def size_of(parts: Iterable[Part]) -> int:
    """Return how many bytes some parts are on the wire, nearly: framing of chunks is left out."""
    size = 0
    for part in parts:
        match part:
            case Head():
                size += 16 + len(part.target) + sum(len(name) + len(value) + 4 for name, value in part.headers)
            case Data():
                size += len(part.data)
    return size


class Reader(Protocol):
    """Who takes what arrives at one end."""

    def on_read(self, parts: list[Part]) -> None:
        """Take everything that has arrived."""

    def on_close(self) -> None:
        """The other end has closed."""


@dataclass(slots=True)
class Arrival:
    """What comes to an end of a connection, and when; ``closing`` says that nothing more will."""

    peer: Socket
    parts: list[Part]
    closing: bool
    time_ns: int

    def post(self) -> None:
        """Let it come."""
        self.peer.thread.post_at(self.deliver, self.time_ns)

    def deliver(self) -> None:
        """Have it read."""
        self.peer.arrive(self.parts, self.closing, self.time_ns)


@dataclass(slots=True, eq=False)
class Socket:
    """One end of a connection, owned by a thread.

    With ``half_close`` the other end's close is only the end of what it sends; this end may still write. What is
    written here takes ``latency_ns`` to the other end, or as long as ``way`` says. ``account`` is charged for the
    request under way.
    """

    thread: Thread
    latency_ns: int = LOOPBACK_NS
    http2: bool = False
    half_close: bool = False
    reader: Reader | None = None
    peer: Socket | None = None
    closed: bool = False
    way: Way | None = None
    account: Account | None = None
    #: The timer by which it writes, and the one that ends a connection without requests.
    armed: Armed | None = None
    idle: Armed | None = None
    _out: list[Part] = field(default_factory=list)
    _inbox: list[Part] = field(default_factory=list)
    _flushing: bool = False
    _closing: bool = False
    _told: bool = False
    _arrived_ns: int = 0

    @classmethod
    def pair(cls, client: Thread, server: Thread, *, http2: bool = False) -> tuple[Socket, Socket]:
        """Make both ends of a connection."""
        ends = cls(client, http2=http2), cls(server, http2=http2)
        ends[0].peer, ends[1].peer = ends[1], ends[0]
        return ends

    def charge(self, account: Account | None) -> None:
        """Charge what comes from now on, at both ends, to an account."""
        self.account = account
        if self.peer is not None:
            self.peer.account = account

    def arrival_ns(self, now_ns: int, size_bytes: int) -> int:
        """When the other end has what leaves at ``now_ns``; nothing overtakes what left before. Charges the account."""
        if self.way is None:
            time_ns = now_ns + self.latency_ns
        else:
            time_ns = self._arrived_ns = max(self.way.arrival_ns(now_ns, size_bytes), self._arrived_ns)
        if self.account is not None:
            self.account.network_ns += time_ns - now_ns
        return time_ns

    def write(self, part: Part) -> None:
        """Write a part; it leaves when the current task is over."""
        if not self.closed:
            self._out.append(part)
            self._flush_later()

    def write_all(self, parts: list[Part]) -> None:
        """Write parts that belong together."""
        for part in parts:
            self.write(part)

    def drop(self) -> None:
        """Close this end; what has not left yet never does."""
        self.recall()
        self.close()

    def recall(self) -> None:
        """Take back what has not left yet."""
        self._out.clear()

    def finish(self) -> None:
        """Write nothing more, and go on reading."""
        if not self.closed and not self._told:
            self._closing = True
            self._flush_later()

    def linger(self, delay_ns: int) -> None:
        """Close this end, and tell the other one only when it closes too, or ``delay_ns`` later."""
        if not self.closed:
            self.closed = True
            self.thread.post(self._tell, delay_ns)
            if self.thread.rounds is not None:
                self.idle = self.thread.rounds.arm(delay_ns)
                self.thread.rounds.hasten(self)

    def _tell(self) -> None:
        """Tell the other end, unless it knows or is closed too, that this one is closed."""
        assert self.peer
        self._forget_idle()
        if not self._told and not self.peer.closed:
            self._closing = True
            self._flush_later()

    def cut(self) -> None:
        """Close this end at once: in HTTP/2 a stream that is cut takes with it what has not left yet."""
        if self.http2:
            self._out.clear()
        self.close()

    def close(self) -> None:
        """Close this end, behind what has been written."""
        if not self.closed:
            self.closed = True
            self._closing = True
            self._forget_idle()
            if self.thread.rounds is not None:
                self.thread.rounds.hasten(self)
            self._flush_later()

    def sever(self) -> None:
        """Close this end because its process is gone: what has not left never does."""
        if not self.closed:
            self.closed = self._closing = True
            self._forget_idle()
            self._out.clear()
            self.flush()

    def _forget_idle(self) -> None:
        if self.idle is not None and self.thread.rounds is not None:
            self.thread.rounds.disarm(self.idle)

    def _flush_later(self) -> None:
        if not self._flushing:
            self._flushing = True
            rounds = self.thread.rounds
            if rounds is None or self.http2 or not self._out:
                self.thread.at_end_of_task(self.flush)
            else:
                rounds.write(self)

    @property
    def is_own(self) -> bool:
        """Whether the other end belongs to the same thread, on this machine."""
        return self.peer is not None and self.peer.thread is self.thread and self.way is None

    @property
    def has_output(self) -> bool:
        """Whether something has not left yet."""
        return bool(self._out) or self._closing

    def flush(self) -> None:
        """Let everything leave."""
        arrival = self.leave()
        if arrival is not None:
            arrival.post()

    def leave(self) -> Arrival | None:
        """Take everything that is to leave; None when there is nothing, or when all has been taken back."""
        assert self.peer
        self._flushing = False
        parts, self._out = self._out, []
        closing, self._closing = self._closing and not self._told, False
        self._told = self._told or closing
        peer = self.peer
        if not parts and not closing:
            return None
        if parts:
            time_ns = self.arrival_ns(self.thread.now_ns, size_of(parts) if self.way else 0)
        else:
            time_ns = max(self.thread.now_ns + self.latency_ns, self._arrived_ns)
        return Arrival(peer, parts, closing, time_ns)

    def arrive(self, parts: list[Part], closing: bool, time_ns: int) -> None:
        """Read what the other end has written."""
        if parts and self.account is not None:
            self.account.wait_ns += self.thread.now_ns - time_ns
        if self.closed and closing:
            self._tell()
        if self.reader is None or self.closed:
            return
        if parts:
            self.reader.on_read(parts)
        if closing and not self.closed:
            self.closed = not self.half_close
            if self.closed:
                self.recall()  # an answer to what came together with the end never leaves
            self._forget_idle()
            self.reader.on_close()
            if self.closed:
                self._tell()


class MessageSink(Protocol):
    """Who takes a message from the codec."""

    def headers(self, head: Head, end: bool) -> None:
        """Take the head; ``end`` says that nothing follows."""

    def data(self, data: BodyBuffer, end: bool) -> None:
        """Take a piece of the body."""

    def trailers(self, trailers: HeaderMap) -> None:
        """Take the trailers, which end the message."""


@dataclass(slots=True)
class MessageReader:
    """Cuts what arrives into a message's pieces, as Envoy's HTTP/1 codec does.

    Body bytes of one read are one piece; the end of a message with a body is a piece of its own, empty.
    ``bodiless`` says that the message has no body whatever its head says (the answer to HEAD); ``informational`` takes
    heads before that of the answer.
    """

    sink: MessageSink
    keep_trailers: bool = False
    bodiless: Callable[[Head], bool] = lambda _: False
    http2: bool = False
    informational: Callable[[Head], None] | None = None
    complete: bool = False
    _left: int | None = 0
    _open: bool = False

    def read(self, parts: list[Part]) -> list[Part]:
        """Deliver one read; give back what lies behind the message's end."""
        pending = BodyBuffer()
        for i, part in enumerate(parts):
            if self.complete:
                return parts[i + isinstance(part, End) :]
            match part:
                case Head() if self.informational and 100 <= part.status < 200 and part.status != 101:
                    self.informational(part)
                case Head():
                    self._begin(part)
                case Data() if self.http2:
                    if pending.data and part.end and not part.data:
                        before, pending = pending, BodyBuffer()
                        self.sink.data(before, False)
                    pending.data += part.data
                    if part.end:
                        self.complete = True
                        self.sink.data(pending, True)
                case Data():
                    piece = part.data if self._left is None else part.data[: self._left]
                    pending.data += piece
                    if self._left is not None:
                        self._left -= len(piece)
                        if not self._left:
                            self._finish(pending, ())
                case End() if self._left is None:
                    self._finish(pending, part.trailers)
        if pending.data and not self.complete:
            self.sink.data(pending, False)
        return []

    def _begin(self, head: Head) -> None:
        self._left = None if head.chunked or self.http2 else as_number(head.value(b"content-length")) or 0
        if self.bodiless(head):
            self._left = 0
        self.complete = head.end if self.http2 else self._left == 0
        self.sink.headers(head, self.complete)

    def _finish(self, pending: BodyBuffer, trailers: tuple[Pair, ...]) -> None:
        self.complete = True
        if pending.data:
            piece, pending.data = BodyBuffer(pending.data), bytearray()
            self.sink.data(piece, False)
        if trailers and (self.keep_trailers or self.http2):
            self.sink.trailers(HeaderMap((key.lower(), value) for key, value in trailers))
        else:
            self.sink.data(BodyBuffer(), True)
