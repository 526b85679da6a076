"""Listeners and their filter chains: ``envoy.config.listener.v3``."""

from __future__ import annotations

from meshsim.envoy.config.access_log import AccessLog
from meshsim.envoy.config.base import Message
from meshsim.envoy.config.core import Address, Metadata, TrafficDirection
from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.config.tcp import TcpProxy
from meshsim.envoy.config.wasm_extensions import WasmNetworkFilter


class Filter(Message):
    """A network filter."""

    proto = "envoy.config.listener.v3.Filter"
    name: str = ""
    typed_config: HttpConnectionManager | TcpProxy | WasmNetworkFilter | None = None


class FilterChain(Message):
    """The network filters of a connection."""

    proto = "envoy.config.listener.v3.FilterChain"
    name: str = ""
    filters: tuple[Filter, ...] = ()
    metadata: Metadata | None = None


class Listener(Message):
    """An address, and what happens to its connections."""

    proto = "envoy.config.listener.v3.Listener"
    name: str = ""
    address: Address | None = None
    stat_prefix: str = ""
    filter_chains: tuple[FilterChain, ...] = ()
    per_connection_buffer_limit_bytes: int | None = None
    metadata: Metadata | None = None
    traffic_direction: TrafficDirection = "UNSPECIFIED"
    access_log: tuple[AccessLog, ...] = ()
