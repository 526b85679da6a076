"""A filter without a proxy: meshsim's VM and host functions against the same on wasmtime's public Python API.

Both run the same guest on the same messages: six callbacks a request, and ten host calls of which four make the host
call the guest's allocator. What a host call reads and changes (:mod:`tests.bench.world`) is the same code for both; so
the difference is the way in and out of the guest, and what meshsim does there on top: contexts, restrictions, failed
VMs, what a callback queues. Nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import wasmtime

from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import BufferType, HeaderMapType, HeadersAction, LogLevel, Status
from meshsim.abi.context import Context, Plugin
from meshsim.abi.metrics import MetricValues
from meshsim.abi.ports import NoStream, PropertyUnavailable
from meshsim.abi.proxy_wasm import Code, ProxyWasm
from meshsim.abi.shared import SharedData
from meshsim.wasm import Engine, FuncType, HostImport, Vm
from tests.bench import guest
from tests.bench.figures import Outcome, figure, race
from tests.bench.public_api import PublicApiFilter
from tests.bench.world import REQUEST, RESPONSE, Headers, World

REQUESTS = 300
BARE_CALLS = 5_000


class Filter(Protocol):
    """A contestant: a guest with its root context made and configured."""

    def request(self, request: Headers, response: Headers) -> None:
        """Run one stream through the guest."""


class Configuration:
    """The plugin's configuration as a guest reads it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def size(self) -> int:
        return len(self._data)

    def read(self, start: int, length: int) -> bytes:
        return self._data[start : start + length]

    def splice(self, start: int, length: int, data: bytes) -> Status:
        return Status.BAD_ARGUMENT


class Root(NoStream):
    """What stands behind the root context."""

    def __init__(self, world: World) -> None:
        self._world = world

    def buffer(self, kind: BufferType) -> Configuration | None:
        return Configuration(self._world.configuration) if kind is BufferType.PLUGIN_CONFIGURATION else None

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        value = self._world.properties.get(b"\0".join(path))
        if value is None:
            raise PropertyUnavailable(Status.NOT_FOUND)
        return value


class OneStream(NoStream):
    """What stands behind a stream context: two header maps, there when their callbacks run."""

    def __init__(self, request: Headers, response: Headers) -> None:
        self._request, self._response = request, response

    def header_map(self, kind: HeaderMapType) -> Headers | None:
        if kind is HeaderMapType.REQUEST_HEADERS:
            return self._request
        return self._response if kind is HeaderMapType.RESPONSE_HEADERS else None

    mutable_header_map = header_map


class Thread:
    """What stands around the VM."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.shared_data = SharedData()
        self.metric_values = MetricValues()
        self.environment: Mapping[str, str] = {}
        self.record = None
        self.log_level = world.log_level

    def log(self, level: LogLevel, text: str) -> None:
        self._world.log.append((level, text.partition(": ")[2]))  # without Envoy's prefix, which the baseline has not

    def report(self, level: LogLevel, text: str) -> None:
        raise AssertionError(text)

    def now_ns(self) -> int:
        return 0

    def epoch_ns(self) -> int:
        return self._world.now_ns

    def random_bytes(self, count: int) -> bytes:
        return bytes(count)

    def set_tick_period(self, root: Context, period_ms: int) -> None:
        raise AssertionError("the guest has no timer")


class MeshsimFilter:
    """The same on meshsim's layers ``wasm`` and ``abi``."""

    def __init__(self, wasm: bytes, world: World) -> None:
        self._plugin = Plugin("bench", "my_root", "", key="bench", configuration=world.configuration)
        self._wasm = ProxyWasm(Code.of(Engine().compile(wasm)), Thread(world), NoStream())
        assert self._wasm.initialize()
        assert self._wasm.start_plugin(self._plugin, Root(world))
        self._root = self._wasm.roots["bench"]
        assert self._root.configure()

    def request(self, request: Headers, response: Headers) -> None:
        """Run one stream: six callbacks."""
        context = self._wasm.add_context(self._plugin, OneStream(request, response), self._root)
        context.create()
        assert context.headers("proxy_on_request_headers", len(request), True) is HeadersAction.CONTINUE
        assert context.headers("proxy_on_response_headers", len(response), True) is HeadersAction.CONTINUE
        context.log()
        context.done()
        context.delete()

    def counted(self) -> dict[str, int]:
        """What the guest has counted."""
        return self._metrics.stats()
