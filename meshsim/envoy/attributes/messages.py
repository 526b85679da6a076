"""Attributes of a stream's messages: ``request.*`` and ``response.*``.

Those that are made of headers exist while the module may read these headers, those of the response from the response
on.
"""

from __future__ import annotations

from meshsim.abi.codec import Nanoseconds, PropertyValue
from meshsim.abi.ports import HeaderMap
from meshsim.envoy.attributes.view import Getter, View, joined
from meshsim.envoy.headers import as_number
from meshsim.envoy.local_reply import GRPC_OF_HTTP, GRPC_UNKNOWN, read_grpc_status
from meshsim.envoy.response_flags import flag_bits


class _Headers(dict[bytes, PropertyValue]):
    """A header map as an attribute: one entry a name, looked up without case."""

    def __init__(self, headers: HeaderMap | None) -> None:
        super().__init__((key, joined(headers, key)) for key, _ in (headers.pairs() if headers else ()))

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
    """The status that was last told to the connection manager; what filters make of it counts once it is sent."""
    code = view.stream.info.code
    if code is None:
        raise KeyError("no response")
    return code


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
        number = read_grpc_status(headers.get(b"grpc-status")) if headers else None
        if number is not None:
            return number
    return GRPC_OF_HTTP.get(status, GRPC_UNKNOWN)


def _backend_latency(view: View) -> Nanoseconds:
    """From the first byte that went to the upstream to the end of its answer."""
    info = view.stream.info
    if info.upstream_complete_ns < 0 or info.upstream_begin_ns < 0:
        raise KeyError("no whole response from upstream")
    return Nanoseconds(info.upstream_complete_ns - info.upstream_begin_ns)


REQUEST: dict[str, Getter] = {
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

RESPONSE: dict[str, Getter] = {
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
