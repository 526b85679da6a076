"""Wasm plugins: base VMs, canaries, the clones on every thread, and what happens when one fails.

Theory of operation. The main thread loads a plugin: it finds or makes the *base VM* of the plugin's VM key (module
compiled, linked, its own start run, no plugin in it), and tries the plugin in a throw-away clone, the *canary*. Then
every thread, the main thread too, gets a clone of its own (one a VM key), in which the plugin has its root context.
With V distinct VM keys, P distinct plugins and N workers, Envoy 1.40 counts ``active = V*(N+2)`` and
``created = V*(N+2) + P``. What is logged, in which order and in which words, was read off its trace.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import BufferType, FailState, HeaderMapType, LogLevel
from meshsim.abi.context import Context, Plugin
from meshsim.abi.ports import Buffer, ContextHost, HeaderMap, NoStream
from meshsim.abi.proxy_wasm import Code, ProxyWasm
from meshsim.abi.traps import by_plugin
from meshsim.envoy.attributes import plugin_attribute
from meshsim.envoy.buffer import BodyBuffer, ReadOnlyBuffer
from meshsim.envoy.config.core import Node
from meshsim.envoy.config.wasm import PluginConfig
from meshsim.errors import MeshsimError, ModuleError, NotModelled

if TYPE_CHECKING:
    from meshsim.envoy.process import Process, ThreadHost

#: What the configuration may call the one runtime that is modelled.
RUNTIMES = ("envoy.wasm.runtime.v8", "")
_DEFAULT_RELOAD_INTERVAL_NS = 1_000_000_000
_WITHOUT_STREAM = (
    BufferType.REQUEST_BODY,
    BufferType.RESPONSE_BODY,
    BufferType.DOWNSTREAM_DATA,
    BufferType.UPSTREAM_DATA,
    BufferType.GRPC_CALL_MESSAGE,
    BufferType.CALL_DATA,
)


@dataclass(frozen=True, slots=True)
class PluginSpec:
    """A plugin's configuration, with what it names read: ``code`` is the module's bytes."""

    config: PluginConfig
    code: bytes
    environment: Mapping[str, str]
    plugin: Plugin
    vm_key: str
    vm_configuration: bytes
    vm_id: str
    runtime: str

    @classmethod
    def of(cls, config: PluginConfig, code: bytes, environment: Mapping[str, str]) -> PluginSpec:
        """Compute the keys that decide what is shared."""
        vm = config.vm_config
        vm_id = vm.vm_id if vm else ""
        vm_configuration = vm.configuration_bytes if vm else b""
        runtime = vm.runtime if vm else ""
        restrictions = config.model_dump_json(include={"capability_restriction_config"})
        variables = json.dumps(sorted(environment.items()))
        vm_key = _digest(vm_id, vm_configuration, _digest_of_code(code), variables, runtime, restrictions)
        plugin = Plugin(
            config.name,
            config.root_id,
            vm_id,
            key=_digest(vm_key, config.model_dump_json(exclude={"vm_config"})),
            configuration=config.configuration_bytes,
            fail_open=config.fail_open,
            allow_stop_iteration=bool(config.allow_on_headers_stop_iteration),
        )
        return cls(config, code, environment, plugin, vm_key, vm_configuration, vm_id, runtime)

    @property
    def capabilities(self) -> frozenset[str] | None:
        """Names of what the module may have; None when all is allowed."""
        config = self.config.capability_restriction_config
        return frozenset(config.allowed_capabilities) if config and config.allowed_capabilities else None

    @property
    def fails_open(self) -> bool:
        """Whether later streams do without a failed plugin."""
        return self.config.fail_open or self.config.failure_policy == "FAIL_OPEN"

    @property
    def reload_interval_ns(self) -> int | None:
        """The least time between two attempts to make a crashed VM anew; None when that is not wanted."""
        if self.config.failure_policy != "FAIL_RELOAD":
            return None
        backoff = self.config.reload_config.backoff if self.config.reload_config else None
        return backoff.base_interval if backoff and backoff.base_interval else _DEFAULT_RELOAD_INTERVAL_NS


def _digest(*parts: str | bytes) -> str:
    hasher = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        hasher.update(len(data).to_bytes(8, "little") + data)
    return hasher.hexdigest().upper()


@lru_cache(maxsize=16)
def _digest_of_code(code: bytes) -> bytes:
    """Many Envoys of a mesh run the same modules of megabytes; the digest of each is wanted for every plugin."""
    return sha256(code).digest()


class FilterRefused(Exception):
    """The main thread could not make a filter; Envoy refuses the configuration in these words."""


class PluginRefused(FilterRefused):
    """The main thread could not make a plugin."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Unable to create Wasm plugin {name}")


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
        self.loaded_ns = host.thread.now_ns
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


