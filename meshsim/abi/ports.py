"""What the ABI layer needs of the proxy around it, as Protocols.

The layer knows neither Envoy's threads nor its filter chains. A *VM host* stands for the thread and the process
that a VM lives in; a *context host* for the stream (or the plugin, for root contexts) that a context belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from meshsim.abi.codec import Pair, PropertyValue
from meshsim.abi.constants import BufferType, HeaderMapType, LogLevel, Status, StreamType
from meshsim.abi.events import Event
from meshsim.abi.metrics import MetricValues
from meshsim.abi.queues import Consumer, SharedQueues
from meshsim.abi.shared import SharedData

if TYPE_CHECKING:
    from meshsim.abi.callouts import Cancel, Done, HttpCall
    from meshsim.abi.context import Context
    from meshsim.abi.grpc import GrpcEvents, GrpcHandle, GrpcRequest


class HeaderMap(Protocol):
    """An ordered multimap; keys come lower-cased."""

    def pairs(self) -> Sequence[Pair]:
        """Every entry, in order."""

    def get(self, key: bytes) -> bytes | None:
        """The first value of a key, or None."""

    def add(self, key: bytes, value: bytes) -> None:
        """Append an entry."""

    def replace(self, key: bytes, value: bytes) -> None:
        """Set a key to one value."""

    def remove(self, key: bytes) -> None:
        """Remove every entry of a key."""

    def byte_size(self) -> int:
        """Bytes of all keys and values."""


class Buffer(Protocol):
    """A body, or other bytes, as a guest sees them."""

    def size(self) -> int:
        """Bytes in the buffer."""

    def read(self, start: int, length: int) -> bytes:
        """A piece that lies inside."""

    def splice(self, start: int, length: int, data: bytes) -> Status:
        """Change the buffer in the way of ``proxy_set_buffer_bytes``."""


@dataclass(frozen=True, slots=True)
class LocalResponse:
    """What ``proxy_send_local_response`` asks for; ``grpc_status`` None when none was given."""

    status: int
    details: bytes
    body: bytes
    headers: tuple[Pair, ...]
    grpc_status: int | None


class PropertyUnavailable(Exception):
    """A property that cannot be read; ``status`` is what the guest gets."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class ContextHost(Protocol):
    """What stands behind a context: for a root context everything about streams is absent."""

    @property
    def in_access_log(self) -> bool:
        """Whether ``proxy_on_log`` runs: maps are copies then, and may be missing."""

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """The map for reading, or None when it is not there now."""

    def mutable_header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """The map for writing; asking may create trailers, as in Envoy."""

    def buffer(self, kind: BufferType) -> Buffer | None:
        """The buffer, or None when this context never has it."""

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """An attribute; raises :class:`PropertyUnavailable`."""

    def set_property(self, path: bytes, value: bytes) -> Status:
        """Leave a value on the stream."""

    def set_filter_state(self, name: bytes, made: bytes | None) -> Status:
        """Put an object on the stream, in its serialised form (None: it has none, and attributes do not show it)."""

    def headers_changed(self, kind: HeaderMapType) -> None:
        """A guest changed a map (a changed request clears the route cache)."""

    def clear_route_cache(self) -> None:
        """Choose the route anew."""

    def continue_stream(self, kind: StreamType) -> None:
        """Resume, after the callback that asks for it (see :meth:`ProxyWasm.after_call`)."""

    def close_stream(self, kind: StreamType) -> None:
        """Reset, after the callback that asks for it."""

    def send_local_response(self, response: LocalResponse) -> None:
        """Answer, after the callback that asks for it; nothing happens where there is no stream."""

    def fail_stream(self) -> None:
        """The VM has failed: end the stream as the plugin's policy says."""


