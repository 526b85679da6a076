"""Tables of what is accepted and changes nothing here, and of values that are not modelled; each with its reason."""

from __future__ import annotations

from collections.abc import Mapping

_NO_NAMES = "addresses are not looked up"
_NO_TLS = "connections are not encrypted"
_NO_LOAD = "a replay sends one request after the other"
_NO_SINK = "shown nowhere: only Envoy's own log, counters and answers are"
_NO_SPANS = "spans are not collected"
_SOCKET = "an option of the kernel's sockets"
_NO_XDS = "there is no control plane"
_ONE_REQUEST = "a client's connection carries one request"
_NO_RUNTIME = "runtime values that override anything are not modelled"
_NEVER_DUE = "a replay is over before it could matter"

INERT: Mapping[str, Mapping[str, str]] = {
    "envoy.config.endpoint.v3.LbEndpoint": {
        "health_status": "health checks are not modelled",
    },
    "envoy.config.endpoint.v3.ClusterLoadAssignment": {
        "cluster_name": "the cluster has a name of its own",
    },
    "envoy.config.core.v3.RuntimeUInt32": {
        "runtime_key": _NO_RUNTIME,
    },
    "envoy.config.core.v3.RuntimeFractionalPercent": {
        "runtime_key": _NO_RUNTIME,
    },
    "envoy.config.route.v3.WeightedCluster": {
        "total_weight": "the sum of the weights counts",
        "runtime_key_prefix": _NO_RUNTIME,
    },
    "envoy.config.core.v3.SocketAddress": {
        "ipv4_compat": _SOCKET,
    },
    "envoy.config.bootstrap.v3.Bootstrap": {
        "node_context_params": _NO_XDS,
        "stats_flush_interval": _NO_SINK,
        "stats_flush_on_admin": _NO_SINK,
        "stats_eviction_interval": _NEVER_DUE,
        "deferred_stat_options": _NO_SINK,
        "enable_dispatcher_stats": _NO_SINK,
        "stats_server_version_override": _NO_SINK,
        "watchdog": _NEVER_DUE,
        "watchdogs": _NEVER_DUE,
        "fatal_actions": _NEVER_DUE,
        "overload_manager": _NO_LOAD,
        "flags_path": _NO_SINK,
        "perf_tracing_file_path": _NO_SINK,
        "use_tcp_for_dns_lookups": _NO_NAMES,
        "dns_resolution_config": _NO_NAMES,
        "typed_dns_resolver_config": _NO_NAMES,
        "default_regex_engine": "the default one is the only one",
        "memory_allocator_manager": _NEVER_DUE,
        "grpc_async_client_manager_config": _NO_XDS,
        "certificate_provider_instances": _NO_TLS,
        "enable_worker_cpu_affinity": _NO_LOAD,
    },
    "envoy.config.bootstrap.v3.Bootstrap.StaticResources": {"secrets": _NO_TLS},
    "envoy.config.bootstrap.v3.Admin": {"*": "the administration listener is not simulated"},
    "envoy.config.bootstrap.v3.RuntimeLayer": {"admin_layer": "nobody changes values while a replay runs"},
    "envoy.config.bootstrap.v3.ClusterManager": {
        "local_cluster_name": _NO_LOAD,
        "outlier_detection": _NO_SINK,
        "load_stats_config": _NO_XDS,
        "enable_deferred_cluster_creation": _NO_SINK,
    },
    "envoy.config.metrics.v3.StatsConfig": {
        "stats_tags": _NO_SINK,
        "use_all_default_tags": _NO_SINK,
        "histogram_bucket_settings": _NO_SINK,
        "allow_default_tag_overrides": _NO_SINK,
    },
    "envoy.config.core.v3.Node": {
        "user_agent_name": _NO_XDS,
        "user_agent_version": _NO_XDS,
        "client_features": _NO_XDS,
        "dynamic_parameters": _NO_XDS,
        "user_agent_build_version": _NO_XDS,
        "extensions": _NO_XDS,
        "listening_addresses": _NO_XDS,
    },
    "envoy.config.core.v3.DataSource": {"watched_directory": "files are read once"},
    "envoy.config.core.v3.PathConfigSource": {
        "watched_directory": "files are read once",
        "poll_interval": "files are read once",
    },
    "envoy.config.core.v3.ConfigSource": {"initial_fetch_timeout": "files are read at once"},
    "envoy.config.core.v3.ExtensionConfigSource": {
        "apply_default_config_without_warming": "files are read at once",
    },
    "envoy.config.core.v3.RetryPolicy": {"*": "the first fetch succeeds or fails"},
    "envoy.config.core.v3.SubstitutionFormatString": {"json_format_options": "keys are sorted in any case"},
    "envoy.config.core.v3.HttpProtocolOptions": {
        "idle_timeout": _ONE_REQUEST,
        "max_connection_duration_jitter": _NEVER_DUE,
    },
    "envoy.config.core.v3.Http1ProtocolOptions": {
        "allow_chunked_length": "clients tell the length of a body in one way",
        "use_balsa_parser": "both parsers read the same messages alike",
        "ignore_http_11_upgrade": "upgrades are not modelled",
    },
    "envoy.config.core.v3.Http2ProtocolOptions": {"*": "clients speak HTTP/1.1"},
    "envoy.config.listener.v3.Listener": {
        "drain_type": _NO_XDS,
        "listener_filters_timeout": _NEVER_DUE,
        "continue_on_listener_filters_timeout": _NEVER_DUE,
        "per_connection_buffer_high_watermark_timeout": _NEVER_DUE,
        "socket_options": _SOCKET,
        "tcp_fast_open_queue_length": _SOCKET,
        "tcp_backlog_size": _SOCKET,
        "tcp_keepalive": _SOCKET,
        "enable_mptcp": _SOCKET,
        "freebind": _SOCKET,
        "transparent": _SOCKET,
        "reuse_port": "workers are told apart by the order in which they speak",
        "enable_reuse_port": "workers are told apart by the order in which they speak",
        "connection_balance_config": "workers are told apart by the order in which they speak",
        "max_connections_to_accept_per_socket_event": _NO_LOAD,
        "ignore_global_conn_limit": _NO_LOAD,
        "bypass_overload_manager": _NO_LOAD,
    },
    "envoy.config.listener.v3.FilterChain": {"transport_socket_connect_timeout": _NO_TLS},
    "envoy.extensions.access_loggers.file.v3.FileAccessLog": {"*": _NO_SINK},
    "envoy.extensions.access_loggers.stream.v3.StdoutAccessLog": {"*": _NO_SINK},
    "envoy.extensions.access_loggers.stream.v3.StderrAccessLog": {"*": _NO_SINK},
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": {
        "request_headers_timeout": "heads arrive whole",
        "drain_timeout": _NEVER_DUE,
        "http1_safe_max_connection_duration": _NEVER_DUE,
        "http2_protocol_options": "clients speak HTTP/1.1",
        "http3_protocol_options": "clients speak HTTP/1.1",
        "drain_timeout_jitter": _NEVER_DUE,
        "stream_flush_timeout": _NEVER_DUE,
        "access_log_flush_interval": _NO_SINK,
        "flush_access_log_on_new_request": _NO_SINK,
        "access_log_options": _NO_SINK,
        "set_current_client_cert_details": _NO_TLS,
        "forward_client_cert_matcher": _NO_TLS,
        "append_local_overload": _NO_LOAD,
        "add_proxy_protocol_connection_state": "clients do not speak the PROXY protocol",
        "record_route_resolution_stats": _NO_SINK,
    },
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing": {
        "verbose": _NO_SPANS,
        "max_path_tag_length": _NO_SPANS,
        "custom_tags": _NO_SPANS,
        "operation": _NO_SPANS,
        "upstream_operation": _NO_SPANS,
    },
    "envoy.config.trace.v3.Tracing.Http": {"name": "the type of its configuration counts"},
    "envoy.config.trace.v3.ZipkinConfig": {
        "collector_cluster": _NO_SPANS,
        "collector_endpoint": _NO_SPANS,
        "collector_endpoint_version": _NO_SPANS,
        "collector_hostname": _NO_SPANS,
        "collector_service": _NO_SPANS,
        "split_spans_for_request": _NO_SPANS,
        "timestamp_trace_ids": "ids are random in any case",
    },
    "envoy.config.trace.v3.OpenTelemetryConfig": {
        "grpc_service": _NO_SPANS,
        "http_service": _NO_SPANS,
        "exporter": _NO_SPANS,
        "service_name": _NO_SPANS,
        "resource_detectors": _NO_SPANS,
        "max_cache_size": _NO_SPANS,
        "set_telemetry_sdk_resource_attributes": _NO_SPANS,
        "set_service_name_resource_attribute": _NO_SPANS,
        "set_instrumentation_scope": _NO_SPANS,
    },
    "envoy.config.route.v3.Tracing": {
        "custom_tags": _NO_SPANS,
        "operation": _NO_SPANS,
        "upstream_operation": _NO_SPANS,
    },
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": {
        "idle_timeout": _NEVER_DUE,
        "downstream_idle_timeout": _NEVER_DUE,
        "upstream_idle_timeout": _NEVER_DUE,
        "backoff_options": "how long it takes is not shown",
        "hash_policy": _NO_LOAD,
        "metadata_match": "clusters with subsets are not modelled",
        "check_drain_close": _NEVER_DUE,
    },
    "envoy.extensions.filters.http.router.v3.Router": {
        "upstream_log": _NO_SINK,
        "upstream_log_options": _NO_SINK,
        "suppress_grpc_request_failure_code_stats": _NO_SINK,
        "reject_connect_request_early_data": _NO_TLS,
    },
    "envoy.config.route.v3.FilterConfig": {
        "is_optional": "Envoy says nothing about a filter that is not there",
    },
    "envoy.config.route.v3.VirtualHost": {
        "virtual_clusters": _NO_SINK,
        "rate_limits": "read by a filter that is not modelled",
        "cors": "read by a filter that is not modelled",
    },
    "envoy.config.route.v3.Route": {
        "stat_prefix": _NO_SINK,
    },
    "envoy.config.route.v3.RouteAction": {
        "priority": _NO_LOAD,
        "metadata_match": "clusters with subsets are not modelled",
        "rate_limits": "read by a filter that is not modelled",
        "include_vh_rate_limits": "read by a filter that is not modelled",
        "cors": "read by a filter that is not modelled",
        "early_data_policy": _NO_TLS,
        "flush_timeout": _NEVER_DUE,
    },
    "envoy.config.route.v3.WeightedCluster.ClusterWeight": {"metadata_match": "clusters with subsets are not modelled"},
    "envoy.config.route.v3.RetryPolicy": {
        "retry_back_off": "how long it takes is not shown",
        "rate_limited_retry_back_off": "how long it takes is not shown",
        "host_selection_retry_max_attempts": "only with predicates, which are not modelled",
    },
    "envoy.extensions.clusters.dns.v3.DnsCluster": {"*": _NO_NAMES},
    "envoy.config.cluster.v3.Cluster": {
        "connect_timeout": "a connection is made or refused at once",
        "per_connection_buffer_high_watermark_timeout": _NEVER_DUE,
        "upstream_http_protocol_options": _NO_TLS,
        "dns_refresh_rate": _NO_NAMES,
        "dns_jitter": _NO_NAMES,
        "dns_failure_refresh_rate": _NO_NAMES,
        "respect_dns_ttl": _NO_NAMES,
        "dns_resolvers": _NO_NAMES,
        "use_tcp_for_dns_lookups": _NO_NAMES,
        "dns_resolution_config": _NO_NAMES,
        "typed_dns_resolver_config": _NO_NAMES,
        "wait_for_warm_on_init": _NO_NAMES,
        "cleanup_interval": _NEVER_DUE,
        "upstream_bind_config": _SOCKET,
        "upstream_connection_options": _SOCKET,
        "least_request_lb_config": _NO_LOAD,
        "round_robin_lb_config": _NO_LOAD,
        "close_connections_on_host_health_failure": "health checks are not modelled",
        "ignore_health_on_host_removal": "health checks are not modelled",
        "protocol_selection": "clients speak HTTP/1.1",
        "track_timeout_budgets": _NO_SINK,
        "track_cluster_stats": _NO_SINK,
        "preconnect_policy": _NO_LOAD,
        "connection_pool_per_downstream_connection": _NO_LOAD,
        "lrs_server": _NO_XDS,
        "lrs_report_endpoint_metrics": _NO_XDS,
    },
    "envoy.config.cluster.v3.Cluster.CommonLbConfig": {
        "zone_aware_lb_config": "there is one Envoy, in one zone",
        "ignore_new_hosts_until_first_hc": "health checks are not modelled",
        "close_connections_on_host_set_change": _NO_XDS,
        "override_host_status": "health checks are not modelled",
    },
    "envoy.config.cluster.v3.CircuitBreakers": {"per_host_thresholds": _NO_LOAD},
    "envoy.config.cluster.v3.CircuitBreakers.Thresholds": {
        "track_remaining": _NO_SINK,
        "max_connection_pools": _NO_LOAD,
    },
    "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy": {
        "overprovisioning_factor": "health checks are not modelled",
        "endpoint_stale_after": _NO_XDS,
        "weighted_priority_health": "health checks are not modelled",
    },
    "envoy.config.endpoint.v3.LocalityLbEndpoints": {
        "load_balancing_weight": "read by load balancers that weigh places, which are refused",
        "proximity": "there is one Envoy, in one zone",
    },
    "envoy.config.endpoint.v3.Endpoint": {
        "health_check_config": "health checks are not modelled",
        "observability_name": _NO_SINK,
    },
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "upstream_http_protocol_options": _NO_TLS,
    },
}
"""Message to field to why it changes nothing here; ``*`` stands for all fields that the model does not have."""