@dataclass(eq=False, slots=True)
class Base:
    """The base VM of a VM key, with the outcome of each plugin's canary."""

    spec: PluginSpec
    code: Code
    vm: Vm
    canaries: dict[str, bool] = field(default_factory=dict)


class PluginTable:
    """All plugins of one process."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._bases: dict[str, Base] = {}
        self.loaded: list[PluginSpec] = []
        #: Keys of plugins that the workers do not have.
        self.main_only: set[str] = set()
        #: Keys of plugins that stay whatever becomes of them: their code comes too late to refuse them.
        self.staying: set[str] = set()
        #: Those of them that no thread has.
        self.missing: list[PluginSpec] = []

    # -- the main thread ---

    def load(self, spec: PluginSpec, main: ThreadHost, *, everywhere: bool = True) -> None:
        """Make a plugin on the main thread; raise :class:`PluginRefused` when Envoy would not take it.

        Without ``everywhere`` the workers do not get it, unless something else gives it to them.
        """
        base = self._bases.get(spec.vm_key) or self._make_base(spec, main)
        if base is None or not self._try_in_canary(base, spec, main):
            self._refuse(spec, main, had_vm=bool(spec.code), base=base)
        if all(other.plugin.key != spec.plugin.key for other in self.loaded):
            self.loaded.append(spec)
            if not everywhere:
                self.main_only.add(spec.plugin.key)
        if everywhere:
            self.main_only.discard(spec.plugin.key)
        main.plugin(spec)

    def go_without(self, spec: PluginSpec) -> None:
        """Let every thread have no instance of a plugin; the workers say so when they start."""
        self.missing.append(spec)

    def base(self, spec: PluginSpec) -> Base:
        """The base VM of a plugin that is loaded."""
        return self._bases[spec.vm_key]

    def _make_base(self, spec: PluginSpec, main: ThreadHost) -> Base | None:
        if not spec.code:
            return None
        if spec.runtime not in RUNTIMES:
            text = f"Failed to create Wasm VM using {spec.runtime} runtime. Envoy was compiled without support for it"
            main.report(LogLevel.WARN, text)
        self._process.vm_created(main, "Base", spec.runtime)
        code = self._load_code(spec, main)
        if code is not None:
            vm = Vm(main.new_wasm(code, spec), "base", main.thread.name, spec.vm_id, spec.vm_key)
            main.thread.spend(self._process.costs.base_vm_ns(len(spec.code), first=not self._bases))
            if vm.wasm.initialize():
                base = self._bases[spec.vm_key] = Base(spec, code, vm)
                self._process.vms.append(vm)
                return base
            vm.wasm.fail(FailState.UNABLE_TO_INITIALIZE_CODE, "Failed to initialize Wasm code")
            vm.wasm.close()
        self._process.vm_gone(main, spec.runtime)
        self._process.vm_id_gone(spec.vm_id)
        return None

    def _load_code(self, spec: PluginSpec, main: ThreadHost) -> Code | None:
        """Find the module compiled, or compile it; None, and Envoy's words, when that cannot be."""
        if spec.runtime in RUNTIMES:
            try:
                return self._told(Code.of(self._process.compile(spec.code), self._process.dialect), main)
            except (ModuleError, NotModelled) as error:
                refused = error
        else:
            refused = ModuleError("")
        for text in filter(None, (self._reason(spec, refused), "Failed to load Wasm code")):
            main.report(LogLevel.ERROR, f"Wasm VM failed {text}")
        return None

    def _told(self, code: Code, main: ThreadHost) -> Code:
        """Name the imports of a module that this host has not."""
        if code.unimplemented:
            names = ", ".join(code.unimplemented)
            main.report(LogLevel.WARN, f"Host functions that Envoy has not, each answers 12 (unimplemented): {names}")
        return code

    def _reason(self, spec: PluginSpec, refused: MeshsimError) -> str:
        """Say as Envoy does why there is no code: it reads the module and its ABI version before it compiles."""
        if spec.runtime not in RUNTIMES:
            return ""
        try:
            Code.check_version(self._process.parse(spec.code), self._process.dialect)
        except ModuleError as error:
            return error.what if "ABI" in error.what else "Failed to parse corrupted Wasm module"
        if isinstance(refused, NotModelled):
            by_plugin(refused, spec.plugin)
            raise refused
        return "Failed to load Wasm bytecode"

    def _try_in_canary(self, base: Base, spec: PluginSpec, main: ThreadHost) -> bool:
        """Start and configure the plugin in a clone that is then thrown away; the outcome is kept."""
        known = base.canaries.get(spec.plugin.key)
        if known is not None:
            return known
        wasm = self._clone(base, spec, main)
        canary = ThreadPlugin(spec, Vm(wasm, "canary", main.thread.name, spec.vm_id, spec.vm_key), main)
        for step, what in ((canary.start, "start base Wasm"), (canary.configure, "configure base Wasm plugin")):
            if not step():
                wasm.fail(FailState.START_FAILED, f"Failed to {what}")
                break
        good = wasm.fail_state in (FailState.OK, FailState.RUNTIME_ERROR)
        main.forget_timers(wasm)
        wasm.close()
        self._process.vm_gone(main, spec.runtime)
        base.canaries[spec.plugin.key] = good
        return good

    def _refuse(self, spec: PluginSpec, main: ThreadHost, *, had_vm: bool, base: Base | None) -> None:
        name = spec.plugin.name
        if base is not None and not any(other.vm_key == spec.vm_key for other in self.loaded):
            self._drop_base(base, main)
        lines = [(LogLevel.TRACE, "Unable to create Wasm")] if had_vm else []
        lines.append((LogLevel.CRITICAL, f"Plugin {name} failed to load"))
        if not spec.config.fail_open:
            lines.append((LogLevel.CRITICAL, "Plugin configured to fail closed failed to load"))
        for level, text in lines:
            main.report(level, text)
        raise PluginRefused(name)

    def _drop_base(self, base: Base, main: ThreadHost) -> None:
        del self._bases[base.spec.vm_key]
        self._process.vms.remove(base.vm)
        base.vm.wasm.close()
        self._process.vm_gone(main, base.spec.runtime)
        self._process.vm_id_gone(base.spec.vm_id)

    def _clone(self, base: Base, spec: PluginSpec, host: ThreadHost) -> ProxyWasm:
        self._process.vm_created(host, "Thread-Local", spec.runtime)
        host.thread.spend(self._process.costs.clone_ns(len(spec.code)))
        wasm = host.new_wasm(base.code, spec)
        wasm.initialize()
        return wasm

    # -- every thread ---

    def new_local_vm(self, spec: PluginSpec, host: ThreadHost) -> Vm:
        """Clone a base VM for a thread."""
        vm = Vm(self._clone(self._bases[spec.vm_key], spec, host), "local", host.thread.name, spec.vm_id, spec.vm_key)
        self._process.vms.append(vm)
        return vm

    def forget(self, spec: PluginSpec) -> None:
        """Take note that a plugin is not wanted any more."""
        self.loaded = [other for other in self.loaded if other.plugin.key != spec.plugin.key]

    def local_vm_gone(self, spec: PluginSpec, host: ThreadHost) -> None:
        """Free a base VM that has no clone on any thread, and whose plugins are not wanted any more."""
        base = self._bases.get(spec.vm_key)
        if base is None or any(other.vm_key == spec.vm_key for other in self.loaded):
            return
        if not any(vm.key == spec.vm_key and vm.kind == "local" for vm in self._process.vms):
            self._drop_base(base, host)

    def drop_bases(self, main: ThreadHost) -> None:
        """Free the base VMs, when no thread has a clone any more."""
        for base in reversed(list(self._bases.values())):
            self._drop_base(base, main)


