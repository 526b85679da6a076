"""All that Envoy keeps once a process, and what of it each thread's VMs see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from random import Random
from typing import NamedTuple

from meshsim.abi.callouts import Cancel, Done, HttpCall
from meshsim.abi.constants import LogLevel
from meshsim.abi.context import Context
from meshsim.abi.dialect import Dialect
from meshsim.abi.events import Event, LogLine
from meshsim.abi.grpc import GrpcEvents, GrpcHandle, GrpcRequest
from meshsim.abi.metrics import MetricValues
from meshsim.abi.proxy_wasm import Code, ProxyWasm
from meshsim.abi.queues import Consumer, SharedQueues
from meshsim.abi.shared import SharedData
from meshsim.abi.traps import by_plugin
from meshsim.cost import CostModel
from meshsim.envoy.callouts import HttpCallout
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.config.core import Node
from meshsim.envoy.grpc import GrpcCall
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.names import resolve
from meshsim.envoy.open_connections import OpenConnections
from meshsim.envoy.plugins import PluginSpec, PluginTable, RootHost, ThreadPlugin, Vm
from meshsim.envoy.stats import Stats
from meshsim.envoy.threads import Thread, Timer
from meshsim.errors import GuestTrap
from meshsim.sim import Kernel, Level, Recorder, Streams
from meshsim.wasm import Compiled, Engine, Limits, ModuleFacts, parse_module

#: How long a call into a module may take of real time; Envoy would wait for ever. It ends the run with an error.
DEADLINE_S = 30.0

#: A period that Envoy takes for none: -1.
_NEVER_MS = (1 << 32) - 1

#: Virtual time 0 as a wall clock: 2026-01-01 00:00:00 UTC, in ns. An option of :class:`meshsim.Envoy`.
DEFAULT_EPOCH_NS = 1_767_225_600_000_000_000


class Failure(NamedTuple):
    """A trap that failed a VM: when (virtual ns), on which thread, and which; the error names plugin and callback."""

    thread: str
    time_ns: int
    error: GuestTrap


class Crash(NamedTuple):
    """What would have ended the real Envoy's process: when (virtual ns), on which thread, and which plugin did what."""

    thread: str
    time_ns: int
    plugin: str
    what: str


def _ending(limits: Limits) -> Limits:
    """The same limits; the deadline is added where nothing else would end a guest that loops."""
    if limits.fuel_per_call is None and limits.deadline_s is None:
        return replace(limits, deadline_s=DEADLINE_S)
    return limits


class Process:
    """What the threads of one Envoy share."""

    def __init__(
        self,
        kernel: Kernel,
        recorder: Recorder,
        streams: Streams,
        costs: CostModel,
        engine: Engine,
        *,
        node: Node | None = None,
        epoch_ns: int = DEFAULT_EPOCH_NS,
        limits: Limits | None = None,
        dialect: Dialect = Dialect.ENVOY,
    ) -> None:
        self.dialect = dialect
        self.kernel = kernel
        self.recorder = recorder
        self.costs = costs
        self.node = node or Node()
        self.epoch_ns = epoch_ns
        self.limits = _ending(limits or Limits())
        self.failures: list[Failure] = []
        self.crashes: list[Crash] = []
        self.stats = Stats()
        self.shared_data = SharedData()
        self.shared_queues = SharedQueues()
        self.metric_values = MetricValues()
        self.plugins = PluginTable(self)
        self.vms: list[Vm] = []
        self.active_vms = 0
        self.cluster_hosts: Mapping[str, int] = {}
        self.make_clusters: Callable[[Thread], Mapping[str, Cluster]] = lambda _: {}
        self._engine = engine
        self._streams = streams

    def random(self, name: str) -> Random:
        """Return a seeded stream of random numbers."""
        return self._streams.stream(name)

    def use_streams(self, streams: Streams) -> None:
        """Draw from other streams from now on."""
        self._streams = streams

    def parse(self, code: bytes) -> ModuleFacts:
        """Read a module's facts."""
        return parse_module(code)

    def compile(self, code: bytes) -> Compiled:
        """Compile a module, or find it compiled; one of an unknown ABI version is refused before."""
        return self._engine.compile(
            code, self.limits.deadline_s is not None, lambda facts: Code.check_version(facts, self.dialect)
        )

    # -- counting VMs ---

    def vm_created(self, host: ThreadHost, kind: str, runtime: str) -> None:
        """Count a VM that begins."""
        self.active_vms += 1
        self.stats.scope(f"wasm.{runtime}").add("created")
        self._count_vms(runtime, 1)
        host.report(LogLevel.DEBUG, f"{kind} Wasm created {self.active_vms} now active")

    def vm_gone(self, host: ThreadHost, runtime: str) -> None:
        """Count a VM that ends.

        With the last one, the counter of those that were created is gone too, unless a plugin stays that has none.
        """
        self.active_vms -= 1
        self._count_vms(runtime, -1)
        if not self.active_vms and not self.plugins.staying:
            self.stats.set(f"wasm.{runtime}.created", 0)
        host.report(LogLevel.DEBUG, f"~Wasm {self.active_vms} remaining active")

    def vm_id_gone(self, vm_id: str) -> None:
        """Erase what VMs of an id have shared, when none of them is left."""
        if not any(vm.vm_id == vm_id for vm in self.vms):
            name = vm_id.encode()
            self.shared_data.forget(name)
            self.shared_queues.forget(name)

    def _count_vms(self, runtime: str, change: int) -> None:
        self.stats.scope(f"wasm.{runtime}").add("active", change)
        self.stats.set("wasm.wasm_vm_count", self.active_vms)

    def all_stats(self) -> dict[str, int]:
        """Counters and gauges of the process and of its modules, without zeros."""
        values = self.stats.values()
        values.update((name, value) for name, value in self.metric_values.stats().items() if value)
        return dict(sorted(values.items()))


