"""What guests say and ask for: names of headers, their values, paths of properties."""

from __future__ import annotations

from random import Random

PSEUDO = (":authority", ":method", ":path", ":scheme", ":status")

# Without x-envoy-upstream-service-time, which is timed.
HEADERS = (
    *PSEUDO, "accept", "connection", "content-length", "content-type", "cookie", "host", "server", "te",
    "transfer-encoding", "user-agent", "x-a", "x-a", "x-a", "X-C", "x-b", "x-forwarded-proto", "x-none", "x-request-id",
)  # fmt: skip

#: What may be written where nothing may be spoilt, and where anything may. A content-length that is not the body's has
#: the client wait for the rest of it.
MILD_HEADERS = ("accept", "cookie", "user-agent", "x-a", "x-a", "X-C", "x-b", "x-none")
WILD_HEADERS = tuple(name for name in HEADERS if name != "content-length")

_VALUES = {
    ":path": ("/p", "/back/x", "/direct", "/back?q=1", "/none"),
    ":status": ("200", "404", "503", "201", "204", "304"),
    ":method": ("GET", "POST"),
    ":authority": ("h.example", "other"),
    "host": ("h.example", "other"),
    "content-length": ("3", "0", "10"),
}
_ANY_VALUE = ("v1", "v2", "", "long value with blanks", "a,b", "\xe9")

# Without times, the addresses of the day, and whole maps of headers: these have no order.
PROPERTIES = (
    "cluster_metadata", "cluster_name", "connection.mtls", "connection.requested_server_name",
    "connection.termination_details", "fs", "listener_direction", "listener_metadata", "metadata", "node", "node.id",
    "plugin_name", "plugin_root_id", "plugin_vm_id", "request.headers.:path", "request.headers.x-a", "request.host",
    "request.method", "request.path", "request.protocol", "request.query", "request.referer", "request.scheme",
    "request.size", "request.total_size", "request.url_path", "request.useragent", "response.code", "response.code.x",
    "response.code_details", "response.flags", "response.grpc_status", "response.headers.x-a", "response.size",
    "response.total_size", "route_metadata", "route_name", "source", "upstream.local_address",
    "upstream.request_attempt_count", "upstream.transport_failure_reason", "upstream_host_metadata", "x", "xds",
    "xds.cluster_name", "xds.filter_chain_name", "xds.listener_direction", "xds.node.id", "xds.route_name",
    "xds.upstream_host_metadata", "xds.virtual_host_name",
)  # fmt: skip

#: Properties that guests set themselves.
OWN_PROPERTIES = ("x", "fs")


def value_for(random: Random, header: str) -> str:
    return random.choice(_VALUES.get(header, _ANY_VALUE))
