"""What surrounds a filter that runs over a table: a thread that stands still, and streams that are rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING, Any, cast

from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import BufferType, HeaderMapType, LogLevel, Status, StreamType
from meshsim.abi.events import Event
from meshsim.abi.metrics import MetricValues
from meshsim.abi.ports import GrpcHandle, LocalResponse, NoStream, PropertyUnavailable
from meshsim.abi.queues import Consumer, SharedQueues
from meshsim.abi.shared import SharedData
from meshsim.abi.vm_host import Meter
from meshsim.envoy.attributes import Subject, stream_attribute
from meshsim.envoy.buffer import ReadOnlyBuffer
from meshsim.envoy.config.core import Node
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.stream_info import StreamInfo
from meshsim.errors import NotModelled

if TYPE_CHECKING:
    from meshsim.abi.callouts import Cancel, Done, HttpCall
    from meshsim.abi.context import Context, Plugin
    from meshsim.abi.grpc import GrpcEvents, GrpcRequest
    from meshsim.envoy.batch.table import Row

#: Virtual time of all rows as a wall clock: 2026-01-01 00:00:00 UTC, in ns.
EPOCH_NS = 1_767_225_600_000_000_000

_PLUGIN_ATTRIBUTES = (b"plugin_name", b"plugin_root_id", b"plugin_vm_id", b"xds")
_STREAM_ATTRIBUTES = (b"request", b"response")


class BatchThread:
    """The thread of a filter for tables: next to no time passes on it, there are no clusters and no timers."""

    record: Callable[[Event], None] | None = None
    hand_over: Callable[[], None] | None = None
    meter: Meter | None = None
    environment: Mapping[str, str] = {}
    log_level = int(LogLevel.TRACE)

    def __init__(self, keeps_logs: bool) -> None:
        self.keeps_logs = keeps_logs
        self.shared_data = SharedData()
        self.shared_queues = SharedQueues()
        self.metric_values = MetricValues()
        #: Lines of the row that runs, and those of the host about the filter.
        self.lines: list[tuple[str, str]] = []
        self.reports: list[str] = []
        self._random = Random(0)
        self._readings = 0

    def log(self, level: LogLevel, text: str) -> None:
        """Keep a line of the filter's, without Envoy's prefix."""
        if self.keeps_logs:
            self.lines.append((level.envoy_name, text.partition(": ")[2]))

    def report(self, level: LogLevel, text: str) -> None:
        """Keep what the host says."""
        self.reports.append(text)

    def now_ns(self) -> int:
        """Time stands still, but for a nanosecond a reading, so that nobody waits for ever (and Go starts)."""
        self._readings += 1
        return self._readings

    def epoch_ns(self) -> int:
        """The same on the wall."""
        return EPOCH_NS + self.now_ns()

    def random_bytes(self, count: int) -> bytes:
        """Bytes of a seeded stream."""
        return self._random.randbytes(count)

    def set_tick_period(self, root: Context, period_ms: int) -> None:
        """A timer never fires: all rows have the same time."""

    def has_cluster(self, name: str) -> bool:
        """There is none."""
        return False

    def queue_consumer(self, root: Context) -> Consumer:
        """Nobody is told of messages."""
        return lambda _: None

    def resolve_dns(self, name: str, done: Callable[[Sequence[str] | None], None]) -> None:
        """No name has an address."""
        done(None)

    def http_call(self, call: HttpCall, done: Done) -> Cancel | None:
        """Cannot happen without clusters."""
        raise NotModelled("callouts in a batch")

    def grpc(self, request: GrpcRequest, message: bytes | None, events: GrpcEvents) -> GrpcHandle:
        """Cannot happen without clusters."""
        raise NotModelled("callouts in a batch")


class BatchPlugin:
    """The plugin's names, as attributes ask for them."""

    epoch_ns = EPOCH_NS
    node = Node()
    cluster_hosts: Mapping[str, int] = {}

    def __init__(self, plugin: Plugin) -> None:
        self.name, self.root_id, self.vm_id = plugin.name, plugin.root_id, plugin.vm_id


class BatchRoot(NoStream):
    """What stands behind the root context."""

    def __init__(self, plugin: Plugin, vm_configuration: bytes) -> None:
        self._configurations = {
            BufferType.PLUGIN_CONFIGURATION: ReadOnlyBuffer(plugin.configuration),
            BufferType.VM_CONFIGURATION: ReadOnlyBuffer(vm_configuration),
        }
        self.attributes = BatchPlugin(plugin)

    def buffer(self, kind: BufferType) -> ReadOnlyBuffer | None:
        """Configurations."""
        return self._configurations.get(kind)

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """Attributes of the plugin."""
        if path[0] not in _PLUGIN_ATTRIBUTES:
            raise PropertyUnavailable(Status.NOT_FOUND)
        return stream_attribute(path, self.attributes, cast(Subject, None), self)


class RowStream(NoStream):
    """A row as the stream behind a context; what is shown is a map of it, or none."""

    route = virtual_host = None

    def __init__(self, row: Row, root: BatchRoot, queue: Callable[[Callable[[], None]], None]) -> None:
        self._root = root
        self._queue = queue
        self.request_headers = _map(row.request, Kind.REQUEST)
        self.response_headers = _map(row.response, Kind.RESPONSE) if row.response else None
        self.info = StreamInfo(0, ("127.0.0.1", 1), ("127.0.0.1", 80), 0, cast(Any, None))
        self.shown: HeaderMapType | None = None
        self.in_access_log = False
        self.reply: LocalResponse | None = None

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """The map that is shown; while the filter logs, both."""
        if kind is not self.shown and not self.in_access_log:
            return None
        if kind is HeaderMapType.REQUEST_HEADERS:
            return self.request_headers
        return self.response_headers if kind is HeaderMapType.RESPONSE_HEADERS else None

    def mutable_header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """The map that is shown."""
        return None if self.in_access_log else self.header_map(kind)

    def buffer(self, kind: BufferType) -> ReadOnlyBuffer | None:
        """Bodies are empty."""
        return ReadOnlyBuffer() if kind <= BufferType.RESPONSE_BODY else self._root.buffer(kind)

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """Attributes of the plugin, the request and the response."""
        if path[0] in _STREAM_ATTRIBUTES:
            return stream_attribute(path, self._root.attributes, cast(Subject, self), self)
        return self._root.get_property(path)

    def continue_stream(self, kind: StreamType) -> None:
        """There is nobody to wait for."""

    def send_local_response(self, response: LocalResponse) -> None:
        """The filter answers itself; the first answer counts."""

        def answer() -> None:
            self.reply = self.reply or response

        self._queue(answer)


def _map(block: bytes, kind: Kind) -> HeaderMap:
    header_map = HeaderMap(kind=kind)
    header_map.adopt(block)
    return header_map
