"""What a bootstrap configures, put together on the main thread, in the order in which Envoy 1.40 comes to it.

Listeners first: of each its access loggers, then its network filters in their order; of a connection manager the
access loggers before the HTTP filters. Then come the sinks of statistics, and the bootstrap extensions last. The order
shows in the numbers of root contexts, and in what a module that is refused keeps from being loaded. HTTP filters that
are discovered come behind everything else; one that fails is missing, and Envoy starts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from meshsim.envoy.address import Address, local_address
from meshsim.envoy.config.access_log import AccessLog
from meshsim.envoy.config.http import HttpConnectionManager, HttpFilter
from meshsim.envoy.config.listener import Filter
from meshsim.envoy.config.listener import Listener as ListenerConfig
from meshsim.envoy.config.tcp import TcpProxy
from meshsim.envoy.config.wasm import PluginConfig, Wasm
from meshsim.envoy.config.wasm_extensions import WasmAccessLog, WasmNetworkFilter, WasmService
from meshsim.envoy.filters.access_log import Logger
from meshsim.envoy.listener import Listener, NetworkUse, Proxy
from meshsim.envoy.manager import FilterUse, Manager
from meshsim.envoy.natives import NativeFilters
from meshsim.envoy.plugin_spec import PluginSpec
from meshsim.envoy.plugin_use import PluginUse
from meshsim.envoy.plugins import PluginRefused
from meshsim.errors import ConfigError, NotModelled

if TYPE_CHECKING:
    from meshsim.envoy.server import Server

_STATS_CALLBACK = "envoy_on_stats_update"


class Enough(Exception):
    """As many plugins as were wanted are loaded."""


class Assembly:
    """Loads one Envoy's plugins and makes its listeners; only the first ``count`` plugins when it is given.

    Raises
    ------
    Enough
        When there would be one plugin more than ``count``.
    PluginRefused
        Envoy would not take a plugin.
    """

    def __init__(self, envoy: Server, count: int | None = None) -> None:
        self._envoy = envoy
        self._bootstrap = envoy.bootstrap
        self._left = count

    def run(self) -> None:
        """Do all of it."""
        for config in self._bootstrap.static_resources.listeners:
            for listener in self._listeners(config):
                self._envoy.add_listener(listener)
        for sink in self._bootstrap.stats_sinks:
            if sink.typed_config:
                self._use_sink(sink.typed_config.config)
        for extension in self._bootstrap.bootstrap_extensions:
            if isinstance(extension.typed_config, WasmService):
                self._use(extension.typed_config.config, everywhere=not extension.typed_config.singleton)
        for uses, place in self._envoy.discovery.places:
            uses[place] = (uses[place][0], self.discover(uses[place][0]))

    # -- listeners ---

    def _listeners(self, config: ListenerConfig) -> Iterator[Listener]:
        loggers = self._loggers(config.access_log)
        address = address_of(config)
        for chain in config.filter_chains:
            uses = [use for part in chain.filters if (use := self._network_use(part, config, address)) is not None]
            if uses:
                yield Listener(self._envoy, config, uses, loggers, address, chain.name)

    def _network_use(self, part: Filter, listener: ListenerConfig, address: Address) -> NetworkUse | None:
        match part.typed_config:
            case HttpConnectionManager() as manager:
                natives = NativeFilters(self._envoy, manager)
                loggers = self._loggers(manager.access_log)
                uses = [(http_filter, self._http_use(http_filter, natives)) for http_filter in manager.http_filters]
                places = [(uses, i) for i, (found, _) in enumerate(uses) if found.config_discovery]
                self._envoy.discovery.places += places
                return Manager(self._envoy, listener, manager, uses, loggers, address)
            case TcpProxy() as proxy:
                return Proxy(proxy, self._loggers(proxy.access_log))
            case WasmNetworkFilter() as wasm:
                return self._use(wasm.config)
        return None

    def _http_use(self, http_filter: HttpFilter, natives: NativeFilters) -> FilterUse | None:
        config = http_filter.typed_config
        return self._use(config.config) if isinstance(config, Wasm) else natives.use(http_filter)

    def discover(self, http_filter: HttpFilter) -> PluginUse | None:
        """Load a plugin that is configured elsewhere; None when that fails, whatever the reason."""
        source = http_filter.config_discovery
        found = self._bootstrap.discovered.get(source.path, {}).get(http_filter.name) if source else None
        if found is None or not isinstance(found.typed_config, Wasm):
            return None
        try:
            return self._use(found.typed_config.config)
        except (PluginRefused, ConfigError):
            return None

    def _loggers(self, configs: Sequence[AccessLog]) -> list[Logger]:
        """Loggers to files leave nothing that is shown, and are left out."""
        return [
            Logger(config, self._use(config.typed_config.config))
            for config in configs
            if isinstance(config.typed_config, WasmAccessLog)
        ]

    # -- plugins ---

    def _use(self, config: PluginConfig, *, everywhere: bool = True) -> PluginUse:
        if self._left is not None:
            if not self._left:
                raise Enough
            self._left -= 1
        code = config.vm_config.code if config.vm_config else None
        if config.vm_config and code and code.remote:
            nack = config.vm_config.nack_on_code_cache_miss
            made = partial(PluginSpec.of, config, environment=self._environment(config))
            return PluginUse(self._envoy.remote_code.want(made, code.remote, nack=nack, everywhere=everywhere))
        spec = PluginSpec.of(config, self._code(config), self._environment(config))
        self._envoy.process.plugins.load(spec, self._envoy.main, everywhere=everywhere)
        return PluginUse(spec)

    def _use_sink(self, config: PluginConfig) -> None:
        if config.vm_config and config.vm_config.code and config.vm_config.code.remote:
            raise NotModelled("remote code of a sink of statistics")
        use = self._use(config, everywhere=False)
        if _STATS_CALLBACK in self._envoy.process.plugins.base(use.spec).code.exports:
            raise NotModelled(f"{_STATS_CALLBACK} of a sink of statistics")

    def _code(self, config: PluginConfig) -> bytes:
        code = config.vm_config.code if config.vm_config else None
        return self._bootstrap.sources.bytes_of(code.local) if code and code.local else b""

    def _environment(self, config: PluginConfig) -> Mapping[str, str]:
        wanted = config.vm_config.environment_variables if config.vm_config else None
        if wanted is None:
            return {}
        outside = self._bootstrap.sources.environment
        return {name: outside[name] for name in wanted.host_env_keys if name in outside} | wanted.key_values


def address_of(config: ListenerConfig) -> Address:
    """Return where a listener listens; names and wildcards of this machine are all one."""
    socket = config.address.socket_address if config.address else None
    return local_address((socket.address, socket.port) if socket else ("", 0))
