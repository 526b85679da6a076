"""Connections as network filters see them: bytes, in both directions.

Theory of operation. What arrives gathers in one buffer, which the filters see in their order; one that stops keeps
the ones behind it waiting, and when more arrives, or the filter continues, the buffer is shown again: from the first
filter on, or from the one behind it. The last filter empties the buffer. What is written goes through the filters in
reverse, and what a filter keeps back stays with the writer, who writes it again with what comes next. With half-close
(the TCP proxy asks for it) the client's close is the end of its data, and the connection ends when both directions
have; without, it ends the connection. As in Envoy's ``FilterManagerImpl``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from meshsim.abi.constants import CloseType
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.config.route import VirtualHost
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.http1_bytes import Conversation, PartReader, PartWriter
from meshsim.envoy.routing import Match
from meshsim.envoy.stream_info import StreamInfo
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Head, Part, Socket
from meshsim.errors import NotModelled


class NetworkFilter:
    """A network filter that lets everything pass; subclasses override what they care about."""

    connection: Connection
    #: Whether the filter goes on reading the upstream's answer when the client sends no more.
    half_close = False

    def attached(self) -> None:
        """Take note of the connection, before any filter is told of it."""

    def new_connection(self) -> bool:
        """Take a new connection; False: later filters wait, for data or for this filter to go on."""
        return True

    def data(self, data: BodyBuffer, end: bool) -> bool:
        """Take what has arrived; False keeps it from later filters."""
        return True

    def write(self, data: BodyBuffer, end: bool) -> bool:
        """Take what is to be written; False keeps it back."""
        return True

    def closed(self, by: CloseType) -> None:
        """Take note of the connection's end."""


class ByteSocket:
    """One end of a connection, as bytes.

    ``serves`` says which end it is: the one that reads requests and writes responses, or the other one.
    """

    def __init__(self, socket: Socket, *, serves: bool) -> None:
        if socket.http2:
            raise NotModelled("HTTP/2 through a network filter")
        self._socket = socket
        self._serves = serves
        self._conversation = Conversation()
        bodiless = self._conversation.answered if serves else self._conversation.asked
        self._outgoing = PartReader(bodiless)
        self._incoming = PartWriter()

    def bytes_of(self, parts: list[Part]) -> bytes:
        """Return what has arrived as bytes."""
        for part in parts:
            if self._serves and isinstance(part, Head):
                self._conversation.asked(part)
        return b"".join(map(self._incoming.write, parts))

    def write(self, data: bytes) -> None:
        """Write bytes; they leave when the current task is over, a head when it is whole."""
        self._socket.write_all(self._outgoing.feed(data))

    def finish(self) -> None:
        """Write nothing more, and go on reading."""
        self._socket.finish()

    def close(self) -> None:
        """Close, behind what has been written."""
        self._socket.close()


class ConnectionSubject:
    """A connection in the place of a stream, for attributes: there is no route, and no message."""

    route: Match | None = None
    virtual_host: VirtualHost | None = None
    response_headers: HeaderMap | None = None

    def __init__(self, info: StreamInfo) -> None:
        self.info = info
        self.request_headers = HeaderMap()


class Connection:
    """A downstream connection with network filters; ``ended`` is called when it is over."""

    def __init__(
        self,
        thread: Thread,
        socket: Socket,
        info: StreamInfo,
        filters: Sequence[NetworkFilter],
        ended: Callable[[], None],
    ) -> None:
        self.thread = thread
        self.subject = ConnectionSubject(info)
        self.info = info
        self.is_closed = False
        self._filters = filters
        self._ended = ended
        self._wire = ByteSocket(socket, serves=True)
        self._arrived: list[bytes] = []
        self._read = BodyBuffer()
        self._begun = 0
        self._paused = self._lingers = False
        self._client_closed = self._read_ended = self._write_ended = False
        self._half_close = socket.half_close = any(network_filter.half_close for network_filter in filters)
        for network_filter in filters:
            network_filter.connection = self
            network_filter.attached()
        socket.reader = self

    def open(self) -> None:
        """Tell the filters of the connection, in their order, until one stops."""
        while self._begun < len(self._filters) and self._begin_next():
            continue

    def _begin_next(self) -> bool:
        network_filter = self._filters[self._begun]
        self._begun += 1
        return network_filter.new_connection() and not self.is_closed

    # -- reading ---

    def on_read(self, parts: list[Part]) -> None:
        """Take what has arrived."""
        if not self.is_closed:
            self._arrived.append(self._wire.bytes_of(parts))
            self._deliver()

    def on_close(self) -> None:
        """Take note that the client has closed."""
        self._client_closed = True
        self._deliver()

    def pause_reading(self) -> None:
        """Leave what arrives where it is."""
        self._paused = True

    def resume_reading(self) -> None:
        """Read on, and what has waited first."""
        self._paused = False
        self.thread.post(self._deliver)

    @property
    def _reads(self) -> bool:
        """Whether the filters can be shown what arrives."""
        return not self._paused and not self.is_closed

    def _deliver(self) -> None:
        if self._lingers:
            if self._client_closed:
                self.close(CloseType.REMOTE)
            return
        if not self._reads:
            return
        while self._arrived:
            data = self._arrived.pop(0)
            self.info.bytes_received += len(data)
            self._read.data += data
            self._run(0)
            if not self._reads:
                return
        if self._client_closed and not self._read_ended:
            self._end_of_data()

    def _end_of_data(self) -> None:
        if not self._half_close:
            self.close(CloseType.REMOTE)
            return
        self._read_ended = True
        self._run(0)
        if self._write_ended:
            self.close(CloseType.REMOTE)

    def resume(self, after: NetworkFilter) -> None:
        """Let the filters behind one see what it has kept back."""
        if not self.is_closed:
            self._run(self._filters.index(after) + 1)

    def _run(self, first: int) -> None:
        for i in range(first, len(self._filters)):
            if self.is_closed or (i >= self._begun and not self._begin_next()):
                return
            if (self._read.data or self._read_ended) and not self._filters[i].data(self._read, self._read_ended):
                return

    # -- writing ---

    def write(self, data: BodyBuffer, end: bool = False) -> None:
        """Write through the filters; what one of them keeps back stays in ``data``."""
        for network_filter in reversed(self._filters):
            if self.is_closed or not network_filter.write(data, end):
                return
        if self.is_closed:
            return
        self.info.bytes_sent += data.size()
        self._wire.write(bytes(data.data))
        data.data = bytearray()
        if end:
            self._wire.finish()
            self._write_ended = True
            if self._read_ended:
                self.close(CloseType.LOCAL)

    # -- the end ---

    def close(self, by: CloseType) -> None:
        """End the connection, behind what has been written."""
        if not self.is_closed:
            self._wire.close()
            self._finish(by)

    def linger(self, delay_ns: int) -> None:
        """Read nothing more, and end the connection when the client closes, or ``delay_ns`` later."""
        self._lingers = True
        self.thread.post(lambda: self.close(CloseType.LOCAL), delay_ns)

    def _finish(self, by: CloseType) -> None:
        self.is_closed = True
        for network_filter in self._filters:
            network_filter.closed(by)
        self._ended()
