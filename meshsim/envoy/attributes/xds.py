"""Attributes of the configuration: ``xds.*``, and metadata."""

from __future__ import annotations

from collections.abc import Mapping

from meshsim.abi.codec import Message, PropertyValue
from meshsim.abi.constants import Status
from meshsim.abi.ports import PropertyUnavailable
from meshsim.abi.protobuf import write
from meshsim.envoy.attributes.places import place
from meshsim.envoy.attributes.view import Getter, View, route_cluster, upstream
from meshsim.envoy.config.base import Struct
from meshsim.envoy.config.core import Metadata, Node
from meshsim.envoy.config.struct_wire import struct_bytes

_DIRECTIONS = {"UNSPECIFIED": 0, "INBOUND": 1, "OUTBOUND": 2}


def _route_name(view: View) -> bytes:
    match = view.stream.route
    if match is None:
        raise KeyError("no route")
    return match.route.name.encode()


def _host_name(view: View) -> bytes:
    if view.stream.virtual_host is None:
        raise KeyError("no virtual host")
    return view.stream.virtual_host.name.encode()


def _virtual_host_metadata(view: View) -> PropertyValue:
    if view.stream.virtual_host is None:
        raise KeyError("no virtual host")
    return metadata(_spaces(view.stream.virtual_host.metadata))


def metadata(spaces: Mapping[str, Struct]) -> Message:
    """Give metadata as a message, which can be walked or read as a whole."""
    wire = write((1, write(((1, name), (2, struct_bytes(space))))) for name, space in spaces.items())
    return Message({b"filter_metadata": _from_json(spaces), b"typed_filter_metadata": {}}, wire)


def _spaces(given: Metadata | None) -> Mapping[str, Struct]:
    return given.filter_metadata if given else {}


def _from_json(value: object) -> PropertyValue | None:
    match value:
        case None:
            return None
        case Mapping():
            return {str(key).encode(): _from_json(item) for key, item in value.items()}
        case str():
            return value.encode("utf-8", "surrogateescape")
        case bool() | float():
            return value
        case int():
            return float(value)
        case list() | tuple():
            return [_from_json(item) for item in value]
    raise PropertyUnavailable(Status.SERIALIZATION_FAILURE)


def node(given: Node) -> Message:
    """Give the proxy's identity as a message, without what tells of its build."""
    return Message(
        {
            b"id": given.id.encode(),
            b"cluster": given.cluster.encode(),
            b"metadata": _from_json(dict(given.metadata or {})),
            b"locality": place(given.locality),
            b"user_agent_name": b"envoy",
            b"user_agent_version": b"",
            b"client_features": [],
            b"dynamic_parameters": {},
            b"listening_addresses": [],
        }
    )


def _cluster_metadata(view: View) -> PropertyValue:
    cluster = view.stream.info.surroundings.cluster(route_cluster(view))
    return metadata(_spaces(cluster.metadata if cluster else None))


def _host_metadata(view: View) -> PropertyValue | None:
    """Metadata of the upstream's host: null without any."""
    host = view.stream.info.surroundings.host(route_cluster(view), upstream(view))
    return metadata(_spaces(host.metadata)) if host and host.metadata else None


def _place_metadata(view: View) -> PropertyValue | None:
    """Metadata of the place that the upstream's host is in: null without any."""
    group = view.stream.info.surroundings.group(route_cluster(view), upstream(view))
    return metadata(_spaces(group.metadata)) if group and group.metadata else None


def _route_metadata(view: View) -> PropertyValue:
    match = view.stream.route
    if match is None:
        raise KeyError("no route")
    return metadata(_spaces(match.route.metadata))


XDS: dict[str, Getter] = {
    "node": lambda v: node(v.plugin.node),
    "cluster_name": lambda v: route_cluster(v).encode(),
    "cluster_metadata": _cluster_metadata,
    "listener_direction": lambda v: _DIRECTIONS[v.stream.info.listener.traffic_direction],
    "listener_metadata": lambda v: metadata(_spaces(v.stream.info.listener.metadata)),
    "route_name": _route_name,
    "route_metadata": _route_metadata,
    "virtual_host_name": _host_name,
    "virtual_host_metadata": _virtual_host_metadata,
    "upstream_host_metadata": _host_metadata,
    "upstream_host_locality_metadata": _place_metadata,
    "filter_chain_name": lambda v: v.stream.info.filter_chain.encode(),
}
