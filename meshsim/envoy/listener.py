"""A listener at work: connections to workers, streams to filters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from meshsim.envoy import formatter
from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.config.http import HttpFilter as HttpFilterConfig
from meshsim.envoy.config.http import Router as RouterConfig
from meshsim.envoy.config.listener import Listener as ListenerConfig
from meshsim.envoy.connection import ManagerHost, ServerConnection
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.filters.router import Router
from meshsim.envoy.filters.wasm import FailedFilter, WasmFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.manager_headers import Place
from meshsim.envoy.plugins import PluginUse
from meshsim.envoy.process import ThreadHost
from meshsim.envoy.reply_forms import ReplyForms
from meshsim.envoy.routing import Match, Routed, find_route
from meshsim.envoy.stream import StreamInfo
from meshsim.envoy.threads import Thread
from meshsim.envoy.upstream import Address
from meshsim.envoy.wire import Socket

if TYPE_CHECKING:
    from meshsim.envoy.proxy import Envoy

_DEFAULT_LIMIT_BYTES = 1 << 20


@dataclass(eq=False, slots=True)
class Listener:
    """A listener at work: gives each connection to a worker."""

    envoy: Envoy
    config: ListenerConfig
    manager: HttpConnectionManager
    uses: list[tuple[HttpFilterConfig, PluginUse | None]]
    address: Address

    def accept(self, client: Thread, worker: int | None = None, *, http2: bool = False) -> Socket:
        """Make a connection; return the client's end."""
        host = self.envoy.pick_worker(worker)
        near, far = Socket.pair(client, host.thread, http2=http2)
        host.connections.append(ServerConnection(self.manager, self._manager_host(host), far, self._info(host)))
        return near

    def _manager_host(self, host: ThreadHost) -> ManagerHost:
        envoy = self.envoy
        limit = self.config.per_connection_buffer_limit_bytes
        return ManagerHost(
            host.thread,
            envoy.process.stats.scope(f"http.{self.manager.stat_prefix}"),
            lambda match: self._filters(host, match),
            self._route,
            envoy.new_request_id,
            envoy.http_date(host.thread),
            _DEFAULT_LIMIT_BYTES if limit is None else limit,
            Place(envoy.local_address, self.address[1], envoy.bootstrap.node),
            self._forms(),
        )

    def _forms(self) -> ReplyForms | None:
        config = self.manager.local_reply_config
        return ReplyForms(config, self.envoy.bootstrap.sources.bytes_of) if config else None

    def _info(self, host: ThreadHost) -> Callable[[], StreamInfo]:
        connection = self.envoy.next_connection_id()
        source = ("127.0.0.1", 40_000 + connection)
        return lambda: StreamInfo(host.thread.now_ns, source, self.address, connection, self.config)

    def _route(self, headers: HeaderMap) -> Routed:
        if self.manager.route_config is None:
            return Routed()
        return find_route(self.manager.route_config, headers, self.envoy.process.random("routes"))

    def _filters(self, host: ThreadHost, match: Match | None) -> list[HttpFilter]:
        filters: list[HttpFilter] = []
        host.thread.spend(self.envoy.process.costs.request_ns)
        for config, use in self.uses:
            if _is_disabled(config, match):
                continue
            if use is not None:
                wasm = self._wasm_filter(use, host)
                if wasm is not None:
                    filters.append(wasm)
            elif isinstance(config.typed_config, RouterConfig | None):
                filters.append(self._router(config.typed_config or RouterConfig(), host))
        return filters

    def _wasm_filter(self, use: PluginUse, host: ThreadHost) -> HttpFilter | None:
        plugin = use.plugin_for_stream(host)
        if plugin is not None:
            return WasmFilter(plugin)
        return None if use.spec.fails_open else FailedFilter()

    def _router(self, config: RouterConfig, host: ThreadHost) -> Router:
        return Router(
            config,
            host.clusters,
            self.envoy.process.stats.scope(f"http.{self.manager.stat_prefix}"),
            lambda: host.thread.now_ns,
            formatter.values_of,
            self.envoy.process.random("retries"),
            self.envoy.host_name,
            self.envoy.bootstrap.sources.bytes_of,
        )


def _is_disabled(config: HttpFilterConfig, match: Match | None) -> bool:
    """Whether a filter is left out of a stream: what the route says counts more than the filter's own setting."""
    override = match.filter_config(config.name) if match else None
    return config.disabled if override is None else override.disabled
