"""Attributes: what ``proxy_get_property`` can read, and when.

A table for each top-level name; an entry takes the :class:`View` and gives a value, ``None`` for null, or raises
``KeyError`` when there is none. Which attribute is there in which phase was read off Envoy 1.40 one by one: those
made of the request's headers exist while the module may read these headers, response ones from the response on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from meshsim.abi.codec import Message, Nanoseconds, PropertyValue, Uint
from meshsim.abi.constants import HeaderMapType, Status
from meshsim.abi.ports import HeaderMap, PropertyUnavailable
from meshsim.envoy.address import address_text
from meshsim.envoy.config.core import Locality, Metadata, Node
from meshsim.envoy.headers import as_number
from meshsim.envoy.local_reply import GRPC_OF_HTTP, GRPC_UNKNOWN
from meshsim.envoy.response_flags import flag_bits

if TYPE_CHECKING:
    from meshsim.envoy.config.route import VirtualHost
    from meshsim.envoy.headers import HeaderMap as Headers
    from meshsim.envoy.routing import Match
    from meshsim.envoy.stream import StreamInfo

_NULL = Status.SERIALIZATION_FAILURE
_DIRECTIONS = {"UNSPECIFIED": 0, "INBOUND": 1, "OUTBOUND": 2}


class PluginNames(Protocol):
    """The names of the plugin that asks, and the proxy that it runs in."""

    @property
    def name(self) -> str: ...
    @property
    def root_id(self) -> str: ...
    @property
    def vm_id(self) -> str: ...
    @property
    def node(self) -> Node: ...
    @property
    def epoch_ns(self) -> int: ...
    @property
    def cluster_hosts(self) -> Mapping[str, int]: ...


class Maps(Protocol):
    """The maps that the module may read now."""

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None: ...


class Subject(Protocol):
    """A stream, or a connection: what attributes tell of."""

    info: StreamInfo

    @property
    def route(self) -> Match | None: ...
    @property
    def virtual_host(self) -> VirtualHost | None: ...
    @property
    def request_headers(self) -> Headers: ...
    @property
    def response_headers(self) -> Headers | None: ...


@dataclass(frozen=True, slots=True)
class View:
    """What an attribute is computed from."""

    plugin: PluginNames
    stream: Subject
    request: HeaderMap | None
    response: HeaderMap | None
    trailers: HeaderMap | None

    def header(self, name: bytes) -> bytes:
        """A header of the request; KeyError when it is not there, or cannot be read now."""
        return _joined(self.request, name)


Getter = Callable[[View], PropertyValue | None]


def _joined(headers: HeaderMap | None, name: bytes) -> bytes:
    values = [value for key, value in headers.pairs() if key == name] if headers else []
    if not values:
        raise KeyError(name)
    return b",".join(values)


class _Headers(dict[bytes, PropertyValue]):
    """A header map as an attribute: one entry a name, looked up without case."""

    def __init__(self, headers: HeaderMap | None) -> None:
        super().__init__((key, _joined(headers, key)) for key, _ in (headers.pairs() if headers else ()))

    def get(self, key: bytes, default: PropertyValue | None = None) -> PropertyValue | None:  # type: ignore[override]
        name = key.lower()
        return super().get(name, super().get(b":authority", default) if name == b"host" else default)


def _path_part(view: View, part: str) -> bytes:
    target = view.header(b":path").decode("utf-8", "surrogateescape")
    path, _, query = target.partition("#")[0].partition("?")
    return (query if part == "query" else path).encode("utf-8", "surrogateescape")


def _length(headers: HeaderMap | None, otherwise: int) -> int:
    length = as_number(headers.get(b"content-length")) if headers else None
    return otherwise if length is None else length


def _bytes(headers: HeaderMap | None) -> int:
    return headers.byte_size() if headers else 0


def _ended(view: View) -> int:
    info = view.stream.info
    if info.ended_ns < 0:
        raise KeyError("the stream goes on")
    return info.ended_ns - info.started_ns


def _code(view: View) -> int:
    headers = view.stream.response_headers
    if headers is None:
        raise KeyError("no response")
    return as_number(headers.get(b":status")) or 0


def _details(view: View) -> bytes:
    if view.stream.info.details is None:
        raise KeyError("no response")
    return view.stream.info.details.encode("utf-8", "surrogateescape")


def _protocol(view: View) -> bytes:
    """HTTP's version; a connection has one from its first request on."""
    if not view.stream.info.protocol:
        raise KeyError("no HTTP yet")
    return view.stream.info.protocol.encode()


def _grpc_status(view: View) -> int:
    status = _code(view)
    for headers in (view.trailers, view.response):
        number = as_number(headers.get(b"grpc-status")) if headers else None
        if number is not None:
            return number
    return GRPC_OF_HTTP.get(status, GRPC_UNKNOWN)


def _backend_latency(view: View) -> Nanoseconds:
    """From the request's start to the end of the upstream's answer (Envoy counts from the first byte that it sends)."""
    info = view.stream.info
    if info.upstream_complete_ns < 0:
        raise KeyError("no whole response from upstream")
    return Nanoseconds(info.upstream_complete_ns - info.started_ns)