class ThreadHost:
    """A thread, and the plugins, VMs, timers and connections that live on it."""

    def __init__(self, process: Process, thread: Thread) -> None:
        self.process = process
        self.thread = thread
        self._plugins: dict[str, ThreadPlugin | None] = {}
        self._vms: dict[str, Vm] = {}
        self._timers: dict[Context, Timer] = {}
        self.connections = OpenConnections()

    # -- VMs and plugins ---

    def new_wasm(self, code: Code, spec: PluginSpec) -> ProxyWasm:
        """Make a VM on this thread; nothing of the module has run yet."""
        wasm = ProxyWasm(
            code,
            _VmHost(self, spec),
            RootHost(None, spec.vm_configuration),
            spec.vm_configuration,
            self.process.limits,
            spec.capabilities,
        )
        wasm.on_fail.append(lambda: self._note_failure(wasm, spec))
        return wasm

    def _note_failure(self, wasm: ProxyWasm, spec: PluginSpec) -> None:
        failures, trap = self.process.failures, wasm.trap
        if trap is not None and not (failures and failures[-1].error is trap):
            by_plugin(trap, spec.plugin)
            failures.append(Failure(self.thread.name, self.thread.now_ns, trap))

    def note_crash(self, spec: PluginSpec, what: str) -> None:
        """Take note that the real Envoy's process would be over now; this one lives on."""
        self.process.crashes.append(Crash(self.thread.name, self.thread.now_ns, spec.plugin.name, what))

    def load_plugins(self) -> None:
        """Make this thread's instance of every plugin that the main thread has loaded."""
        plugins = self.process.plugins
        for spec in plugins.loaded:
            if spec.plugin.key not in plugins.main_only:
                self.plugin(spec)
        for spec in plugins.missing:
            self.go_without(spec)

    def go_without(self, spec: PluginSpec) -> None:
        """Have no instance of a plugin."""
        self._plugins[spec.plugin.key] = None
        self.report_closed(spec)

    def report_closed(self, spec: PluginSpec) -> None:
        """Say that a plugin which cannot run will have its streams fail, unless they may do without it."""
        if not spec.config.fail_open:
            self.report(LogLevel.CRITICAL, "Plugin configured to fail closed failed to load")

    def plugin(self, spec: PluginSpec) -> ThreadPlugin | None:
        """Return this thread's instance of a plugin, made when it is first asked for."""
        key = spec.plugin.key
        if key not in self._plugins:
            self._plugins[key] = self._make(spec)
        return self._plugins[key]

    def _make(self, spec: PluginSpec) -> ThreadPlugin | None:
        vm = self._vms.get(spec.vm_key)
        if vm is None or vm.wasm.failed:
            vm = self._vms[spec.vm_key] = self.process.plugins.new_local_vm(spec, self)
        plugin = ThreadPlugin(spec, vm, self)
        if plugin.start() and plugin.configure():
            return plugin
        self._leave(vm, spec)
        return None

    def reload(self, failed: ThreadPlugin) -> ThreadPlugin:
        """Replace a plugin whose VM has failed; the old one goes when its last stream does."""
        fresh = self._make(failed.spec)
        if fresh is None:
            return failed
        self._plugins[failed.spec.plugin.key] = fresh
        failed.replaced = True
        if not failed.streams:
            self.drop(failed)
        return fresh

    def drop(self, plugin: ThreadPlugin) -> None:
        """End a plugin: its root context, and the VM with its last plugin."""
        plugin.wasm.shut_down_plugin(plugin.spec.plugin.key)
        self._leave(plugin.vm, plugin.spec)

    def retire(self, spec: PluginSpec) -> None:
        """End a plugin that is not wanted any more, when its last stream has ended."""
        self.process.plugins.forget(spec)
        plugin = self._plugins.pop(spec.plugin.key, None)
        if plugin is not None:
            plugin.replaced = True
            if not plugin.streams:
                self.drop(plugin)

    def _leave(self, vm: Vm, spec: PluginSpec) -> None:
        """A plugin does not need a VM any more; nobody does after the last one."""
        vm.users -= 1
        if vm.users:
            return
        if self._vms.get(spec.vm_key) is vm:
            del self._vms[spec.vm_key]
        self.forget_timers(vm.wasm)
        self.process.vms.remove(vm)
        vm.wasm.close()
        self.process.vm_gone(self, spec.runtime)
        self.process.plugins.local_vm_gone(spec, self)

    def shut_down(self) -> None:
        """Cut the connections and end every plugin, in both cases the last one first.

        Plugins that only the main thread has end behind the others.
        """
        self.connections.cut()
        last = self.process.plugins.main_only
        plugins = [plugin for plugin in reversed(self._plugins.values()) if plugin is not None]
        for plugin in sorted(plugins, key=lambda plugin: plugin.spec.plugin.key in last):
            self.drop(plugin)
        self._plugins.clear()

    # -- timers ---

    def set_tick_period(self, root: Context, period_ms: int) -> None:
        """Set a root context's timer; it fires every ``period_ms`` until it is set to 0."""
        timer = self._timers.pop(root, None)
        if timer:
            timer.cancel()
        if 0 < period_ms < _NEVER_MS:
            self._timers[root] = self.thread.timer(lambda: self._tick(root, period_ms), period_ms * 1_000_000)

    def _tick(self, root: Context, period_ms: int) -> None:
        """Fire, and set the timer anew unless the callback did (fixed delay, as in Envoy)."""
        timer = self._timers[root]
        if not root.wasm.exports("proxy_on_tick"):
            return
        root.tick()
        if self._timers.get(root) is timer:
            self._timers[root] = self.thread.timer(lambda: self._tick(root, period_ms), period_ms * 1_000_000)

    def forget_timers(self, wasm: ProxyWasm) -> None:
        """Stop the timers of a VM that ends."""
        for root in [root for root in self._timers if root.wasm is wasm]:
            self._timers.pop(root).cancel()

    # -- callouts ---

    @cached_property
    def clusters(self) -> Mapping[str, Cluster]:
        """The thread's clusters, with connections of their own."""
        return self.process.make_clusters(self.thread)

    def grpc(self, request: GrpcRequest, message: bytes | None, events: GrpcEvents) -> GrpcHandle:
        """Begin a module's gRPC call."""
        call = GrpcCall(self.clusters[request.service.cluster], request, lambda: self.thread.now_ns, events)
        call.begin(message)
        return call

    def has_cluster(self, name: str) -> bool:
        """Whether there is a cluster of this name."""
        return name in self.clusters

    def http_call(self, call: HttpCall, done: Done) -> Cancel | None:
        """Send a module's HTTP request; None when it fails at once."""
        # A header without a name is left out here; one that a filter adds to a stream is sent, and refused.
        headers = HeaderMap(((key.lower(), value) for key, value in call.headers if key), Kind.REQUEST)
        if call.body:
            headers.put(b"content-length", b"%d" % len(call.body))
        callout = HttpCallout(self.clusters[call.cluster], headers, lambda: self.thread.now_ns, done)
        callout.send(call.body, call.timeout_ms * 1_000_000)
        return None if callout.over else callout.cancel

    # -- names ---

    def resolve_dns(self, name: str, done: Callable[[Sequence[str] | None], None]) -> None:
        """Find a name's addresses: at once, only for an empty name later."""
        addresses = resolve(name)
        if name:
            done(addresses)
        else:
            self.thread.post(lambda: done(addresses))

    # -- queues ---

    def queue_ready(self, vm_key: str, root_id: int, token: int) -> None:
        """Tell a root context of a message; nothing when its VM or the context is gone."""
        vm = self._vms.get(vm_key)
        root = vm.wasm.contexts.get(root_id) if vm else None
        if root is not None:
            root.queue_ready(token)

    # -- clocks ---

    def now_ns(self) -> int:
        """Read the thread's clock; each reading takes a little time, so that no guest waits for ever."""
        self.thread.spend(self.process.costs.clock_read_ns)
        return self.thread.now_ns

    def epoch_ns(self) -> int:
        """Read the wall clock."""
        return self.process.epoch_ns + self.now_ns()

    # -- records ---

    def emit(self, event: Event) -> None:
        """Keep an event of this thread."""
        self.process.recorder.events.append(self.thread.now_ns, self.thread.name, event)

    def report(self, level: LogLevel, text: str) -> None:
        """Write a line of Envoy's own."""
        self.emit(LogLine(level.envoy_name, text, False))


