"""A Wasm filter in a filter chain, and what its failure policy does when its VM has failed."""

from __future__ import annotations

from meshsim.abi.constants import FailState
from meshsim.envoy.plugin_spec import PluginSpec
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.thread_plugin import ThreadPlugin


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
