"""A host of plain lists and dicts for guests that are written in the tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import wasmtime

from meshsim.abi.callouts import Cancel, Done, HttpCall
from meshsim.abi.code import Code
from meshsim.abi.codec import Pair, PropertyValue
from meshsim.abi.constants import BufferType, HeaderMapType, LogLevel, Status, StreamType
from meshsim.abi.context import Context, Plugin
from meshsim.abi.events import Crossing
from meshsim.abi.grpc import GrpcEvents, GrpcRequest
from meshsim.abi.metrics import MetricValues
from meshsim.abi.ports import LocalResponse, PropertyUnavailable
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.queues import Consumer, SharedQueues
from meshsim.abi.shared import SharedData
from meshsim.abi.vm_host import Meter
from meshsim.wasm import Engine, Limits

PLUGIN = Plugin("p", "r", "vm", key="key", configuration=b"plugin configuration")


@dataclass
class Pairs:
    """A header map that is a list and nothing else."""

    entries: list[Pair] = field(default_factory=list)

    def pairs(self) -> list[Pair]:
        return self.entries

    def get(self, key: bytes) -> bytes | None:
        return next((value for name, value in self.entries if name == key), None)

    def add(self, key: bytes, value: bytes) -> None:
        self.entries.append((key, value))

    def replace(self, key: bytes, value: bytes) -> None:
        self.remove(key)
        self.add(key, value)

    def remove(self, key: bytes) -> None:
        self.entries = [pair for pair in self.entries if pair[0] != key]

    def byte_size(self) -> int:
        return sum(len(key) + len(value) for key, value in self.entries)


@dataclass
class Body:
    """A buffer that may be replaced whole."""

    data: bytes = b""

    def size(self) -> int:
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        assert start >= 0
        assert 0 <= length <= len(self.data) - start
        return self.data[start : start + length]

    def splice(self, start: int, length: int, data: bytes) -> Status:
        if start:
            return Status.BAD_ARGUMENT
        self.data = data + self.data[length:]
        return Status.OK


@dataclass
class FakeStream:
    """A stream that remembers what it is asked for."""

    maps: dict[HeaderMapType, Pairs] = field(default_factory=dict)
    buffers: dict[BufferType, Body] = field(default_factory=dict)
    properties: dict[bytes, PropertyValue | None] = field(default_factory=dict)
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    in_access_log: bool = False

    def header_map(self, kind: HeaderMapType) -> Pairs | None:
        return self.maps.get(kind)

    mutable_header_map = header_map

    def buffer(self, kind: BufferType) -> Body | None:
        return self.buffers.get(kind)

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        if path[0] not in self.properties:
            raise PropertyUnavailable(Status.NOT_FOUND)
        return self.properties[path[0]]

    def set_property(self, path: bytes, value: bytes) -> Status:
        self.properties[path] = value
        return Status.OK

    def headers_changed(self, kind: HeaderMapType) -> None:
        self.asked.append(("changed", kind))

    def clear_route_cache(self) -> None:
        self.asked.append(("clear route",))

    def continue_stream(self, kind: StreamType) -> None:
        self.asked.append(("continue", kind))

    def close_stream(self, kind: StreamType) -> None:
        self.asked.append(("close", kind))

    def send_local_response(self, response: LocalResponse) -> None:
        self.asked.append(("reply", response))

    def fail_stream(self) -> None:
        self.asked.append(("fail",))


@dataclass
class FakeGrpc:
    """A call that remembers what is sent."""

    sent: list[tuple[bytes, bool]] = field(default_factory=list)
    over: bool = False

    @property
    def half_closed(self) -> bool:
        return any(end for _, end in self.sent)

    def send(self, message: bytes, end: bool) -> None:
        self.sent.append((message, end))

    def close(self) -> None:
        self.sent.append((b"", True))

    def cancel(self) -> None:
        self.over = True


@dataclass
class FakeHost:
    """A thread whose clock stands still, and what guests said on it."""

    shared_data: SharedData = field(default_factory=SharedData)
    metric_values: MetricValues = field(default_factory=MetricValues)
    hand_over: Callable[[], None] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    events: list[Any] = field(default_factory=list)
    record: Callable[[Any], None] | None = None
    meter: Meter | None = None
    log_level: int = 2
    keeps_logs: bool = True
    logs: list[tuple[LogLevel, str]] = field(default_factory=list)
    reports: list[tuple[LogLevel, str]] = field(default_factory=list)
    ticks: dict[int, int] = field(default_factory=dict)
    calls: list[tuple[HttpCall, Done]] = field(default_factory=list)
    grpc_calls: list[tuple[GrpcRequest, bytes | None, GrpcEvents]] = field(default_factory=list)
    cancelled: list[HttpCall] = field(default_factory=list)
    shared_queues: SharedQueues = field(default_factory=SharedQueues)
    told: list[tuple[int, int]] = field(default_factory=list)

    def log(self, level: LogLevel, text: str) -> None:
        self.logs.append((level, text))

    def report(self, level: LogLevel, text: str) -> None:
        self.reports.append((level, text))

    def now_ns(self) -> int:
        return 5

    def epoch_ns(self) -> int:
        return 1_000_000_007

    def random_bytes(self, count: int) -> bytes:
        return b"\xaa" * count

    def set_tick_period(self, root: Context, period_ms: int) -> None:
        self.ticks[root.id] = period_ms

    def resolve_dns(self, name: str, done: Callable[[Sequence[str] | None], None]) -> None:
        done(["10.0.0.1"] if name == "known" else None)

    def has_cluster(self, name: str) -> bool:
        return name != "nowhere"

    def http_call(self, call: HttpCall, done: Done) -> Cancel | None:
        self.calls.append((call, done))
        return None if call.cluster == "refused" else lambda: self.cancelled.append(call)

    def grpc(self, request: GrpcRequest, message: bytes | None, events: GrpcEvents) -> FakeGrpc:
        self.grpc_calls.append((request, message, events))
        return FakeGrpc()

    def queue_consumer(self, root: Context) -> Consumer:
        return lambda token: self.told.append((root.id, token))

    def traced(self) -> FakeHost:
        """Record crossings from now on."""
        self.record = self.events.append
        return self

    def lines(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Crossing)]


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine()


MakeWasm = Callable[..., ProxyWasm]


@pytest.fixture(scope="session")
def make_wasm(engine: Engine) -> MakeWasm:
    """Make a VM of a module's text; ``initialize`` is left to the test unless ``ready``."""

    def make(
        text: str,
        host: FakeHost | None = None,
        *,
        ready: bool = True,
        vm_context: FakeStream | None = None,
        vm_configuration: bytes = b"vm configuration",
        limits: Limits | None = None,
        capabilities: frozenset[str] | None = None,
    ) -> ProxyWasm:
        code = Code.of(engine.compile(bytes(wasmtime.wat2wasm(text))))
        wasm = ProxyWasm(code, host or FakeHost(), vm_context or FakeStream(), vm_configuration, limits, capabilities)
        if ready:
            assert wasm.initialize()
        return wasm

    return make


def module(body: str = "", imports: str = "", version: str = "0_2_1") -> str:
    """Return the text of a guest with a marker, a page of memory and an allocator."""
    return f"""(module {imports}
      (memory (export "memory") 1)
      (func (export "proxy_abi_version_{version}"))
      (func (export "malloc") (param i32) (result i32) (i32.const 4096))
      {body})"""
