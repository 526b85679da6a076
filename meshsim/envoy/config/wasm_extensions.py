"""Wasm plugins in other places than an HTTP filter chain."""

from __future__ import annotations

from meshsim.envoy.config.base import Message
from meshsim.envoy.config.wasm import PluginConfig


class WasmNetworkFilter(Message):
    """The network filter ``envoy.filters.network.wasm``."""

    proto = "envoy.extensions.filters.network.wasm.v3.Wasm"
    config: PluginConfig = PluginConfig()


class WasmAccessLog(Message):
    """The access logger ``envoy.access_loggers.wasm``."""

    proto = "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog"
    config: PluginConfig = PluginConfig()


class WasmService(Message):
    """The bootstrap extension ``envoy.bootstrap.wasm``; ``singleton``: on the main thread only."""

    proto = "envoy.extensions.wasm.v3.WasmService"
    config: PluginConfig = PluginConfig()
    singleton: bool = False


class WasmStatSink(Message):
    """The sink of statistics ``envoy.stat_sinks.wasm``."""

    proto = "envoy.extensions.stat_sinks.wasm.v3.Wasm"
    config: PluginConfig = PluginConfig()