INERT_TYPES: Mapping[str, str] = {
    "envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector": _NO_TLS,
    "envoy.extensions.filters.listener.http_inspector.v3.HttpInspector": "clients speak HTTP/1.1",
    "envoy.extensions.filters.listener.original_dst.v3.OriginalDst": "nothing redirects connections",
    "envoy.extensions.filters.http.cors.v3.Cors": "routes have no policy, without which it lets everything pass",
    "envoy.extensions.filters.http.upstream_codec.v3.UpstreamCodec": "always there",
    "envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer": "the default",
    "envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig": "request ids are compared by their form",
}
"""Extensions that change nothing here, by the message that configures them."""

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_LOCAL_REPLY = "envoy.extensions.filters.network.http_connection_manager.v3"

WITHHELD: Mapping[str, frozenset[str]] = {
    "envoy.config.core.v3.HeaderValue": frozenset(("raw_value",)),
    "envoy.config.core.v3.Http1ProtocolOptions": frozenset(("send_fully_qualified_url",)),
    "envoy.config.core.v3.SocketAddress": frozenset(("named_port",)),
    "envoy.extensions.filters.http.router.v3.Router": frozenset(("dynamic_stats",)),
}
"""Fields that the models carry and no part of the simulation acts on: to a user they are not modelled."""

