"""Clusters and their endpoints: ``envoy.config.cluster.v3`` and ``envoy.config.endpoint.v3``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from meshsim.envoy.config.base import DurationNs, Message
from meshsim.envoy.config.core import (
    Address,
    Http1ProtocolOptions,
    Http2ProtocolOptions,
    HttpProtocolOptions,
    Locality,
    Metadata,
    SocketAddress,
)
from meshsim.envoy.config.tracing import Percent

LookupFamily = Literal["AUTO", "V4_ONLY", "V6_ONLY", "V4_PREFERRED", "ALL"]
#: What asks for addresses of version 4 first; else it is those of version 6, where a name has both.
_V4_FIRST = frozenset(("V4_ONLY", "V4_PREFERRED"))
#: Envoy's limits of a response's head.
_MAX_HEADERS, _MAX_HEAD_KB = 100, 60


class Endpoint(Message):
    """One address of a service."""

    proto = "envoy.config.endpoint.v3.Endpoint"
    address: Address | None = None
    hostname: str = ""


class LbEndpoint(Message):
    """An endpoint as a load balancer sees it."""

    proto = "envoy.config.endpoint.v3.LbEndpoint"
    endpoint: Endpoint | None = None
    metadata: Metadata | None = None
    load_balancing_weight: int | None = None


class LocalityLbEndpoints(Message):
    """The endpoints of one place."""

    proto = "envoy.config.endpoint.v3.LocalityLbEndpoints"
    locality: Locality | None = None
    metadata: Metadata | None = None
    lb_endpoints: tuple[LbEndpoint, ...] = ()
    priority: int = 0


class Policy(Message):
    """How endpoints are used; nothing of it matters without health checks."""

    proto = "envoy.config.endpoint.v3.ClusterLoadAssignment.Policy"


class ClusterLoadAssignment(Message):
    """All endpoints of a cluster."""

    proto = "envoy.config.endpoint.v3.ClusterLoadAssignment"
    endpoints: tuple[LocalityLbEndpoints, ...] = ()
    policy: Policy | None = None


class Thresholds(Message):
    """Limits on what may be under way to a cluster."""

    proto = "envoy.config.cluster.v3.CircuitBreakers.Thresholds"
    priority: Literal["DEFAULT", "HIGH"] = "DEFAULT"
    max_connections: int | None = None
    max_pending_requests: int | None = None
    max_requests: int | None = None
    max_retries: int | None = None


class CircuitBreakers(Message):
    """Limits by priority."""

    proto = "envoy.config.cluster.v3.CircuitBreakers"
    thresholds: tuple[Thresholds, ...] = ()


class OutlierDetection(Message):
    """When hosts that fail are left alone, and how long. Success rates are not looked at."""

    proto = "envoy.config.cluster.v3.OutlierDetection"
    consecutive_5xx: int | None = None
    interval: DurationNs | None = None
    base_ejection_time: DurationNs | None = None
    max_ejection_percent: int | None = None
    enforcing_consecutive_5xx: int | None = None
    consecutive_gateway_failure: int | None = None
    enforcing_consecutive_gateway_failure: int | None = None
    max_ejection_time: DurationNs | None = None
    always_eject_one_host: bool | None = None


class ExplicitHttpConfig(Message):
    """One HTTP version, whatever the client speaks."""

    proto = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.ExplicitHttpConfig"
    http_protocol_options: Http1ProtocolOptions | None = None
    http2_protocol_options: Http2ProtocolOptions | None = None


class UseDownstreamHttpConfig(Message):
    """The HTTP version that the client speaks."""

    proto = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions.UseDownstreamHttpConfig"
    http_protocol_options: Http1ProtocolOptions | None = None


class UpstreamHttpOptions(Message):
    """Which HTTP a cluster speaks."""

    proto = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    common_http_protocol_options: HttpProtocolOptions | None = None
    explicit_http_config: ExplicitHttpConfig | None = None
    use_downstream_protocol_config: UseDownstreamHttpConfig | None = None


class ConsistentHashingLbConfig(Message):
    """What load balancers that hash have in common."""

    proto = "envoy.config.cluster.v3.Cluster.CommonLbConfig.ConsistentHashingLbConfig"
    use_hostname_for_hashing: bool = False


class CommonLbConfig(Message):
    """What all load balancers have in common; the threshold is the share of good hosts below which a cluster panics."""

    proto = "envoy.config.cluster.v3.Cluster.CommonLbConfig"
    consistent_hashing_lb_config: ConsistentHashingLbConfig | None = None
    healthy_panic_threshold: Percent | None = None
    update_merge_window: DurationNs | None = None

    @property
    def hashes_names(self) -> bool:
        """Whether a host's name, not its address, is hashed."""
        hashing = self.consistent_hashing_lb_config
        return hashing is not None and hashing.use_hostname_for_hashing


class RingHashLbConfig(Message):
    """A ring of hashes."""

    proto = "envoy.config.cluster.v3.Cluster.RingHashLbConfig"
    minimum_ring_size: int | None = None
    maximum_ring_size: int | None = None
    hash_function: Literal["XX_HASH", "MURMUR_HASH_2"] = "XX_HASH"


class MaglevLbConfig(Message):
    """A table of hosts."""

    proto = "envoy.config.cluster.v3.Cluster.MaglevLbConfig"
    table_size: int | None = None