class PluginUse:
    """A Wasm filter in a filter chain: makes a stream's filter from the thread's plugin."""

    def __init__(self, spec: PluginSpec) -> None:
        self.spec = spec
        #: What threads have instead, while the plugin is being replaced.
        self.specs: dict[ThreadHost, PluginSpec] = {}

    def plugin_for_stream(self, host: ThreadHost) -> ThreadPlugin | None:
        """Return the thread's plugin as a new stream finds it: reloaded, when its policy is that; None when failed."""
        plugin = host.plugin(self.specs.get(host, self.spec))
        if plugin is not None and plugin.wasm.fail_state is FailState.RUNTIME_ERROR:
            plugin = self._reloaded(plugin, host)
        return plugin if plugin is not None and not plugin.wasm.failed else None

    def _reloaded(self, plugin: ThreadPlugin, host: ThreadHost) -> ThreadPlugin:
        interval = self.spec.reload_interval_ns
        if interval is None:
            return plugin
        stats = host.process.stats.scope(f"wasm.{self.spec.plugin.name}")
        wait = interval + host.process.random("reload").randrange(max(1, interval // 2))
        if host.thread.now_ns - plugin.loaded_ns < wait:
            stats.add("vm_reload_backoff")
            return plugin
        fresh = host.reload(plugin)
        stats.add("vm_reload_success" if fresh is not plugin and not fresh.wasm.failed else "vm_reload_failure")
        return fresh
