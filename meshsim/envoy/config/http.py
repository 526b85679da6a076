"""The HTTP connection manager and its filters."""

from __future__ import annotations

from typing import Literal

from meshsim.envoy.config.access_log import AccessLog, AccessLogFilter
from meshsim.envoy.config.base import DurationNs, Message
from meshsim.envoy.config.buffer import Buffer
from meshsim.envoy.config.core import (
    DataSource,
    HeaderValueOption,
    Http1ProtocolOptions,
    HttpProtocolOptions,
    SubstitutionFormatString,
)
from meshsim.envoy.config.discovery import ExtensionConfigSource
from meshsim.envoy.config.fault import HTTPFault
from meshsim.envoy.config.header_mutation import HeaderMutation
from meshsim.envoy.config.local_ratelimit import LocalRateLimit
from meshsim.envoy.config.lua import Lua
from meshsim.envoy.config.metadata_filters import HeaderToMetadata, SetMetadata
from meshsim.envoy.config.rbac import Rbac
from meshsim.envoy.config.route import RouteConfiguration
from meshsim.envoy.config.tracing import Tracing
from meshsim.envoy.config.wasm import Wasm

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3"


class Router(Message):
    """The terminal HTTP filter."""

    proto = "envoy.extensions.filters.http.router.v3.Router"
    dynamic_stats: bool | None = None
    start_child_span: bool = False
    suppress_envoy_headers: bool = False
    strict_check_headers: tuple[str, ...] = ()
    respect_expected_rq_timeout: bool = False


class HttpFilter(Message):
    """One filter of the chain; ``typed_config`` is None for one that is named and not configured."""

    proto = f"{_HCM}.HttpFilter"
    name: str = ""
    typed_config: (
        Wasm
        | Router
        | Lua
        | HeaderMutation
        | HTTPFault
        | LocalRateLimit
        | Buffer
        | SetMetadata
        | HeaderToMetadata
        | Rbac
        | None
    ) = None
    config_discovery: ExtensionConfigSource | None = None
    is_optional: bool = False
    disabled: bool = False


class ResponseMapper(Message):
    """What a local reply looks like."""

    proto = f"{_HCM}.ResponseMapper"
    filter: AccessLogFilter | None = None
    status_code: int | None = None
    body: DataSource | None = None
    body_format_override: SubstitutionFormatString | None = None
    headers_to_add: tuple[HeaderValueOption, ...] = ()


class LocalReplyConfig(Message):
    """What all local replies look like."""

    proto = f"{_HCM}.LocalReplyConfig"
    mappers: tuple[ResponseMapper, ...] = ()
    body_format: SubstitutionFormatString | None = None


class UpgradeConfig(Message):
    """A protocol that a client may switch to."""

    proto = f"{_HCM}.HttpConnectionManager.UpgradeConfig"
    upgrade_type: str = ""
    enabled: bool | None = None


class HttpConnectionManager(Message):
    """The network filter that speaks HTTP."""

    proto = f"{_HCM}.HttpConnectionManager"
    codec_type: Literal["AUTO", "HTTP1", "HTTP2", "HTTP3"] = "AUTO"
    stat_prefix: str = ""
    route_config: RouteConfiguration | None = None
    http_filters: tuple[HttpFilter, ...] = ()
    add_user_agent: bool | None = None
    common_http_protocol_options: HttpProtocolOptions | None = None
    http_protocol_options: Http1ProtocolOptions | None = None
    server_name: str = ""
    server_header_transformation: Literal["OVERWRITE", "APPEND_IF_ABSENT", "PASS_THROUGH"] = "OVERWRITE"
    max_request_headers_kb: int | None = None
    stream_idle_timeout: DurationNs | None = None
    request_timeout: DurationNs | None = None
    delayed_close_timeout: DurationNs | None = None
    access_log: tuple[AccessLog, ...] = ()
    use_remote_address: bool | None = None
    xff_num_trusted_hops: int = 0
    skip_xff_append: bool = False
    via: str = ""
    generate_request_id: bool | None = None
    preserve_external_request_id: bool = False
    always_set_request_id_in_response: bool = False
    forward_client_cert_details: Literal[
        "SANITIZE", "FORWARD_ONLY", "APPEND_FORWARD", "SANITIZE_SET", "ALWAYS_FORWARD_ONLY"
    ] = "SANITIZE"
    proxy_100_continue: bool = False
    upgrade_configs: tuple[UpgradeConfig, ...] = ()
    normalize_path: bool | None = None
    merge_slashes: bool = False
    path_with_escaped_slashes_action: Literal[
        "IMPLEMENTATION_SPECIFIC_DEFAULT",
        "KEEP_UNCHANGED",
        "REJECT_REQUEST",
        "UNESCAPE_AND_REDIRECT",
        "UNESCAPE_AND_FORWARD",
    ] = "IMPLEMENTATION_SPECIFIC_DEFAULT"
    local_reply_config: LocalReplyConfig | None = None
    strip_matching_host_port: bool = False
    strip_any_host_port: bool | None = None
    stream_error_on_invalid_http_message: bool | None = None
    strip_trailing_host_dot: bool = False
    append_x_forwarded_port: bool = False
    tracing: Tracing | None = None
