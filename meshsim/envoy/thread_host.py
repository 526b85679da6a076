"""A thread of one Envoy, and what lives on it: plugins and their VMs, timers, clusters, connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

from meshsim.abi.callouts import Cancel, Done, HttpCall
from meshsim.abi.code import Code
from meshsim.abi.constants import LogLevel
from meshsim.abi.context import Context
from meshsim.abi.events import Event, LogLine
from meshsim.abi.grpc import GrpcEvents, GrpcRequest
from meshsim.abi.ports import GrpcHandle
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.traps import by_plugin
from meshsim.envoy.account import Account
from meshsim.envoy.asked import Asked, Charged
from meshsim.envoy.callouts import HttpCallout
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.grpc import GrpcCall
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.names import resolve
from meshsim.envoy.open_connections import OpenConnections
from meshsim.envoy.plugin_spec import PluginSpec
from meshsim.envoy.process import Process
from meshsim.envoy.records import Crash, Failure
from meshsim.envoy.thread_plugin import RootHost, ThreadPlugin, Vm
from meshsim.envoy.threads import Thread, Timer
from meshsim.envoy.vm_thread import VmThread

#: A period that Envoy takes for none: -1.
_NEVER_MS = (1 << 32) - 1


class ThreadHost:
    """A thread, and the plugins, VMs, timers and connections that live on it."""

    def __init__(self, process: Process, thread: Thread) -> None:
        self.process = process
        self.thread = thread
        self._plugins: dict[str, ThreadPlugin | None] = {}
        self._refused: set[str] = set()
        self._vms: dict[str, Vm] = {}
        self._timers: dict[Context, Timer] = {}
        self.connections = OpenConnections()

    # -- VMs and plugins ---

    def new_wasm(self, code: Code, spec: PluginSpec) -> ProxyWasm:
        """Make a VM on this thread; nothing of the module has run yet."""
        wasm = ProxyWasm(
            code,
            VmThread(self, spec),
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
            made = self._plugins[key] = self._make(spec)
            if made is None:
                self._refused.add(key)
        return self._plugins[key]

    def does_without(self, spec: PluginSpec) -> bool:
        """Whether streams skip a plugin that cannot run: its policy says so, or the module has refused to start here.

        The second is left of a time before failure policies, in Envoy too: it asks them about a module that is missing
        or has failed, not about one that said no to this thread alone.
        """
        return spec.fails_open or spec.plugin.key in self._refused

    def _make(self, spec: PluginSpec) -> ThreadPlugin | None:
        vm = self._vms.get(spec.vm_key)
        if vm is None or vm.wasm.failed:
            vm = self._vms[spec.vm_key] = self.process.plugins.new_local_vm(spec, self)
        plugin = ThreadPlugin(spec, vm, self)
        for step, what in (
            (plugin.start, "start thread-local Wasm"),
            (plugin.configure, "configure thread-local Wasm plugin"),
        ):
            if not step():
                self.report(LogLevel.ERROR, f"Wasm VM failed Failed to {what}")
                self._leave(vm, spec)
                return None
        plugin.stillborn = vm.wasm.failed
        return plugin

    def reload(self, failed: ThreadPlugin) -> ThreadPlugin:
        """Replace a plugin whose VM has failed, if it can be; the old one goes when its last stream does.

        One whose VM has failed before it was ready stays: Envoy looks for a plugin that is there before it makes one,
        and forgets those alone whose VM fails later.
        """
        fresh = None if failed.stillborn else self._make(failed.spec)
        if fresh is None:
            return failed
        if fresh.stillborn:
            self.drop(fresh)
            return failed
        fresh.first_ns, fresh.reloads = failed.first_ns, failed.reloads + 1
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
        self._refused.discard(spec.plugin.key)
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
        for key in list(vm.wasm.roots):  # of plugins that refused to start
            vm.wasm.shut_down_plugin(key)
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
        name = call.asker.plugin.name if call.asker.plugin else ""
        account = self.open_account(call.asker.host, name, call.cluster)
        callout = HttpCallout(self.clusters[call.cluster], headers, lambda: self.thread.now_ns, done, account=account)
        return callout.send(call.body, call.timeout_ms * 1_000_000)

    def open_account(self, asker: object, name: str, cluster: str) -> Account | None:
        """Open the account of a filter's own request: None where nobody keeps such, or no stream's is worked on."""
        if self.process.open_account is None or not isinstance(asker, Charged) or asker.account is None:
            return None
        return self.process.open_account(Asked(asker, name, cluster, lambda: self.thread.now_ns))

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