class _Meter:
    """Charges what VMs do to their thread, by the cost profile.

    Parts of a nanosecond are carried over, so that the sum does not depend on how a run is cut into pieces.
    """

    _FRACTION = 32
    _PARTS = (1 << _FRACTION) - 1

    def __init__(self, thread: Thread, costs: CostModel, epoch_ns: int) -> None:
        self._thread = thread
        self._epoch_ns = epoch_ns
        self._callback_ns = costs.callback_ns
        self._fuel_rate = round(costs.fuel_ns * (1 << self._FRACTION))
        self._owed = 0
        self.host_call_ns = costs.host_call_ns
        self.clock_read_ns = costs.clock_read_ns

    def callback(self, fuel: int, callbacks: int = 1) -> None:
        """Charge for entering the module and coming back, and for the guest's own code."""
        self._thread.spend(self._callback_ns * callbacks)
        self.guest(fuel)

    def guest(self, fuel: int) -> None:
        """Charge for the guest's own code."""
        owed = self._owed + fuel * self._fuel_rate
        self._owed = owed & self._PARTS
        self._thread.spend(owed >> self._FRACTION)

    def host_call(self) -> None:
        """Charge for a host call."""
        self._thread.spend(self.host_call_ns)

    def host_calls(self, calls: int, readings: int) -> None:
        """Charge for host calls and readings of a clock."""
        self._thread.spend(calls * self.host_call_ns + readings * self.clock_read_ns)

    def run(self, fuel: int, callbacks: int, calls: int, readings: int) -> None:
        """Charge for a run of callbacks, with all that happened in it."""
        owed = self._owed + fuel * self._fuel_rate
        self._owed = owed & self._PARTS
        self._thread.spent_ns += (
            (owed >> self._FRACTION)
            + self._callback_ns * callbacks
            + calls * self.host_call_ns
            + readings * self.clock_read_ns
        )

    @property
    def wall_ns(self) -> int:
        """The wall clock."""
        return self._epoch_ns + self._thread.now_ns


