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
        #: Which of a thread's plugins this filter has, by its number of reloads, and when it last asked for a new one.
        self._taken: dict[ThreadHost, tuple[int, int]] = {}

    def plugin_for_stream(self, host: ThreadHost) -> ThreadPlugin | None:
        """Return the thread's plugin as a new stream finds it: reloaded, when its policy is that; None when failed."""
        plugin = host.plugin(self.specs.get(host, self.spec))
        if plugin is not None and (plugin.reloads or plugin.wasm.fail_state is FailState.RUNTIME_ERROR):
            return self._reloaded(plugin, host)
        return plugin if plugin is not None and not plugin.wasm.failed else None

    def does_without(self, host: ThreadHost) -> bool:
        """Whether a stream skips this filter, when there is no plugin for it."""
        return host.does_without(self.specs.get(host, self.spec))

    def _reloaded(self, newest: ThreadPlugin, host: ThreadHost) -> ThreadPlugin | None:
        """Let go of a plugin that has failed: for the one that another filter has had made, or for a new one."""
        interval = self.spec.reload_interval_ns
        reloads, since_ns = self._taken.get(host, (0, newest.first_ns))
        if reloads == newest.reloads and not newest.wasm.failed:
            return newest
        if interval is None:
            return None
        stats, now_ns = host.process.stats.scope(f"wasm.{self.spec.plugin.name}"), host.thread.now_ns
        wait = interval + host.process.random("reload").randrange(max(1, interval // 2))
        if now_ns - since_ns < wait:
            stats.add("vm_reload_backoff")
            return None
        fresh = host.reload(newest) if newest.wasm.failed else newest
        good = not fresh.wasm.failed
        stats.add("vm_reload_success" if good else "vm_reload_failure")
        self._taken[host] = (fresh.reloads if good else reloads, now_ns)
        return fresh if good else None
