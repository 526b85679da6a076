"""Header maps to the wire and back, as Envoy's HTTP/1 codec does it.

The codec decides how a body is framed, drops pseudo headers, and refuses heads that it cannot parse.
"""

from __future__ import annotations

import re

from meshsim.envoy.headers import HeaderMap, Kind, Pair
from meshsim.envoy.wire import Head

_METHODS = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL "
    b"MOVE M-SEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE "
    b"SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
)
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
    if b"content-length" not in headers and not bodiless_status(status):
        if end and not to_head:
            pairs.append((b"content-length", b"0"))
        else:
            pairs.append((b"transfer-encoding", b"chunked"))
    return Head(tuple(pairs), status=status)


def _plain(headers: HeaderMap) -> list[Pair]:
    host = [(b"host", value) for key, value in headers if key == b":authority"]
    plain = [pair for pair in headers if pair[0][:1] != b":" and pair[0] != b"transfer-encoding"]
    return host + [pair for key, value in plain for pair in _lines(key, value)]


def _lines(key: bytes, value: bytes) -> list[Pair]:
    """What a reader sees of a header: a line end in a value, which Envoy writes as it is, begins another one."""
    first, *others = value.split(b"\r\n")
    split = [line.partition(b":") for line in others]
    return [(key, first.strip(b" \t")), *((name, rest.strip(b" \t")) for name, _, rest in split)]


def request_from_wire(head: Head) -> HeaderMap:
    """Make a request's map: pseudo headers first, names in lower case."""
    headers = HeaderMap(kind=Kind.REQUEST)
    for key, value in head.headers:
        name = key.lower()
        headers.add(name, value.strip(b" \t"))
    _set_target(headers, head.target)
    headers.put(b":method", head.method)
    return headers


def _set_target(headers: HeaderMap, target: bytes) -> None:
    """An absolute target names the host, whatever the Host header says."""
    scheme, mark, rest = target.partition(b"://")
    if mark:
        authority, slash, path = rest.partition(b"/")
        headers.put(b":authority", authority)
        headers.put(b":scheme", scheme.lower())
        target = slash + path or b"/"
    headers.put(b":path", target)


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
    if (length is not None and not length.isdigit()) or not _readable_target(head):
        return 400
    return 501 if encoding is not None and encoding.lower() != b"chunked" else 0


def _readable_target(head: Head) -> bool:
    """A path, an absolute URL, or ``*`` for OPTIONS."""
    if head.method == b"CONNECT":
        return False
    return head.target.startswith(b"/") or b"://" in head.target or (head.target, head.method) == (b"*", b"OPTIONS")


def unsendable(headers: HeaderMap) -> str:
    """Say what keeps a request from being written upstream; empty when nothing does."""
    for name in (b":method", b":path"):
        if not headers.get(name):
            return f"missing required header: {name.decode()}"
    for key, value in headers:
        text = key.decode("utf-8", "surrogateescape")
        if key[:1] != b":" and not _NAME.fullmatch(key):
            return f"invalid header name: {text}"
        if any(code in value for code in b"\0\r\n"):
            return f"invalid header value for: {text}"
    return ""


def bodiless_status(status: int) -> bool:
    """Whether responses of a status never have a body."""
    return status < 200 or status in (_NO_CONTENT, _NOT_MODIFIED)