def _route_cluster(view: View) -> str:
    """The cluster that a route names, or that the TCP proxy has chosen."""
    if view.stream.info.cluster:
        return view.stream.info.cluster
    match = view.stream.route
    if match is None or not match.cluster:
        raise KeyError("no cluster")
    return match.cluster


def _num_endpoints(view: View) -> Uint:
    return Uint(view.plugin.cluster_hosts[_route_cluster(view)])


def _upstream(view: View) -> tuple[str, int]:
    if view.stream.info.upstream is None:
        raise KeyError("no upstream")
    return view.stream.info.upstream


def _once_chosen(view: View, value: PropertyValue | None) -> PropertyValue | None:
    _upstream(view)
    return value


def _after_connect(view: View) -> tuple[str, int]:
    if not view.stream.info.upstream_connected:
        raise KeyError("not connected")
    return _upstream(view)


def _address(pair: tuple[str, int]) -> bytes:
    return address_text(*pair).encode()


def _missing(_: View) -> PropertyValue | None:
    raise KeyError("not on this connection")


def _route_name(view: View) -> bytes:
    match = view.stream.route
    if match is None:
        raise KeyError("no route")
    return match.route.name.encode()


def _host_name(view: View) -> bytes:
    if view.stream.virtual_host is None:
        raise KeyError("no virtual host")
    return view.stream.virtual_host.name.encode()


def _metadata(metadata: Metadata | None) -> PropertyValue:
    """Metadata messages can be walked; a whole one that holds nothing serialises to nothing."""
    if metadata is None or not metadata.filter_metadata:
        return Message({b"filter_metadata": {}})
    return Message({b"filter_metadata": _from_json(metadata.filter_metadata)})


def _from_json(value: object) -> PropertyValue | None:
    match value:
        case None:
            return None
        case Mapping():
            return {str(key).encode(): _from_json(item) for key, item in value.items()}
        case str():
            return value.encode()
        case bool() | float():
            return value
        case int():
            return float(value)
        case list() | tuple():
            return [_from_json(item) for item in value]
    raise PropertyUnavailable(_NULL)


def _node(view_node: Node) -> PropertyValue:
    place = view_node.locality or Locality()
    return Message(
        {
            b"id": view_node.id.encode(),
            b"cluster": view_node.cluster.encode(),
            b"metadata": _from_json(dict(view_node.metadata or {})),
            b"locality": Message(
                {b"region": place.region.encode(), b"zone": place.zone.encode(), b"sub_zone": place.sub_zone.encode()}
            ),
        }
    )


_CERTIFICATES = (
    "tls_version",
    "subject_local_certificate",
    "subject_peer_certificate",
    "dns_san_local_certificate",
    "dns_san_peer_certificate",
    "uri_san_local_certificate",
    "uri_san_peer_certificate",
    "sha256_peer_certificate_digest",
)

_REQUEST: dict[str, Getter] = {
    "path": lambda v: v.header(b":path"),
    "url_path": lambda v: _path_part(v, "path"),
    "query": lambda v: _path_part(v, "query"),
    "host": lambda v: v.header(b":authority"),
    "scheme": lambda v: v.header(b":scheme"),
    "method": lambda v: v.header(b":method"),
    "referer": lambda v: v.header(b"referer"),
    "useragent": lambda v: v.header(b"user-agent"),
    "id": lambda v: v.header(b"x-request-id"),
    "headers": lambda v: _Headers(v.request),
    "headers_bytes": lambda v: _bytes(v.request),
    "time": lambda v: Nanoseconds(v.plugin.epoch_ns + v.stream.info.started_ns),
    "protocol": _protocol,
    "duration": lambda v: Nanoseconds(_ended(v)),
    "size": lambda v: _length(v.request, v.stream.info.bytes_received),
    "total_size": lambda v: _bytes(v.request) + v.stream.info.bytes_received,
}

_RESPONSE: dict[str, Getter] = {
    "code": _code,
    "code_details": _details,
    "flags": lambda v: flag_bits(v.stream.info.flags),
    "grpc_status": _grpc_status,
    "headers": lambda v: _Headers(v.response),
    "headers_bytes": lambda v: _bytes(v.response),
    "trailers": lambda v: _Headers(v.trailers),
    "size": lambda v: v.stream.info.bytes_sent,
    "total_size": lambda v: _bytes(v.response) + _bytes(v.trailers) + v.stream.info.bytes_sent,
    "backend_latency": _backend_latency,
}

_CONNECTION: dict[str, Getter] = {
    "id": lambda v: Uint(v.stream.info.connection_id),
    "mtls": lambda v: False,
    "requested_server_name": lambda v: b"",
    **dict.fromkeys(_CERTIFICATES, _missing),
    "transport_failure_reason": _missing,
    "termination_details": _missing,
}

