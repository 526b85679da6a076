"""Header maps to the wire and back, as Envoy's HTTP/1 codec does it.

The codec decides how a body is framed, drops pseudo headers, and refuses heads that it cannot parse.
"""

from __future__ import annotations

import re

from meshsim.envoy.headers import HeaderMap, Kind, Pair
from meshsim.envoy.wire import Head

_METHODS = frozenset(b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL "
                     b"MOVE M-SEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE "
                     b"SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split())
_BODILESS_METHODS = frozenset((b"GET", b"HEAD", b"DELETE", b"TRACE", b"CONNECT"))
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_NO_CONTENT, _NOT_MODIFIED = 204, 304


def request_to_wire(headers: HeaderMap, end: bool) -> Head:
    """Write a request's head."""
    pairs = _plain(headers)
    method = headers.get(b":method") or b""
    if b"content-length" not in headers:
        if not end:
            pairs.append((b"transfer-encoding", b"chunked"))
        elif method not in _BODILESS_METHODS:
            pairs.append((b"content-length", b"0"))
    return Head(tuple(pairs), method, headers.get(b":path") or b"")


def response_to_wire(headers: HeaderMap, end: bool, *, to_head: bool) -> Head:
    """Write a response's head; ``to_head`` says that it answers HEAD."""
    pairs = _plain(headers)
    status = int(headers.get(b":status") or 0)
    if b"content-length" not in headers and status >= 200 and status != _NO_CONTENT:
        if end and not to_head:
            pairs.append((b"content-length", b"0"))
        else:
            pairs.append((b"transfer-encoding", b"chunked"))
    return Head(tuple(pairs), status=status)


def _plain(headers: HeaderMap) -> list[Pair]:
    host = [(b"host", value) for key, value in headers if key == b":authority"]
    return host + [
        (key, value.strip(b" \t"))
        for key, value in headers
        if key[:1] != b":" and key != b"transfer-encoding"
    ]


def request_from_wire(head: Head) -> HeaderMap:
    """Make a request's map: pseudo headers first, names in lower case."""
    headers = HeaderMap(kind=Kind.REQUEST)
    for key, value in head.headers:
        name = key.lower()
        headers.add(b":authority" if name == b"host" else name, value.strip(b" \t"))
    _set_target(headers, head.target)
    headers.replace(b":method", head.method)
    return headers


def _set_target(headers: HeaderMap, target: bytes) -> None:
    """An absolute target names the host, whatever the Host header says."""
    scheme, mark, rest = target.partition(b"://")
    if mark:
        authority, slash, path = rest.partition(b"/")
        headers.replace(b":authority", authority)
        headers.replace(b":scheme", scheme.lower())
        target = slash + path or b"/"
    headers.replace(b":path", target)


def response_from_wire(head: Head) -> HeaderMap:
    """Make a response's map."""
    headers = HeaderMap([(b":status", b"%d" % head.status)], Kind.RESPONSE)
    for key, value in head.headers:
        headers.add(key.lower(), value.strip(b" \t"))
    return headers


def unreadable(head: Head) -> int:
    """Give the status for a request head that the codec refuses, 0 for one that it reads."""
    length = head.value(b"content-length")
    encoding = head.value(b"transfer-encoding")
    if head.method not in _METHODS or not all(_NAME.fullmatch(key) for key, _ in head.headers):
        return 400
    if length is not None and not length.isdigit():
        return 400
    return 501 if encoding is not None and encoding.lower() != b"chunked" else 0


def bodiless_status(status: int) -> bool:
    """Whether responses of a status never have a body."""
    return status < 200 or status in (_NO_CONTENT, _NOT_MODIFIED)
