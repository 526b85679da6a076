"""What Envoy refuses when it makes a cluster, in the order in which it comes to it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from meshsim.envoy.config.constraints import violations
from meshsim.envoy.config.inert import OTHER_CLUSTER_TYPES
from meshsim.envoy.config.parsed import ParsedAny, ParsedMessage, Problem
from meshsim.envoy.config.schema import Schema

_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


#: What the names of cluster extensions stand for that need no configuration.
CLUSTER_TYPES = {
    "envoy.cluster.strict_dns": "STRICT_DNS",
    "envoy.cluster.logical_dns": "LOGICAL_DNS",
    "envoy.cluster.static": "STATIC",
}


def cluster_refusals(cluster: ParsedMessage, schema: Schema, known: set[str]) -> Iterator[Problem]:
    """Yield what Envoy refuses in a cluster, and add its name to the known ones."""
    yield from _type_refusals(cluster)
    yield from _protocol_refusals(cluster, schema)
    yield from _endpoint_refusals(cluster, _kind(cluster))
    name = cluster.get("name", "")
    if cluster.get("lb_policy") == "CLUSTER_PROVIDED" and cluster.get("type") != "ORIGINAL_DST":
        words = (
            f"cluster manager: cluster provided LB specified but cluster '{name}' did not provide one. "
            "Check cluster documentation."
        )
        yield Problem.said(words, cluster.place_of("lb_policy"))
    yield from _hashing_refusals(cluster)
    if name in known:
        yield Problem.said(f"cluster manager: duplicate cluster '{name}'", cluster.place_of("name"))
    known.add(name)


def _type_refusals(cluster: ParsedMessage) -> Iterator[Problem]:
    """Yield the name of an extension that Envoy does not have; a configuration says enough without it."""
    known = CLUSTER_TYPES.keys() | OTHER_CLUSTER_TYPES
    for extension in cluster.messages("cluster_type"):
        name = extension.get("name", "")
        if "typed_config" not in extension.values and name not in known:
            words = f"Didn't find a registered cluster factory implementation for name: '{name}'"
            yield Problem.said(words, extension.place)


def _kind(cluster: ParsedMessage) -> str:
    """How a cluster gets its hosts; an extension that is named counts before the type."""
    for extension in cluster.messages("cluster_type"):
        packed = extension.packed("typed_config").value
        if isinstance(packed, ParsedMessage):
            return "LOGICAL_DNS" if packed.get("all_addresses_in_single_endpoint") else "STRICT_DNS"
        return CLUSTER_TYPES.get(extension.get("name", ""), "STRICT_DNS")
    kind: str = cluster.get("type", "STATIC")
    return kind


def _hashing_refusals(cluster: ParsedMessage) -> Iterator[Problem]:
    """Yield hosts of fixed addresses whose names a load balancer should hash."""
    kind = _kind(cluster)
    if cluster.get("lb_policy") not in ("RING_HASH", "MAGLEV") or kind in ("STRICT_DNS", "LOGICAL_DNS"):
        return
    for common in cluster.messages("common_lb_config"):
        for hashing in common.messages("consistent_hashing_lb_config"):
            if hashing.get("use_hostname_for_hashing"):
                words = (
                    "Cannot use hostname for consistent hashing loadbalancing for cluster of type: "
                    f"'envoy.cluster.{kind.lower()}'"
                )
                yield Problem.said(words, hashing.place)


def _protocol_refusals(cluster: ParsedMessage, schema: Schema) -> Iterator[Problem]:
    for key, packed in cluster.get("typed_extension_protocol_options", {}).items():
        if isinstance(packed, ParsedAny) and isinstance(packed.value, ParsedMessage):
            if packed.message == _HTTP_OPTIONS != key:
                words = (
                    "Didn't find a registered network or http filter or protocol options implementation "
                    f"for name: '{key}'"
                )
                yield Problem.said(words, packed.place)
            yield from packed.problems
            yield from violations(packed.value, schema)
    if "http_protocol_options" in cluster.values and "http2_protocol_options" in cluster.values:
        words = (
            "cluster: Both HTTP1 and HTTP2 options may only be configured with non-default 'protocol_selection' values"
        )
        yield Problem.said(words, cluster.place_of("http2_protocol_options"))


def _endpoint_refusals(cluster: ParsedMessage, kind: str) -> Iterator[Problem]:
    if kind == "EDS" and "eds_cluster_config" not in cluster.values:
        yield Problem.said("cannot create an EDS cluster without an EDS config", cluster.place_of("type"))
    localities = [group for load in cluster.messages("load_assignment") for group in load.messages("endpoints")]
    endpoints = [endpoint for group in localities for endpoint in group.messages("lb_endpoints")]
    if kind == "LOGICAL_DNS" and not len(localities) == len(endpoints) == 1:
        words = "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint"
        yield Problem.said(words, cluster.place)
    if kind == "STATIC":
        for endpoint in endpoints:
            yield from _static_endpoint(endpoint)


def _static_endpoint(endpoint: ParsedMessage) -> Iterator[Problem]:
    advice = "Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'"
    addresses = [address for inner in endpoint.messages("endpoint") for address in inner.messages("address")]
    if not addresses:
        yield Problem.said(f"Address must be set. {advice}", endpoint.place)
    sockets = [socket for address in addresses for socket in address.messages("socket_address")]
    for found in ip_problems(sockets):
        yield Problem.said(f"{found.envoy_says}. {advice}", found.place)


def ip_problems(sockets: list[ParsedMessage]) -> Iterator[Problem]:
    """Yield socket addresses that are no IP addresses, and that nobody looks up."""
    for socket in sockets:
        address = socket.get("address", "")
        if not socket.get("resolver_name") and not _is_ip(address):
            yield Problem.said(f"malformed IP address: {address}", socket.place_of("address"))


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