_UPSTREAM: dict[str, Getter] = {
    "address": lambda v: _address(_upstream(v)),
    "port": lambda v: _upstream(v)[1],
    "num_endpoints": _num_endpoints,
    "transport_failure_reason": lambda v: _once_chosen(v, b""),
    "locality": lambda v: _once_chosen(v, Message()),
    "local_address": lambda v: b"127.0.0.1:%d" % (_after_connect(v)[1] + 20_000),
    "cx_pool_ready_duration": lambda v: Nanoseconds(0 * _after_connect(v)[1]),
    "request_attempt_count": lambda v: Uint(v.stream.info.attempts),
    **dict.fromkeys(_CERTIFICATES, _missing),
}

_XDS: dict[str, Getter] = {
    "node": lambda v: _node(v.plugin.node),
    "cluster_name": lambda v: _route_cluster(v).encode(),
    "cluster_metadata": lambda v: _metadata(None) if _route_cluster(v) else None,
    "listener_direction": lambda v: _DIRECTIONS[v.stream.info.listener.traffic_direction],
    "listener_metadata": lambda v: _metadata(v.stream.info.listener.metadata),
    "route_name": _route_name,
    "route_metadata": lambda v: _metadata(v.stream.route.route.metadata if v.stream.route else None),
    "virtual_host_name": _host_name,
    "virtual_host_metadata": lambda v: _metadata(v.stream.virtual_host.metadata if v.stream.virtual_host else None),
    "upstream_host_metadata": lambda v: _once_chosen(v, None),
    "filter_chain_name": lambda v: b"",
}

_TABLES: dict[str, dict[str, Getter]] = {
    "request": _REQUEST,
    "response": _RESPONSE,
    "connection": _CONNECTION,
    "source": {
        "address": lambda v: _address(v.stream.info.source),
        "port": lambda v: v.stream.info.source[1],
    },
    "destination": {
        "address": lambda v: _address(v.stream.info.destination),
        "port": lambda v: v.stream.info.destination[1],
    },
    "upstream": _UPSTREAM,
    "xds": _XDS,
}


def plugin_attribute(path: Sequence[bytes], plugin: PluginNames) -> PropertyValue | None:
    """Read an attribute that exists without a stream."""
    names = {b"plugin_name": plugin.name, b"plugin_root_id": plugin.root_id, b"plugin_vm_id": plugin.vm_id}
    if path[0] in names:
        if len(path) > 1:
            raise PropertyUnavailable(Status.NOT_FOUND)
        return names[path[0]].encode()
    if path[0] == b"xds" and len(path) == 1:
        return None
    if list(path[:2]) == [b"xds", b"node"]:
        return _walk(_node(plugin.node), path[2:])
    raise PropertyUnavailable(Status.NOT_FOUND)


def stream_attribute(path: Sequence[bytes], plugin: PluginNames, stream: Subject, maps: Maps) -> PropertyValue | None:
    """Read an attribute of a stream, or a value that a module left on it."""
    view = View(
        plugin,
        stream,
        maps.header_map(HeaderMapType.REQUEST_HEADERS),
        maps.header_map(HeaderMapType.RESPONSE_HEADERS),
        maps.header_map(HeaderMapType.RESPONSE_TRAILERS),
    )
    top = path[0].decode("utf-8", "surrogateescape")
    table = _TABLES.get(top)
    if table is not None:
        return _from_table(table, path[1:], view)
    if top == "connection_id":
        return Uint(stream.info.connection_id)
    if top == "metadata":
        return _walk(_metadata(None), path[1:])
    if top == "filter_state":
        return _walk(dict(stream.info.filter_state), path[1:]) if len(path) > 1 else None
    if top == "upstream_filter_state":
        if stream.info.upstream is None or len(path) > 1:
            raise PropertyUnavailable(Status.NOT_FOUND)
        return None
    try:
        return plugin_attribute(path, plugin)
    except PropertyUnavailable:
        return _left_on_stream(path, stream)


def _left_on_stream(path: Sequence[bytes], stream: Subject) -> PropertyValue:
    value = stream.info.filter_state.get(b"wasm." + path[0])
    if value is None or len(path) > 1:
        raise PropertyUnavailable(Status.NOT_FOUND)
    return value


def _from_table(table: dict[str, Getter], path: Sequence[bytes], view: View) -> PropertyValue | None:
    if not path:
        return None
    getter = table.get(path[0].decode("utf-8", "surrogateescape"))
    try:
        if getter is None:
            raise KeyError(path[0])
        return _walk(getter(view), path[1:])
    except KeyError:
        raise PropertyUnavailable(Status.NOT_FOUND) from None


def _walk(value: PropertyValue | None, path: Sequence[bytes]) -> PropertyValue | None:
    """Go into maps by key and lists by index."""
    for segment in path:
        match value:
            case Mapping():
                if segment in value and value[segment] is None:
                    return None
                found = value.get(segment)
            case list() | tuple():
                found = value[int(segment)] if segment.isdigit() and int(segment) < len(value) else None
            case _:
                found = None
        if found is None:
            raise PropertyUnavailable(Status.NOT_FOUND)
        value = found
    return value
