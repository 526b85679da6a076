"""Tracing of a connection manager, and of its routes: which requests are traced, and in whose words upstreams hear."""

from __future__ import annotations

from typing import Literal

from meshsim.envoy.config.base import Message


class Percent(Message):
    """A share in percent."""

    proto = "envoy.type.v3.Percent"
    value: float = 0.0


class ZipkinConfig(Message):
    """Zipkin: trace contexts as b3 headers."""

    proto = "envoy.config.trace.v3.ZipkinConfig"
    trace_id_128bit: bool = False
    shared_span_context: bool | None = None
    trace_context_option: Literal["USE_B3", "USE_B3_WITH_W3C_PROPAGATION"] = "USE_B3"


class OpenTelemetryConfig(Message):
    """OpenTelemetry: trace contexts as ``traceparent`` and ``tracestate``."""

    proto = "envoy.config.trace.v3.OpenTelemetryConfig"


class Provider(Message):
    """Who traces."""

    proto = "envoy.config.trace.v3.Tracing.Http"
    typed_config: ZipkinConfig | OpenTelemetryConfig | None = None


class Tracing(Message):
    """What a connection manager traces; a share that is left out is all."""

    proto = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing"
    client_sampling: Percent | None = None
    random_sampling: Percent | None = None
    overall_sampling: Percent | None = None
    provider: Provider | None = None
    spawn_upstream_span: bool | None = None
    no_context_propagation: bool = False