WITHHELD_BELOW: Mapping[tuple[str, str], frozenset[str]] = {
    (owner, "common_http_protocol_options"): frozenset(("max_connection_duration", "max_stream_duration"))
    for owner in ("envoy.config.cluster.v3.Cluster", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions")
} | {
    ("envoy.config.core.v3.SubstitutionFormatString", "text_format_source"): frozenset(
        ("environment_variable", "filename", "inline_bytes")
    )
}
"""Fields that are modelled in other places of their message, but not below this field of this one."""

OTHER_CLUSTER_TYPES = frozenset(
    (
        "envoy.cluster.eds",
        "envoy.cluster.original_dst",
        "envoy.clusters.aggregate",
        "envoy.clusters.composite",
        "envoy.clusters.dynamic_forward_proxy",
        "envoy.clusters.dynamic_modules",
        "envoy.clusters.mcp_multicluster",
        "envoy.clusters.redis",
        "envoy.clusters.reverse_connection",
    )
)
"""Cluster extensions of Envoy 1.40 that are not modelled."""

UNMODELLED_VALUES: Mapping[tuple[str, str], frozenset[str | int]] = {
    ("envoy.config.rbac.v3.RBAC", "action"): frozenset(("LOG",)),
    ("envoy.extensions.filters.http.header_to_metadata.v3.Config.KeyValuePair", "type"): frozenset(("PROTOBUF_VALUE",)),
    (_HCM, "codec_type"): frozenset(("HTTP2", "HTTP3")),
    ("envoy.config.cluster.v3.Cluster", "dns_lookup_family"): frozenset(("ALL",)),
    ("envoy.extensions.clusters.dns.v3.DnsCluster", "dns_lookup_family"): frozenset(("ALL",)),
    ("envoy.config.cluster.v3.Cluster", "type"): frozenset(("EDS", "ORIGINAL_DST")),
    ("envoy.config.cluster.v3.Cluster.CustomClusterType", "name"): OTHER_CLUSTER_TYPES,
    ("envoy.config.cluster.v3.Cluster", "lb_policy"): frozenset(("CLUSTER_PROVIDED", "LOAD_BALANCING_POLICY_CONFIG")),
    ("envoy.config.cluster.v3.Cluster.RingHashLbConfig", "hash_function"): frozenset(("MURMUR_HASH_2",)),
    ("envoy.config.core.v3.SocketAddress", "protocol"): frozenset(("UDP",)),
    ("envoy.config.endpoint.v3.LbEndpoint", "health_status"): frozenset(
        ("UNHEALTHY", "DRAINING", "TIMEOUT", "DEGRADED")
    ),
    ("envoy.config.route.v3.VirtualHost", "require_tls"): frozenset(("EXTERNAL_ONLY", "ALL")),
}
"""Values of modelled fields that are not modelled."""

_OUTLIERS = "envoy.config.cluster.v3.OutlierDetection"

DEFAULT_VALUES: Mapping[tuple[str, str], frozenset[str | bool | int]] = {
    (_OUTLIERS, "enforcing_success_rate"): frozenset((0,)),
    (_OUTLIERS, "enforcing_failure_percentage"): frozenset((0,)),
    (_OUTLIERS, "enforcing_failure_percentage_local_origin"): frozenset((0,)),
    ("envoy.config.listener.v3.Listener", "use_original_dst"): frozenset((False,)),
    ("envoy.config.listener.v3.Listener", "bind_to_port"): frozenset((True,)),
    ("envoy.config.listener.v3.FilterChain", "use_proxy_proto"): frozenset((False,)),
    ("envoy.extensions.filters.http.router.v3.Router", "dynamic_stats"): frozenset((True,)),
}
"""Values that mean the same as leaving the field out, where that is not protobuf's default."""

_BODY_FORMAT = (("text_format",), ("json_format",), ("text_format_source", "inline_string"))

FORMATS: Mapping[tuple[str, str], tuple[tuple[str, ...], ...]] = {
    ("envoy.config.core.v3.HeaderValueOption", "header"): (("value",),),
    ("envoy.config.route.v3.DirectResponseAction", "body_format"): _BODY_FORMAT,
    (f"{_LOCAL_REPLY}.LocalReplyConfig", "body_format"): _BODY_FORMAT,
    (f"{_LOCAL_REPLY}.ResponseMapper", "body_format_override"): _BODY_FORMAT,
}
"""Fields with formats that are filled in, and where in them the formats are."""

INERT_RUNTIME_KEYS = ("envoy.deprecated_features", "envoy.features.", "overload.", "re2.")
"""Beginnings of the runtime keys that change nothing here: they lift limits, or allow deprecated fields."""