class _VmHost:
    """One VM's view of its thread."""

    def __init__(self, host: ThreadHost, spec: PluginSpec) -> None:
        self._host = host
        self._vm_key = spec.vm_key
        self.environment = spec.environment
        process = host.process
        self.shared_data = process.shared_data
        self.shared_queues = process.shared_queues
        self.metric_values = process.metric_values
        self.log_level = int(LogLevel.TRACE)
        self.meter = _Meter(host.thread, process.costs, process.epoch_ns)
        self.keeps_logs = process.recorder.level >= Level.ABI
        self.hand_over = host.thread.hand_over if host.thread.turns else None
        self.record: Callable[[Event], None] | None = host.emit if process.recorder.level >= Level.ABI else None
        self.report = host.report
        self.now_ns = host.now_ns
        self.epoch_ns = host.epoch_ns
        self.set_tick_period = host.set_tick_period
        self.has_cluster = host.has_cluster
        self.resolve_dns = host.resolve_dns
        self.http_call = host.http_call
        self.grpc = host.grpc

    def log(self, level: LogLevel, text: str) -> None:
        """Keep a line that the guest wrote."""
        self._host.emit(LogLine(level.envoy_name, text, True))

    def queue_consumer(self, root: Context) -> Consumer:
        """Return what tells this VM's clone on this thread of messages."""
        host, vm_key, root_id = self._host, self._vm_key, root.id
        return lambda token: host.thread.post(lambda: host.queue_ready(vm_key, root_id, token))

    def random_bytes(self, count: int) -> bytes:
        """Return bytes of the process's seeded stream for guests."""
        return self._host.process.random("guest").randbytes(count)
