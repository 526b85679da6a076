"""Addresses, data sources, header options, the node: ``envoy.config.core.v3``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from meshsim.envoy.config.base import DurationNs, Message, Struct

HeaderAppendAction = Literal[
    "APPEND_IF_EXISTS_OR_ADD", "ADD_IF_ABSENT", "OVERWRITE_IF_EXISTS_OR_ADD", "OVERWRITE_IF_EXISTS"
]
TrafficDirection = Literal["UNSPECIFIED", "INBOUND", "OUTBOUND"]


class Metadata(Message):
    """Metadata by filter name."""

    proto = "envoy.config.core.v3.Metadata"
    filter_metadata: dict[str, Struct] = Field(default_factory=dict)


class Locality(Message):
    """Where a node or an endpoint is."""

    proto = "envoy.config.core.v3.Locality"
    region: str = ""
    zone: str = ""
    sub_zone: str = ""


class Node(Message):
    """Who this Envoy says it is; modules read it as the ``node`` property."""

    proto = "envoy.config.core.v3.Node"
    id: str = ""
    cluster: str = ""
    metadata: Struct | None = None
    locality: Locality | None = None


class SocketAddress(Message):
    """An IP address or host name, and a port."""

    proto = "envoy.config.core.v3.SocketAddress"
    protocol: Literal["TCP", "UDP"] = "TCP"
    address: str = ""
    port_value: int | None = None
    named_port: str | None = None

    @property
    def port(self) -> int:
        """The port; 0 when the configuration leaves the choice to the kernel."""
        return self.port_value or 0


class Address(Message):
    """Where to listen, or where to connect to."""

    proto = "envoy.config.core.v3.Address"
    socket_address: SocketAddress | None = None


class DataSource(Message):
    """Bytes from a file, from the configuration itself or from the environment."""

    proto = "envoy.config.core.v3.DataSource"
    filename: str | None = None
    inline_bytes: bytes | None = None
    inline_string: str | None = None
    environment_variable: str | None = None

    @property
    def inline(self) -> bytes | None:
        """The bytes, when they are in the configuration itself."""
        if self.inline_string is not None:
            return self.inline_string.encode()
        return self.inline_bytes


class BackoffStrategy(Message):
    """Exponential back-off between two tries."""

    proto = "envoy.config.core.v3.BackoffStrategy"
    base_interval: DurationNs | None = None
    max_interval: DurationNs | None = None


class HttpUri(Message):
    """Where to fetch something, and through which cluster."""

    proto = "envoy.config.core.v3.HttpUri"
    uri: str = ""
    cluster: str | None = None
    timeout: DurationNs | None = None


class RetryPolicy(Message):
    """How often a fetch is tried."""

    proto = "envoy.config.core.v3.RetryPolicy"
    retry_back_off: BackoffStrategy | None = None
    num_retries: int | None = None
    retry_on: str = ""


class RemoteDataSource(Message):
    """Bytes that are fetched, and the checksum they must have."""

    proto = "envoy.config.core.v3.RemoteDataSource"
    http_uri: HttpUri | None = None
    sha256: str = ""
    retry_policy: RetryPolicy | None = None


class AsyncDataSource(Message):
    """Bytes that are here, or that must be fetched first."""

    proto = "envoy.config.core.v3.AsyncDataSource"
    local: DataSource | None = None
    remote: RemoteDataSource | None = None


class HeaderValue(Message):
    """One header; ``value`` may hold command operators such as ``%REQ(x)%``."""

    proto = "envoy.config.core.v3.HeaderValue"
    key: str = ""
    value: str = ""
    raw_value: bytes = b""


class HeaderValueOption(Message):
    """A header to add, and what happens when it is there already."""

    proto = "envoy.config.core.v3.HeaderValueOption"
    header: HeaderValue = HeaderValue()
    append: bool | None = None
    append_action: HeaderAppendAction = "APPEND_IF_EXISTS_OR_ADD"
    keep_empty_value: bool = False

    @property
    def action(self) -> HeaderAppendAction:
        """What to do, with the deprecated ``append`` taken into account."""
        if self.append is None:
            return self.append_action
        return "APPEND_IF_EXISTS_OR_ADD" if self.append else "OVERWRITE_IF_EXISTS_OR_ADD"


class SubstitutionFormatString(Message):
    """A format with command operators, as text or as JSON."""

    proto = "envoy.config.core.v3.SubstitutionFormatString"
    text_format: str | None = None
    json_format: Struct | None = None
    text_format_source: DataSource | None = None
    omit_empty_values: bool = False
    content_type: str = ""


class HttpProtocolOptions(Message):
    """What all HTTP versions have in common."""

    proto = "envoy.config.core.v3.HttpProtocolOptions"
    max_connection_duration: DurationNs | None = None
    max_headers_count: int | None = None
    max_stream_duration: DurationNs | None = None
    headers_with_underscores_action: Literal["ALLOW", "REJECT_REQUEST", "DROP_HEADER"] = "ALLOW"
    max_requests_per_connection: int | None = None
    max_response_headers_kb: int | None = None


class Http1ProtocolOptions(Message):
    """HTTP/1.1."""

    proto = "envoy.config.core.v3.Http1ProtocolOptions"
    allow_absolute_url: bool | None = None
    accept_http_10: bool = False
    default_host_for_http_10: str = ""
    enable_trailers: bool = False
    allow_custom_methods: bool = False
    override_stream_error_on_invalid_http_message: bool | None = None
    send_fully_qualified_url: bool = False


class Http2ProtocolOptions(Message):
    """HTTP/2; only its presence is read."""

    proto = "envoy.config.core.v3.Http2ProtocolOptions"
    max_concurrent_streams: int | None = None
    initial_stream_window_size: int | None = None
    initial_connection_window_size: int | None = None
