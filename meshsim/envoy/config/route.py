"""Virtual hosts and routes: ``envoy.config.route.v3``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from meshsim.envoy.config.base import DurationNs, Message
from meshsim.envoy.config.buffer import BufferPerRoute
from meshsim.envoy.config.core import (
    DataSource,
    HeaderValueOption,
    Metadata,
    SubstitutionFormatString,
)
from meshsim.envoy.config.fault import HTTPFault
from meshsim.envoy.config.header_mutation import HeaderMutationPerRoute
from meshsim.envoy.config.local_ratelimit import LocalRateLimit
from meshsim.envoy.config.lua import LuaPerRoute
from meshsim.envoy.config.matcher import (
    HeaderMatcher,
    QueryParameterMatcher,
    RegexMatchAndSubstitute,
    RegexMatcher,
)
from meshsim.envoy.config.metadata_filters import HeaderToMetadata, SetMetadata
from meshsim.envoy.config.rbac import RbacPerRoute
from meshsim.envoy.config.share import FractionalPercent, RuntimeFractionalPercent
from meshsim.envoy.config.wasm import Wasm

#: What a route can say to a filter in the filter's own words.
OwnConfig = (
    LuaPerRoute
    | HeaderMutationPerRoute
    | HTTPFault
    | LocalRateLimit
    | BufferPerRoute
    | SetMetadata
    | HeaderToMetadata
    | RbacPerRoute
)


class FilterConfig(Message):
    """What a route says about a filter: off, or another configuration; of Wasm it has no effect."""

    proto = "envoy.config.route.v3.FilterConfig"
    disabled: bool = False
    config: OwnConfig | Wasm | None = None


class RouteMatch(Message):
    """Which requests a route takes."""

    proto = "envoy.config.route.v3.RouteMatch"
    prefix: str | None = None
    path: str | None = None
    safe_regex: RegexMatcher | None = None
    path_separated_prefix: str | None = None
    case_sensitive: bool | None = None
    runtime_fraction: RuntimeFractionalPercent | None = None
    headers: tuple[HeaderMatcher, ...] = ()
    query_parameters: tuple[QueryParameterMatcher, ...] = ()


class RetryPolicy(Message):
    """When and how often the router tries again."""

    proto = "envoy.config.route.v3.RetryPolicy"
    retry_on: str = ""
    num_retries: int | None = None
    per_try_timeout: DurationNs | None = None
    retriable_status_codes: tuple[int, ...] = ()


class ClusterWeight(Message):
    """One of several clusters, and its share."""

    proto = "envoy.config.route.v3.WeightedCluster.ClusterWeight"
    name: str = ""
    cluster_header: str = ""
    weight: int | None = None
    request_headers_to_add: tuple[HeaderValueOption, ...] = ()
    request_headers_to_remove: tuple[str, ...] = ()
    response_headers_to_add: tuple[HeaderValueOption, ...] = ()
    response_headers_to_remove: tuple[str, ...] = ()
    typed_per_filter_config: dict[str, FilterConfig | OwnConfig] = Field(default_factory=dict)
    host_rewrite_literal: str | None = None


class WeightedCluster(Message):
    """Clusters that share a route's requests."""

    proto = "envoy.config.route.v3.WeightedCluster"
    clusters: tuple[ClusterWeight, ...] = ()


class HashHeader(Message):
    """A header that goes into a request's hash."""

    proto = "envoy.config.route.v3.RouteAction.HashPolicy.Header"
    header_name: str = ""


class HashCookie(Message):
    """A cookie that goes into a request's hash."""

    proto = "envoy.config.route.v3.RouteAction.HashPolicy.Cookie"
    name: str = ""


class HashConnection(Message):
    """The client's address, which goes into a request's hash."""

    proto = "envoy.config.route.v3.RouteAction.HashPolicy.ConnectionProperties"
    source_ip: bool = False


class HashParameter(Message):
    """A query parameter that goes into a request's hash."""

    proto = "envoy.config.route.v3.RouteAction.HashPolicy.QueryParameter"
    name: str = ""


class HashPolicy(Message):
    """One part of a request's hash: one of these."""

    proto = "envoy.config.route.v3.RouteAction.HashPolicy"
    header: HashHeader | None = None
    cookie: HashCookie | None = None
    connection_properties: HashConnection | None = None
    query_parameter: HashParameter | None = None
    terminal: bool = False


