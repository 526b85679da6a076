"""Attributes of the two connections: ``connection.*``, ``source.*``, ``destination.*`` and ``upstream.*``."""

from __future__ import annotations

from meshsim.abi.codec import Message, Nanoseconds, PropertyValue, Uint
from meshsim.abi.protobuf import write
from meshsim.envoy.attributes.view import CERTIFICATES, Getter, View, address, missing, route_cluster, upstream
from meshsim.envoy.config.core import Locality


def place(locality: Locality | None) -> Message:
    """Give a place as a message, which can be walked or read as a whole."""
    found = locality or Locality()
    fields = {"region": found.region, "zone": found.zone, "sub_zone": found.sub_zone}
    wire = write((number, text) for number, text in enumerate(fields.values(), 1) if text)
    return Message({name.encode(): text.encode() for name, text in fields.items()}, wire)


def _locality(view: View) -> Message:
    """The place of the upstream's host."""
    group = view.stream.info.surroundings.group(route_cluster(view), upstream(view))
    return place(group.locality if group else None)


def _after_connect(view: View) -> tuple[str, int]:
    if not view.stream.info.upstream_connected:
        raise KeyError("not connected")
    return upstream(view)


def _transport_failure(view: View) -> PropertyValue:
    if view.stream.info.transport_failure is None:
        raise KeyError("no upstream")
    return view.stream.info.transport_failure.encode()


def _pool_duration(view: View) -> Nanoseconds:
    if not view.stream.info.pool_answered:
        raise KeyError("no pool was asked")
    return Nanoseconds(0)


CONNECTION: dict[str, Getter] = {
    "id": lambda v: Uint(v.stream.info.connection_id),
    "mtls": lambda v: False,
    "requested_server_name": lambda v: b"",
    **dict.fromkeys(CERTIFICATES, missing),
    "transport_failure_reason": missing,
    "termination_details": missing,
}

SOURCE: dict[str, Getter] = {
    "address": lambda v: address(v.stream.info.source),
    "port": lambda v: v.stream.info.source[1],
}

DESTINATION: dict[str, Getter] = {
    "address": lambda v: address(v.stream.info.destination),
    "port": lambda v: v.stream.info.destination[1],
}

UPSTREAM: dict[str, Getter] = {
    "address": lambda v: address(upstream(v)),
    "port": lambda v: upstream(v)[1],
    "num_endpoints": lambda v: Uint(v.plugin.cluster_hosts[route_cluster(v)]),
    "transport_failure_reason": _transport_failure,
    "locality": _locality,
    "local_address": lambda v: b"127.0.0.1:%d" % (_after_connect(v)[1] + 20_000),
    "cx_pool_ready_duration": _pool_duration,
    "request_attempt_count": lambda v: Uint(v.stream.info.attempts),
    **dict.fromkeys(CERTIFICATES, missing),
}