class Meter(Protocol):
    """Turns what a VM does into time."""

    def callback(self, fuel: int, callbacks: int = 1) -> None:
        """Calls into the module are over, one or several; the guest has burnt ``fuel`` in them.

        How a number of units of fuel is split between calls does not change the time that they take together.
        """

    def guest(self, fuel: int) -> None:
        """The guest has burnt ``fuel``, and its callback goes on."""

    def host_call(self) -> None:
        """The module has called the host."""

    def host_calls(self, calls: int, readings: int) -> None:
        """The module has called the host so often, and has read a clock so often besides."""

    def run(self, fuel: int, callbacks: int, calls: int, readings: int) -> None:
        """All of these at once."""

    @property
    def host_call_ns(self) -> int:
        """What a host call takes."""

    @property
    def clock_read_ns(self) -> int:
        """What a reading of a clock takes."""

    @property
    def wall_ns(self) -> int:
        """The virtual wall clock, in ns since 1970; to look at it takes no time."""


class VmHost(Protocol):
    """The thread and process around one VM."""

    @property
    def meter(self) -> Meter | None:
        """Who charges time, or None when time does not pass."""

    @property
    def hand_over(self) -> Callable[[], None] | None:
        """What lets other threads go first, called at each host call; None when callbacks are atomic."""

    @property
    def shared_data(self) -> SharedData:
        """The process's shared key-value store."""

    @property
    def shared_queues(self) -> SharedQueues:
        """The process's shared queues."""

    def queue_consumer(self, root: Context) -> Consumer:
        """Return what tells a root context of messages, later and on its thread."""

    @property
    def metric_values(self) -> MetricValues:
        """The process's custom metrics."""

    @property
    def environment(self) -> Mapping[str, str]:
        """Environment variables of the VM."""

    @property
    def record(self) -> Callable[[Event], None] | None:
        """Where crossings go, or None when nobody wants them."""

    @property
    def keeps_logs(self) -> bool:
        """Whether :meth:`log` does anything."""

    @property
    def log_level(self) -> int:
        """The least level that the host keeps, as spdlog numbers it."""

    def log(self, level: LogLevel, text: str) -> None:
        """A line written by the guest."""

    def report(self, level: LogLevel, text: str) -> None:
        """A line that the host writes about the guest."""

    def now_ns(self) -> int:
        """Virtual time of the thread, in ns since the start of the run."""

    def epoch_ns(self) -> int:
        """The virtual wall clock, in ns since 1970."""

    def random_bytes(self, count: int) -> bytes:
        """Bytes of a seeded stream."""

    def set_tick_period(self, root: Context, period_ms: int) -> None:
        """Set the root context's timer; 0 stops it."""

    def resolve_dns(self, name: str, done: Callable[[Sequence[str] | None], None]) -> None:
        """Find a name's addresses, None when it has none; ``done`` is called now or later."""

    def has_cluster(self, name: str) -> bool:
        """Whether there is a cluster of this name."""

    def grpc(self, request: GrpcRequest, message: bytes | None, events: GrpcEvents) -> GrpcHandle:
        """Begin a gRPC call to a cluster that exists; a stream has no first message (None)."""

    def http_call(self, call: HttpCall, done: Done) -> Cancel | None:
        """Send a request to a cluster that exists; None: it failed at once, and ``done`` is never called."""


class NoStream:
    """The context host of contexts without a stream: root contexts, and the VM's own."""

    in_access_log = False

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """None: there is no message."""
        return None

    mutable_header_map = header_map

    def buffer(self, kind: BufferType) -> Buffer | None:
        """None: there is no body."""
        return None

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """Nothing is known."""
        raise PropertyUnavailable(Status.NOT_FOUND)

    def set_property(self, path: bytes, value: bytes) -> Status:
        """There is nothing to put it on."""
        return Status.NOT_FOUND

    def set_filter_state(self, name: bytes, made: bytes | None) -> Status:
        """There is nothing to put it on."""
        return Status.NOT_FOUND

    def headers_changed(self, kind: HeaderMapType) -> None:
        """Cannot happen without maps."""

    def clear_route_cache(self) -> None:
        """There is no route."""

    def continue_stream(self, kind: StreamType) -> None:
        """There is nothing to resume."""

    def close_stream(self, kind: StreamType) -> None:
        """There is nothing to reset."""

    def send_local_response(self, response: LocalResponse) -> None:
        """There is nobody to answer."""

    def fail_stream(self) -> None:
        """There is no stream to fail."""