class RouteAction(Message):
    """Forward to a cluster."""

    proto = "envoy.config.route.v3.RouteAction"
    cluster: str | None = None
    cluster_header: str | None = None
    weighted_clusters: WeightedCluster | None = None
    cluster_not_found_response_code: Literal["SERVICE_UNAVAILABLE", "NOT_FOUND", "INTERNAL_SERVER_ERROR"] = (
        "SERVICE_UNAVAILABLE"
    )
    prefix_rewrite: str = ""
    regex_rewrite: RegexMatchAndSubstitute | None = None
    host_rewrite_literal: str | None = None
    auto_host_rewrite: bool | None = None
    host_rewrite_header: str | None = None
    host_rewrite_path_regex: RegexMatchAndSubstitute | None = None
    append_x_forwarded_host: bool = False
    timeout: DurationNs | None = None
    idle_timeout: DurationNs | None = None
    retry_policy: RetryPolicy | None = None
    hash_policy: tuple[HashPolicy, ...] = ()


class RedirectAction(Message):
    """Answer with a redirection."""

    proto = "envoy.config.route.v3.RedirectAction"
    https_redirect: bool | None = None
    scheme_redirect: str | None = None
    host_redirect: str = ""
    port_redirect: int = 0
    path_redirect: str | None = None
    prefix_rewrite: str | None = None
    regex_rewrite: RegexMatchAndSubstitute | None = None
    response_code: Literal["MOVED_PERMANENTLY", "FOUND", "SEE_OTHER", "TEMPORARY_REDIRECT", "PERMANENT_REDIRECT"] = (
        "MOVED_PERMANENTLY"
    )
    strip_query: bool = False


class DirectResponseAction(Message):
    """Answer at once."""

    proto = "envoy.config.route.v3.DirectResponseAction"
    status: int = 0
    body: DataSource | None = None
    body_format: SubstitutionFormatString | None = None


class RouteTracing(Message):
    """Which of a route's requests are traced."""

    proto = "envoy.config.route.v3.Tracing"
    client_sampling: FractionalPercent | None = None
    random_sampling: FractionalPercent | None = None
    overall_sampling: FractionalPercent | None = None


class Decorator(Message):
    """A name for what a route's requests do."""

    proto = "envoy.config.route.v3.Decorator"
    operation: str = ""
    propagate: bool | None = None


class Route(Message):
    """A condition, what to do, and what to change on the way."""

    proto = "envoy.config.route.v3.Route"
    name: str = ""
    match: RouteMatch = RouteMatch()
    route: RouteAction | None = None
    redirect: RedirectAction | None = None
    direct_response: DirectResponseAction | None = None
    decorator: Decorator | None = None
    tracing: RouteTracing | None = None
    metadata: Metadata | None = None
    typed_per_filter_config: dict[str, FilterConfig | OwnConfig] = Field(default_factory=dict)
    request_headers_to_add: tuple[HeaderValueOption, ...] = ()
    request_headers_to_remove: tuple[str, ...] = ()
    response_headers_to_add: tuple[HeaderValueOption, ...] = ()
    response_headers_to_remove: tuple[str, ...] = ()
    per_request_buffer_limit_bytes: int | None = None
    request_body_buffer_limit: int | None = None


class VirtualHost(Message):
    """The routes of some domains."""

    proto = "envoy.config.route.v3.VirtualHost"
    name: str = ""
    domains: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    require_tls: Literal["NONE", "EXTERNAL_ONLY", "ALL"] = "NONE"
    request_headers_to_add: tuple[HeaderValueOption, ...] = ()
    request_headers_to_remove: tuple[str, ...] = ()
    response_headers_to_add: tuple[HeaderValueOption, ...] = ()
    response_headers_to_remove: tuple[str, ...] = ()
    typed_per_filter_config: dict[str, FilterConfig | OwnConfig] = Field(default_factory=dict)
    include_request_attempt_count: bool = False
    include_attempt_count_in_response: bool = False
    retry_policy: RetryPolicy | None = None
    per_request_buffer_limit_bytes: int | None = None
    request_body_buffer_limit: int | None = None
    metadata: Metadata | None = None


class RouteConfiguration(Message):
    """All virtual hosts of a connection manager."""

    proto = "envoy.config.route.v3.RouteConfiguration"
    name: str = ""
    virtual_hosts: tuple[VirtualHost, ...] = ()
    internal_only_headers: tuple[str, ...] = ()
    request_headers_to_add: tuple[HeaderValueOption, ...] = ()
    request_headers_to_remove: tuple[str, ...] = ()
    response_headers_to_add: tuple[HeaderValueOption, ...] = ()
    response_headers_to_remove: tuple[str, ...] = ()
    most_specific_header_mutations_wins: bool = False
    validate_clusters: bool | None = None
    max_direct_response_body_size_bytes: int | None = None
    ignore_port_in_host_matching: bool = False
    typed_per_filter_config: dict[str, FilterConfig | OwnConfig] = Field(default_factory=dict)
    metadata: Metadata | None = None
