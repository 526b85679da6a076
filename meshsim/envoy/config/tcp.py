"""The TCP proxy."""

from __future__ import annotations

from meshsim.envoy.config.access_log import AccessLog
from meshsim.envoy.config.base import Message


class TcpProxy(Message):
    """The network filter that passes bytes on to a cluster."""

    proto = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
    stat_prefix: str = ""
    cluster: str | None = None
    access_log: tuple[AccessLog, ...] = ()
