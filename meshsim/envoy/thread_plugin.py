"""A plugin on one thread, and what its root context sees: configurations, and what callouts have brought."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import BufferType, HeaderMapType
from meshsim.abi.context import Context
from meshsim.abi.ports import Buffer, ContextHost, HeaderMap, NoStream
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.envoy.attributes import plugin_attribute
from meshsim.envoy.buffer import BodyBuffer, ReadOnlyBuffer
from meshsim.envoy.config.core import Node
from meshsim.envoy.plugin_spec import PluginSpec

if TYPE_CHECKING:
    from meshsim.envoy.thread_host import ThreadHost

_WITHOUT_STREAM = (
    BufferType.REQUEST_BODY,
    BufferType.RESPONSE_BODY,
    BufferType.DOWNSTREAM_DATA,
    BufferType.UPSTREAM_DATA,
    BufferType.GRPC_CALL_MESSAGE,
    BufferType.CALL_DATA,
)


class Shown(Protocol):
    """A stream or connection that a root context may look at, while it logs."""

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None: ...
    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None: ...


class RootHost(NoStream):
    """What stands behind a root context, and behind the VM's own: the plugin, and no stream.

    An access logger's root context sees the stream that it logs, :attr:`shown`.
    """

    def __init__(self, plugin: ThreadPlugin | None = None, vm_configuration: bytes = b"") -> None:
        self.plugin = plugin
        self.shown: Shown | None = None
        self._vm_configuration = vm_configuration

    @property
    def in_access_log(self) -> bool:  # type: ignore[override]  # elsewhere it never changes
        """Whether the plugin logs a stream or connection."""
        return self.shown is not None

    def buffer(self, kind: BufferType) -> Buffer | None:
        """Configurations; bodies are empty."""
        if self.plugin is not None:
            return self.plugin.buffer(kind)
        return ReadOnlyBuffer(self._vm_configuration) if kind is BufferType.VM_CONFIGURATION else None

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """What a callout has brought, or what the logged stream has."""
        found = self.shown.header_map(kind) if self.shown else None
        return self.plugin.header_map(kind) if found is None and self.plugin else found

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """Attributes of the plugin, of the proxy, and of the logged stream."""
        if self.shown is not None:
            return self.shown.get_property(path)
        if self.plugin is None:
            return super().get_property(path)
        return plugin_attribute(path, self.plugin)


@dataclass(eq=False, slots=True)
class Vm:
    """A VM on one thread, and how many plugins use it there."""

    wasm: ProxyWasm
    kind: str
    thread: str
    vm_id: str
    key: str
    users: int = 0


class ThreadPlugin:
    """A plugin on one thread: its root context in that thread's clone."""

    def __init__(self, spec: PluginSpec, vm: Vm, host: ThreadHost) -> None:
        self.spec = spec
        self.vm = vm
        self._host = host
        self._last: Buffer | None = None
        self.replaced = False
        self.streams = 0
        #: When the first of those was made that this one stands for, and how many it has replaced.
        self.first_ns = host.thread.now_ns
        self.reloads = 0
        #: Whether its VM failed while the plugin was being made.
        self.stillborn = False
        vm.users += 1
        self._root_host = RootHost(self)
        self.root: Context = vm.wasm.root_context(spec.plugin, self._root_host)

    @property
    def wasm(self) -> ProxyWasm:
        """The VM's Proxy-Wasm side."""
        return self.vm.wasm

    def start(self) -> bool:
        """Run ``proxy_on_vm_start`` in the root context; False refuses."""
        return self.root.start()

    def configure(self) -> bool:
        """Run ``proxy_on_configure``; False refuses."""
        return self.root.configure()

    def log(self, shown: Shown) -> None:
        """Run ``proxy_on_log`` of the root context, as an access logger."""
        self._root_host.shown = shown
        try:
            self.root.log()
        finally:
            self._root_host.shown = None

    def note_crash(self, what: str) -> None:
        """Take note of what would have ended the real Envoy's process."""
        self._host.note_crash(self.spec, what)

    def new_stream_context(self, host: ContextHost) -> Context:
        """Make a stream context, which takes time; :meth:`release` when the stream ends."""
        self._host.thread.enter(is_new=True)
        self._host.thread.spend(self._host.process.costs.filter_ns)
        return self.add_context(host)

    def add_context(self, host: ContextHost) -> Context:
        """Make a stream context whose time is charged elsewhere."""
        self.streams += 1
        return self.wasm.add_context(self.spec.plugin, host, self.root)

    def release(self) -> None:
        """A stream has ended; a plugin that was replaced goes with its last."""
        self.streams -= 1
        if self.replaced and not self.streams:
            self._host.drop(self)

    def buffer(self, kind: BufferType) -> Buffer | None:
        """Return a buffer that does not belong to a stream.

        Envoy keeps one slot for the buffer that was looked up last; the foreign function's arguments show it.
        """
        if kind is BufferType.CALL_DATA:
            if self.wasm.call_data is not None:
                return ReadOnlyBuffer(self.wasm.call_data)
            return self._last or ReadOnlyBuffer()
        found = self._find(kind)
        if found is not None:
            self._last, self.wasm.call_data = found, None
        return found

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """Return a map that does not belong to a stream: what a callout has brought."""
        shown = self.wasm.callouts.shown_to(self.root)
        match kind:
            case HeaderMapType.GRPC_INITIAL_METADATA:
                return shown.initial
            case HeaderMapType.GRPC_TRAILING_METADATA:
                return shown.trailing
            case HeaderMapType.HTTP_CALL_RESPONSE_HEADERS:
                return shown.answer.headers if shown.answer else None
            case HeaderMapType.HTTP_CALL_RESPONSE_TRAILERS:
                return shown.answer.trailers if shown.answer else None
        return None

    def _find(self, kind: BufferType) -> Buffer | None:
        if kind is BufferType.HTTP_CALL_RESPONSE_BODY:
            answer = self.wasm.callouts.shown_to(self.root).answer
            return ReadOnlyBuffer(answer.body) if answer else None
        if kind is BufferType.GRPC_CALL_MESSAGE:
            message = self.wasm.callouts.shown_to(self.root).message
            return ReadOnlyBuffer() if message is None else BodyBuffer(message)
        if kind is BufferType.VM_CONFIGURATION:
            return ReadOnlyBuffer(self.spec.vm_configuration)
        if kind is BufferType.PLUGIN_CONFIGURATION:
            return ReadOnlyBuffer(self.spec.plugin.configuration) if self.wasm.current.configuration_visible else None
        return ReadOnlyBuffer() if kind in _WITHOUT_STREAM else None

    # -- names that attributes show ---

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.spec.plugin.name

    @property
    def root_id(self) -> str:
        """The plugin's root id."""
        return self.spec.plugin.root_id

    @property
    def vm_id(self) -> str:
        """The VM's id."""
        return self.spec.vm_id

    @property
    def node(self) -> Node:
        """The proxy's identity."""
        return self._host.process.node

    @property
    def epoch_ns(self) -> int:
        """The wall clock at the start of the run."""
        return self._host.process.epoch_ns

    @property
    def cluster_hosts(self) -> Mapping[str, int]:
        """How many endpoints each cluster has."""
        return self._host.process.cluster_hosts
