"""The TCP proxy: the last network filter of a connection whose bytes go on to a cluster.

Rules seen in Envoy 1.40: it connects as soon as the connection is there, and the client is read only when the
upstream is connected; half-closes are passed on in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping

from meshsim.abi.constants import CloseType
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.cluster import Cluster
from meshsim.envoy.config.tcp import TcpProxy as TcpProxyConfig
from meshsim.envoy.tcp import ByteSocket, NetworkFilter
from meshsim.envoy.upstream import REFUSED
from meshsim.envoy.wire import HANDSHAKE_NS, Part, Socket

#: A filter may leave the name of a cluster here.
_CLUSTER_STATE = b"envoy.tcp_proxy.cluster"


class TcpProxy(NetworkFilter):
    """One connection and its upstream."""

    half_close = True

    def __init__(self, config: TcpProxyConfig, clusters: Mapping[str, Cluster]) -> None:
        self._config = config
        self._clusters = clusters
        self._upstream: ByteSocket | None = None
        self._answer = BodyBuffer()

    def attached(self) -> None:
        """Leave what arrives where it is, until the upstream is connected."""
        self.connection.pause_reading()
        self.connection.info.transport_failure = ""

    def new_connection(self) -> bool:
        """Choose a host, and connect."""
        info = self.connection.info
        chosen = info.filter_state.get(_CLUSTER_STATE)
        name = chosen.decode("utf-8", "surrogateescape") if chosen else self._config.cluster or ""
        cluster = self._clusters.get(name)
        if cluster is not None:
            info.cluster = name
        address = cluster.next_host() if cluster else None
        if cluster is None or address is None:
            info.pool_answered = cluster is not None
            self._give_up("UH" if cluster else "NC")
            return False
        info.attempts = 1
        cluster.dial(address)
        socket = cluster.connect(address)
        self.connection.thread.post(lambda: self._connected(cluster, address, socket), HANDSHAKE_NS)
        return False

    def _give_up(self, *flags: str) -> None:
        self.connection.info.flags += flags
        self.connection.close(CloseType.LOCAL)

    def _connected(self, cluster: Cluster, address: tuple[str, int], socket: Socket | None) -> None:
        if self.connection.is_closed:
            if socket is not None:
                socket.close()
            return
        info = self.connection.info
        info.upstream, info.pool_answered = address, True
        if socket is None:
            info.transport_failure = REFUSED.transport
            self._give_up("UF", "URX")  # a try that fails is the last one that is allowed
            return
        socket.half_close, socket.reader = True, self
        self._upstream = ByteSocket(socket, serves=False)
        cluster.stats.add("upstream_rq_total")
        info.upstream_connected = True
        self.connection.resume_reading()

    # -- downstream ---

    def data(self, data: BodyBuffer, end: bool) -> bool:
        """Pass on what has arrived."""
        if self._upstream is not None:
            self._upstream.write(bytes(data.data))
            data.data = bytearray()
            if end:
                self._upstream.finish()
        return False

    def closed(self, by: CloseType) -> None:
        """Close the upstream too."""
        if self._upstream is not None:
            self._upstream.close()

    # -- upstream ---

    def on_read(self, parts: list[Part]) -> None:
        """Pass on what the upstream sends."""
        assert self._upstream
        self._answer.data += self._upstream.bytes_of(parts)
        self._write(end=False)

    def on_close(self) -> None:
        """Pass on that the upstream sends no more."""
        self._write(end=True)

    def _write(self, *, end: bool) -> None:
        if not self.connection.is_closed:
            self.connection.write(self._answer, end)
