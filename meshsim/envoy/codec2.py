"""Header maps to the wire and back, as Envoy's HTTP/2 codec does it: pseudo headers travel, framing is no header."""

from __future__ import annotations

from meshsim.envoy.headers import HeaderMap, Kind, as_number
from meshsim.envoy.wire import Head

_OF_A_CONNECTION = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"))


def request_to_wire(headers: HeaderMap, end: bool) -> Head:
    """Write a request's head."""
    pairs = tuple(pair for pair in headers if pair[0] not in _OF_A_CONNECTION)
    return Head(pairs, headers.get(b":method") or b"", headers.get(b":path") or b"", protocol=b"HTTP/2", end=end)


def response_to_wire(headers: HeaderMap, end: bool) -> Head:
    """Write a response's head."""
    pairs = tuple(pair for pair in headers if pair[0][:1] != b":" and pair[0] not in _OF_A_CONNECTION)
    return Head(pairs, status=as_number(headers.get(b":status")) or 0, protocol=b"HTTP/2", end=end)


def request_from_wire(head: Head) -> HeaderMap:
    """Make a request's map."""
    return HeaderMap(head.headers, Kind.REQUEST)
