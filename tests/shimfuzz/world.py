"""What surrounds the guests: a thread with a clock, and streams whose maps come and go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import BufferType, HeaderMapType, LogLevel, Status, StreamType
from meshsim.abi.context import Context
from meshsim.abi.metrics import MetricValues
from meshsim.abi.ports import LocalResponse, NoStream, PropertyUnavailable
from meshsim.abi.queues import Consumer, SharedQueues
from meshsim.abi.shared import SharedData
from meshsim.envoy.buffer import BodyBuffer, ReadOnlyBuffer
from meshsim.envoy.headers import HeaderMap, Kind

_PROPERTIES: Mapping[bytes, PropertyValue | None] = {
    b"plugin_name": b"p",
    b"plugin_root_id": b"root",
    b"xds": b"node",
    b"request": 200,
    b"nothing": None,
}


@dataclass
class Clock:
    """Time that passes as host calls, readings and callbacks say, in odd amounts."""

    now_ns: int = 1_000
    host_call_ns: int = 7
    clock_read_ns: int = 3
    fuel: int = 0

    @property
    def wall_ns(self) -> int:
        return 10**15 + self.now_ns

    def callback(self, fuel: int, callbacks: int = 1) -> None:
        self.now_ns += 1_000 * callbacks + fuel
        self.fuel += fuel

    def guest(self, fuel: int) -> None:
        self.now_ns += fuel

    def host_call(self) -> None:
        self.now_ns += self.host_call_ns

    def host_calls(self, calls: int, readings: int) -> None:
        self.now_ns += calls * self.host_call_ns + readings * self.clock_read_ns


@dataclass
class Thread:
    """A VM's host that remembers what it is told."""

    meter: Clock = field(default_factory=Clock)
    record: Callable[[Any], None] | None = None
    hand_over: Callable[[], None] | None = None
    shared_data: SharedData = field(default_factory=SharedData)
    shared_queues: SharedQueues = field(default_factory=SharedQueues)
    metric_values: MetricValues = field(default_factory=MetricValues)
    environment: Mapping[str, str] = field(default_factory=dict)
    log_level: int = 1
    keeps_logs: bool = True
    told: list[tuple[Any, ...]] = field(default_factory=list)
    answering: bool = False

    def log(self, level: LogLevel, text: str) -> None:
        self.told.append(("log", level, text))

    def report(self, level: LogLevel, text: str) -> None:
        self.told.append(("report", level, text))

    def now_ns(self) -> int:
        self.meter.now_ns += self.meter.clock_read_ns
        return self.meter.now_ns

    def epoch_ns(self) -> int:
        return 10**15 + self.now_ns()

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)

    def set_tick_period(self, root: Context, period_ms: int) -> None:
        self.told.append(("tick", root.id, period_ms))

    def resolve_dns(self, name: str, done: Callable[[Sequence[str] | None], None]) -> None:
        """Answer at once, in the middle of the host call; but not while that answer is heard."""
        self.told.append(("resolve", name, self.meter.now_ns))
        if not self.answering:
            self.answering = True
            done(["10.0.0.1"])
            self.answering = False

    def queue_consumer(self, root: Context) -> Consumer:
        return lambda token: self.told.append(("queue", root.id, token))

    def has_cluster(self, name: str) -> bool:
        return False


class Windows(NoStream):
    """A stream: which maps and bodies the module may touch now."""

    def __init__(self, thread: Thread) -> None:
        self._thread = thread
        self.readable: dict[HeaderMapType, HeaderMap] = {}
        self.writable: dict[HeaderMapType, HeaderMap] = {}
        self.bodies: dict[BufferType, BodyBuffer | ReadOnlyBuffer] = {}
        self.in_access_log = False
        self.changed: set[int] = set()
        self.after: Callable[[Callable[[], None]], None] = lambda _: None

    def open(self, kind: HeaderMapType, header_map: HeaderMap) -> None:
        self.readable[kind] = self.writable[kind] = header_map

    def close(self) -> None:
        self.readable.clear()
        self.writable.clear()
        self.bodies.clear()

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        return self.readable.get(kind)

    def mutable_header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        if kind is HeaderMapType.REQUEST_TRAILERS and BufferType.REQUEST_BODY in self.bodies:
            self.open(kind, self.writable.get(kind) or HeaderMap(kind=Kind.TRAILERS))
        return self.writable.get(kind)

    def buffer(self, kind: BufferType) -> BodyBuffer | ReadOnlyBuffer | None:
        if kind in (BufferType.REQUEST_BODY, BufferType.RESPONSE_BODY):
            return self.bodies.get(kind) or ReadOnlyBuffer()
        return ReadOnlyBuffer(b"configuration") if kind is BufferType.PLUGIN_CONFIGURATION else None

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        if path[0] not in _PROPERTIES:
            raise PropertyUnavailable(Status.NOT_FOUND)
        return _PROPERTIES[path[0]]

    def set_property(self, path: bytes, value: bytes) -> Status:
        self._thread.told.append(("property", path, value))
        return Status.OK

    def headers_changed(self, kind: HeaderMapType) -> None:
        self.changed.add(kind)

    def continue_stream(self, kind: StreamType) -> None:
        self.after(lambda: self._thread.told.append(("continue", kind, self._thread.meter.now_ns)))
        self.close()

    def send_local_response(self, response: LocalResponse) -> None:
        self.after(lambda: self._thread.told.append(("reply", response, self._thread.meter.now_ns)))

    def fail_stream(self) -> None:
        self._thread.told.append(("fail", self._thread.meter.now_ns))