class DnsCluster(Message):
    """A cluster whose hosts are looked up; as one host, whatever a name stands for, or as many as there are."""

    proto = "envoy.extensions.clusters.dns.v3.DnsCluster"
    dns_lookup_family: LookupFamily | Literal["UNSPECIFIED"] = "UNSPECIFIED"
    all_addresses_in_single_endpoint: bool | None = None


class CustomClusterType(Message):
    """A cluster's type as an extension."""

    proto = "envoy.config.cluster.v3.Cluster.CustomClusterType"
    name: str = ""
    typed_config: DnsCluster | None = None


class Cluster(Message):
    """A group of endpoints that do the same."""

    proto = "envoy.config.cluster.v3.Cluster"
    name: str = ""
    alt_stat_name: str = ""
    type: Literal["STATIC", "STRICT_DNS", "LOGICAL_DNS", "EDS", "ORIGINAL_DST"] | None = None
    cluster_type: CustomClusterType | None = None
    dns_lookup_family: LookupFamily = "AUTO"
    per_connection_buffer_limit_bytes: int | None = None
    load_assignment: ClusterLoadAssignment | None = None
    circuit_breakers: CircuitBreakers | None = None
    outlier_detection: OutlierDetection | None = None
    common_http_protocol_options: HttpProtocolOptions | None = None
    http_protocol_options: Http1ProtocolOptions | None = None
    http2_protocol_options: Http2ProtocolOptions | None = None
    typed_extension_protocol_options: dict[str, UpstreamHttpOptions] = Field(default_factory=dict)
    common_lb_config: CommonLbConfig | None = None
    lb_policy: Literal[
        "ROUND_ROBIN",
        "LEAST_REQUEST",
        "RING_HASH",
        "RANDOM",
        "MAGLEV",
        "CLUSTER_PROVIDED",
        "LOAD_BALANCING_POLICY_CONFIG",
    ] = "ROUND_ROBIN"
    ring_hash_lb_config: RingHashLbConfig | None = None
    maglev_lb_config: MaglevLbConfig | None = None
    metadata: Metadata | None = None
    max_requests_per_connection: int | None = None

    @property
    def thresholds(self) -> Thresholds | None:
        """The limits of requests of default priority, which all are; None without any."""
        limits = self.circuit_breakers.thresholds if self.circuit_breakers else ()
        return next((threshold for threshold in limits if threshold.priority == "DEFAULT"), None)

    @property
    def common_options(self) -> HttpProtocolOptions:
        """What all HTTP versions have in common; the typed options count before the cluster's own."""
        typed = (options.common_http_protocol_options for options in self.typed_extension_protocol_options.values())
        return next((common for common in typed if common), None) or (
            self.common_http_protocol_options or HttpProtocolOptions()
        )

    @property
    def requests_per_connection(self) -> int:
        """How many requests a connection serves; 0 for any number. HTTP's options count before the cluster's own."""
        given = self.common_options.max_requests_per_connection
        return (self.max_requests_per_connection if given is None else given) or 0

    @property
    def response_limits(self) -> tuple[int, int]:
        """How many headers, and how many bytes, a response's head may have."""
        common = self.common_options
        return common.max_headers_count or _MAX_HEADERS, (common.max_response_headers_kb or _MAX_HEAD_KB) * 1024

    @property
    def stat_prefix(self) -> str:
        """What the names of the cluster's counters begin with."""
        return f"cluster.{self.alt_stat_name or self.name}"

    @property
    def keeps_trailers(self) -> bool:
        """Whether HTTP/1 trailers are passed on to and from the hosts."""
        http1 = [self.http_protocol_options, *(choice.http_protocol_options for choice in self._explicit())]
        return any(options.enable_trailers for options in http1 if options)

    @property
    def speaks_http2(self) -> bool:
        """Whether the hosts are spoken to in HTTP/2."""
        http2 = [self.http2_protocol_options, *(choice.http2_protocol_options for choice in self._explicit())]
        return any(options is not None for options in http2)

    def _explicit(self) -> list[ExplicitHttpConfig]:
        typed = self.typed_extension_protocol_options.values()
        return [options.explicit_http_config for options in typed if options.explicit_http_config]

    def endpoints(self) -> Iterator[LbEndpoint]:
        """Yield all endpoints, locality by locality, as they are written."""
        if self.load_assignment is not None:
            for locality in self.load_assignment.endpoints:
                yield from locality.lb_endpoints

    @property
    def looks_up(self) -> bool:
        """Whether the hosts are names that are looked up."""
        if self.cluster_type is not None:
            return self.cluster_type.name != "envoy.cluster.static"
        return self.type in ("STRICT_DNS", "LOGICAL_DNS")

    def where(self, socket: SocketAddress) -> tuple[str, int]:
        """Return the address that a host is found at.

        ``localhost`` has an address of either version, as most machines' hosts files say; other names stay.
        """
        own = self.cluster_type.typed_config if self.cluster_type else None
        family = own.dns_lookup_family if own else self.dns_lookup_family
        if not self.looks_up or socket.address != "localhost":
            return socket.address, socket.port
        return "127.0.0.1" if family in _V4_FIRST else "::1", socket.port

    def host_names(self) -> dict[tuple[str, int], str]:
        """Return the names of the hosts that have one, by address and port: their own, or that which is looked up."""
        names: dict[tuple[str, int], str] = {}
        for endpoint in self.endpoints():
            host = endpoint.endpoint
            socket = host.address.socket_address if host and host.address else None
            if host and socket:
                names[self.where(socket)] = host.hostname or (socket.address if self.looks_up else "")
        return names
