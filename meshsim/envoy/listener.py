"""A listener at work: connections to workers, and to the network filters there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from meshsim.abi.constants import CloseType
from meshsim.envoy.address import Address
from meshsim.envoy.config.listener import Listener as ListenerConfig
from meshsim.envoy.filters.access_log import Logger
from meshsim.envoy.filters.http_manager import HttpManager
from meshsim.envoy.filters.network_wasm import FailedNetworkFilter, WasmNetworkFilter
from meshsim.envoy.filters.tcp_proxy import TcpProxy
from meshsim.envoy.manager import Manager
from meshsim.envoy.plugin_use import PluginUse
from meshsim.envoy.stream_info import StackedState, StreamInfo
from meshsim.envoy.tcp import Connection, NetworkFilter
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import HANDSHAKE_NS, Socket

if TYPE_CHECKING:
    from meshsim.envoy.config.tcp import TcpProxy as TcpProxyConfig
    from meshsim.envoy.server import Server


@dataclass(frozen=True, eq=False, slots=True)
class Proxy:
    """A TCP proxy at work, with its access loggers."""

    config: TcpProxyConfig
    loggers: list[Logger]


#: A network filter at work: what makes one for each connection.
NetworkUse = PluginUse | Manager | Proxy


@dataclass(eq=False, slots=True)
class Listener:
    """A listener at work: gives each connection to a worker.

    A connection whose only filter is a connection manager carries parts of messages all the way. With any other
    filter, or a logger of connections, it is bytes (:mod:`meshsim.envoy.tcp`).
    """

    envoy: Server
    config: ListenerConfig
    chain: Sequence[NetworkUse]
    loggers: list[Logger]
    address: Address
    chain_name: str = ""

    def accept(self, client: Thread, worker: int | None = None, *, http2: bool = False) -> Socket:
        """Make a connection; return the client's end."""
        host = self.envoy.pick_worker(worker)
        near, far = Socket.pair(client, host.thread, http2=http2)
        info = self._info(host, far)
        match self.chain:
            case [Manager() as manager] if not self.loggers:
                host.connections.add(manager.serve(host, far, info).on_close, lambda: near.closed and far.closed)
            case _:
                self._open(host, far, info, client.now_ns + HANDSHAKE_NS)
        return near

    def _info(self, host: ThreadHost, socket: Socket) -> Callable[[], StreamInfo]:
        connection = self.envoy.next_connection_id()
        source = ("127.0.0.1", 40_000 + connection)
        around = self.envoy.surroundings(host)
        return lambda: StreamInfo(
            host.thread.now_ns,
            source,
            self.address,
            connection,
            self.config,
            filter_chain=self.chain_name,
            surroundings=around,
            account=socket.account,
        )

    # -- connections of bytes ---

    def _open(self, host: ThreadHost, socket: Socket, info: Callable[[], StreamInfo], time_ns: int) -> None:
        facts = info()
        facts.protocol = ""

        def stream_info() -> StreamInfo:
            return replace(info(), filter_state=StackedState({}, facts.filter_state))

        def begin() -> None:
            filters = [network_filter for use in self.chain for network_filter in self._filter(use, host, stream_info)]
            connection = Connection(host.thread, socket, facts, filters, lambda: self._log(connection, host))
            host.connections.add(lambda: connection.close(CloseType.LOCAL), lambda: connection.is_closed)
            connection.open()

        host.thread.post_at(begin, time_ns)

    def _filter(self, use: NetworkUse, host: ThreadHost, info: Callable[[], StreamInfo]) -> list[NetworkFilter]:
        """Make a filter for a connection; none for a plugin that is done without."""
        match use:
            case Manager():
                return [HttpManager(lambda wire: use.serve(host, wire, info))]
            case Proxy():
                return [TcpProxy(use.config, host.clusters)]
            case PluginUse():
                plugin = use.plugin_for_stream(host)
                if plugin is not None:
                    return [WasmNetworkFilter(plugin)]
                return [] if use.does_without(host) else [FailedNetworkFilter()]

    def _log(self, connection: Connection, host: ThreadHost) -> None:
        proxies = [use for use in self.chain if isinstance(use, Proxy)]
        for logger in (*self.loggers, *(logger for proxy in proxies for logger in proxy.loggers)):
            logger.on_connection(host, connection.subject)
