"""The connection manager behind network filters: the last one of a connection that speaks HTTP."""

from __future__ import annotations

from collections.abc import Callable

from meshsim.abi.constants import CloseType
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.http1_bytes import Conversation, PartReader, PartWriter
from meshsim.envoy.tcp import Connection, NetworkFilter
from meshsim.envoy.wire import Part, Reader, Wire


class ManagerWire:
    """What the connection manager takes for its end of the connection."""

    http2 = False

    def __init__(self, connection: Connection) -> None:
        self.reader: Reader | None = None
        self._connection = connection
        self._writer = PartWriter()
        self._unwritten = BodyBuffer()
        self._closing = False

    @property
    def closed(self) -> bool:
        """Whether nothing is read or written any more."""
        return self._closing or self._connection.is_closed

    def write(self, part: Part) -> None:
        """Write a part through the filters."""
        self.write_all([part])

    def write_all(self, parts: list[Part]) -> None:
        """Write parts through the filters at once."""
        if self.closed:
            return
        data = b"".join(map(self._writer.write, parts))
        self._unwritten.data += data
        self._connection.write(self._unwritten)

    def cut(self) -> None:
        """Close this end."""
        self.close()

    def close(self) -> None:
        """Close when the current task is over: until then, filters tell of the stream's end."""
        self._closing = True
        self._connection.thread.at_end_of_task(lambda: self._connection.close(CloseType.LOCAL))

    def linger(self, delay_ns: int) -> None:
        """Close when the client does, or ``delay_ns`` later."""
        self._closing = True
        self._connection.linger(delay_ns)


class HttpManager(NetworkFilter):
    """A connection manager as a network filter; ``serve`` makes one that reads and writes on a wire."""

    def __init__(self, serve: Callable[[Wire], object]) -> None:
        self._serve = serve
        self._reader = PartReader(Conversation().asked)
        self._wire: ManagerWire | None = None

    def new_connection(self) -> bool:
        """Begin to serve."""
        self._wire = ManagerWire(self.connection)
        self._serve(self._wire)
        return True

    def data(self, data: BodyBuffer, end: bool) -> bool:
        """Read what has arrived."""
        parts = self._reader.feed(bytes(data.data))
        data.data = bytearray()
        if parts and self._wire and self._wire.reader:
            self._wire.reader.on_read(parts)
            self.connection.info.protocol = "HTTP/1.1"
        return False

    def closed(self, by: CloseType) -> None:
        """Cut the stream that is open."""
        if self._wire and self._wire.reader:
            self._wire.reader.on_close()
