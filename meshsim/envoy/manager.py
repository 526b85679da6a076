"""A connection manager at work on a listener: connections to streams, streams to filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshsim.envoy import formatter
from meshsim.envoy.address import Address
from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.config.http import HttpFilter as HttpFilterConfig
from meshsim.envoy.config.http import Router as RouterConfig
from meshsim.envoy.config.listener import Listener as ListenerConfig
from meshsim.envoy.connection import ManagerHost, ServerConnection
from meshsim.envoy.filters.access_log import Logger
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.filters.missing import MissingFilter
from meshsim.envoy.filters.native import NativeUse
from meshsim.envoy.filters.router import Router
from meshsim.envoy.filters.wasm import FailedFilter, WasmFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.manager_headers import Place
from meshsim.envoy.plugin_use import PluginUse
from meshsim.envoy.reply_forms import ReplyForms
from meshsim.envoy.routing import Match, Routed, find_route
from meshsim.envoy.stream_info import StreamInfo
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.threads import Thread
from meshsim.envoy.tracing import Observer
from meshsim.envoy.wire import Part, Wire
from meshsim.envoy.witness import Witness

if TYPE_CHECKING:
    from meshsim.envoy.express.lane import Lane
    from meshsim.envoy.server import Server

_DEFAULT_LIMIT_BYTES = 1 << 20


#: A filter of a chain: a plugin, or a filter of Envoy's own.
FilterUse = PluginUse | NativeUse

#: Makes a plugin's filter for a stream; None when the stream does without.
WasmFilterMaker = Callable[[PluginUse, ThreadHost], HttpFilter | None]


@dataclass(eq=False, slots=True)
class Manager:
    """A connection manager at work; ``uses`` are its filters, ``loggers`` the access loggers that are modelled.

    The router has no use, nor has a filter that was to be discovered and was not.
    """

    envoy: Server
    listener: ListenerConfig
    config: HttpConnectionManager
    uses: list[tuple[HttpFilterConfig, FilterUse | None]]
    loggers: list[Logger]
    address: Address

    def serve(self, host: ThreadHost, wire: Wire, info: Callable[[], StreamInfo]) -> ServerConnection:
        """Serve a connection on a worker."""
        return ServerConnection(self.config, self._host(host), wire, info)

    def _host(self, host: ThreadHost) -> ManagerHost:
        envoy = self.envoy
        limit = self.listener.per_connection_buffer_limit_bytes
        return ManagerHost(
            host.thread,
            envoy.process.stats.scope(f"http.{self.config.stat_prefix}"),
            lambda match: self.filters(host, match, self._wasm_filter),
            self._route,
            envoy.new_request_id,
            envoy.http_date(host.thread),
            _DEFAULT_LIMIT_BYTES if limit is None else limit,
            Place(envoy.local_address, self.address[1], envoy.bootstrap.node),
            self._forms(),
            self._observer(),
            envoy.hops,
            Witness.of(envoy.recorder, host.thread),
            self._lane,
        )

    def _lane(self, thread: Thread, request: tuple[Part, ...]) -> Lane | None:
        """Find the express lane of a request to this manager's listener."""
        express, listener = self.envoy.express, self.envoy.listener(self.listener.name)
        return express.lane(listener, thread, request) if express is not None and listener is not None else None

    def _forms(self) -> ReplyForms | None:
        config = self.config.local_reply_config
        return ReplyForms(config, self.envoy.bootstrap.sources.bytes_of) if config else None

    def _observer(self) -> Observer | None:
        config, process = self.config.tracing, self.envoy.process
        if config is None:
            return None
        stats = process.stats.scope(f"http.{self.config.stat_prefix}")
        routers = (http_filter.typed_config for http_filter in self.config.http_filters)
        spawns = any(isinstance(router, RouterConfig) and router.start_child_span for router in routers)
        return Observer(config, self.listener, stats, process.random, spawns=spawns)

    def _route(self, headers: HeaderMap) -> Routed:
        if self.config.route_config is None:
            return Routed()
        return find_route(self.config.route_config, headers, self.envoy.process.random("routes"))

    def filters(self, host: ThreadHost, match: Match | None, wasm_filter: WasmFilterMaker) -> list[HttpFilter]:
        """Make a stream's filters, as its route has them."""
        filters: list[HttpFilter] = []
        host.thread.spend(self.envoy.process.costs.request_ns)
        for config, use in self.uses:
            if _is_disabled(config, match):
                continue
            if use is None and config.config_discovery is not None:
                filters.append(MissingFilter())
            elif isinstance(use, PluginUse):
                wasm = wasm_filter(use, host)
                if wasm is not None:
                    filters.append(wasm)
            elif use is not None:
                filters.append(use.on_stream(host))
            elif isinstance(config.typed_config, RouterConfig | None):
                filters += [logger.on_stream(host) for logger in self.loggers]
                filters.append(self._router(config.typed_config or RouterConfig(), host))
        return filters

    def _wasm_filter(self, use: PluginUse, host: ThreadHost) -> HttpFilter | None:
        plugin = use.plugin_for_stream(host)
        if plugin is not None:
            return WasmFilter(plugin)
        return None if use.does_without(host) else FailedFilter()

    def _router(self, config: RouterConfig, host: ThreadHost) -> Router:
        return Router(
            config,
            host.clusters,
            self.envoy.process.stats.scope(f"http.{self.config.stat_prefix}"),
            lambda: host.thread.now_ns,
            formatter.values_of,
            self.envoy.process.random("retries"),
            self.envoy.clusters.host_name,
            self.envoy.bootstrap.sources.bytes_of,
        )


def _is_disabled(config: HttpFilterConfig, match: Match | None) -> bool:
    """Whether a filter is left out of a stream: what the route says counts more than the filter's own setting."""
    return match.is_disabled(config.name, default=config.disabled) if match else config.disabled
