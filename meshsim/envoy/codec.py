"""Header maps to the wire and back, as Envoy's HTTP/1 codec does it.

The codec decides how a body is framed, drops pseudo headers, and refuses heads that it cannot parse.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.headers import HeaderMap, Kind, Pair
from meshsim.envoy.reasons import reason
from meshsim.envoy.wire import Head

_METHODS = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK MERGE MKACTIVITY MKCALENDAR MKCOL "
    b"MOVE MSEARCH NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SOURCE "
    b"SUBSCRIBE TRACE UNBIND UNLINK UNLOCK UNSUBSCRIBE".split()
)
_BODILESS_METHODS = frozenset((b"GET", b"HEAD", b"DELETE", b"TRACE", b"CONNECT"))
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HOST = re.compile(rb"[-._~%!$&'()\[\]*+,;=:@0-9A-Za-z]*")
#: What CONNECT asks for: a host and a port.
_TUNNEL_END = re.compile(rb"[-._~%!$&'()\[\]*+,;=:0-9A-Za-z]+:[0-9]+")
_URL_SCHEMES = frozenset((b"http", b"https"))
_NO_CONTENT, _NOT_MODIFIED = 204, 304
_MAX_PORT = 65535
_CONNECTION = frozenset((b"connection", b"proxy-connection"))
_CONNECTION_LENGTHS = frozenset(map(len, _CONNECTION))
_LINE_EXTRA = len(b": \r\n")

#: Bodies of the answers to heads that cannot be read, by status.
UNREADABLE = {400: b"Bad Request", 431: b"Request Header Fields Too Large", 501: b"Not Implemented"}


@dataclass(frozen=True, slots=True)
class HeadRules:
    """Which request heads a connection manager's codec takes.

    ``max_bytes`` bounds the head as it is on the wire, ``max_headers`` its headers once repeated ones are joined;
    ``underscores`` says what becomes of header names with an underscore.
    """

    max_bytes: int = 60 * 1024
    max_headers: int = 100
    underscores: str = "ALLOW"
    any_method: bool = False
    absolute_urls: bool = True

    @classmethod
    def of(cls, config: HttpConnectionManager) -> HeadRules:
        """Read the rules off a configuration."""
        common, http1 = config.common_http_protocol_options, config.http_protocol_options
        default = cls()
        return cls(
            (config.max_request_headers_kb or default.max_bytes // 1024) * 1024,
            (common.max_headers_count if common else None) or default.max_headers,
            common.headers_with_underscores_action if common else default.underscores,
            bool(http1 and http1.allow_custom_methods),
            http1 is None or http1.allow_absolute_url is not False,
        )


DEFAULT_RULES = HeadRules()


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


def response_to_wire(headers: HeaderMap, end: bool, *, to_head: bool, http10: bool = False) -> Head:
    """Write a response's head; ``to_head`` says that it answers HEAD, ``http10`` that there can be no chunks."""
    pairs = _plain(headers)
    status = int(headers.get(b":status") or 0)
    if b"content-length" not in headers and not bodiless_status(status):
        if end and not to_head:
            pairs.append((b"content-length", b"0"))
        elif not http10:
            pairs.append((b"transfer-encoding", b"chunked"))
    return Head(tuple(pairs), status=status, protocol=b"HTTP/1.0" if http10 else b"HTTP/1.1")


def _plain(headers: HeaderMap) -> list[Pair]:
    host = [(b"host", value) for key, value in headers if key == b":authority"]
    plain = [pair for pair in headers if pair[0][:1] != b":"]
    return host + [pair for key, value in plain for pair in _lines(key, value)]


def _lines(key: bytes, value: bytes) -> list[Pair]:
    """What a reader sees of a header: a line end in a value, which Envoy writes as it is, begins another one."""
    first, *others = value.split(b"\r\n")
    split = [line.partition(b":") for line in others]
    return [(key, first.strip(b" \t")), *((name, rest.strip(b" \t")) for name, _, rest in split)]


def ends_connection(head: Head) -> bool:
    """Whether a message is the last one of its connection: so it says, or it is of HTTP/1.0 and says nothing."""
    said = b",".join(
        value for key, value in head.headers if len(key) in _CONNECTION_LENGTHS and key.lower() in _CONNECTION
    )
    tokens = [token.strip(b" \t") for token in said.lower().split(b",")]
    return b"close" in tokens if head.protocol == b"HTTP/1.1" else b"keep-alive" not in tokens


def request_from_wire(head: Head, rules: HeadRules = DEFAULT_RULES) -> HeaderMap:
    """Make a request's map: pseudo headers first, names in lower case."""
    headers = HeaderMap(kind=Kind.REQUEST)
    for key, value in head.headers:
        if rules.underscores != "DROP_HEADER" or b"_" not in key:
            headers.add(key.lower(), value.strip(b" \t"))
    if head.method == b"CONNECT":
        headers.put(b":authority", head.target)  # such a request has no path, and no body
        headers.remove(b"content-length")
    else:
        _set_target(headers, head.target, absolute_urls=rules.absolute_urls)
    headers.put(b":method", head.method)
    return headers


def _set_target(headers: HeaderMap, target: bytes, *, absolute_urls: bool) -> None:
    """An absolute target names the host, whatever the Host header says."""
    scheme, mark, rest = target.partition(b"://")
    if mark and absolute_urls:
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
    if is_unframed_status(head.status):
        headers.remove(b"content-length")
    return headers


def unreadable(head: Head, rules: HeadRules = DEFAULT_RULES) -> int:
    """Give the status for a request head that the codec refuses, 0 for one that it reads."""
    names = [key for key, _ in head.headers]
    length = head.value(b"content-length")
    encoding = head.encoding
    if head_bytes(head) > rules.max_bytes:
        return 431
    if not _readable_method(head.method, rules) or not all(map(_NAME.fullmatch, names)):
        return 400
    if (length is not None and not length.isdigit()) or not _readable_target(head, rules):
        return 400
    if any(_HOST.fullmatch(value.strip(b" \t")) is None for key, value in head.headers if key.lower() == b"host"):
        return 400
    if rules.underscores == "REJECT_REQUEST" and any(b"_" in name for name in names):
        return 400
    if encoding is not None and length is not None:
        return 400
    if encoding is not None and (encoding.lower() != b"chunked" or head.method == b"CONNECT"):
        return 501
    if head.method == b"CONNECT" and length is not None and int(length):
        return 400
    return 431 if len(HeaderMap(_lower(head), Kind.REQUEST)) > rules.max_headers else 0


def head_bytes(head: Head) -> int:
    """Bytes of a head on the wire, from the start line to the empty line."""
    lines = sum(len(key) + len(value) + _LINE_EXTRA for key, value in head.headers)
    if head.status:
        return len(head.protocol) + len(b" 200 \r\n") + len(reason(head.status)) + lines + len(b"\r\n")
    return len(head.method) + len(head.target) + len(head.protocol) + len(b"  \r\n") + lines + len(b"\r\n")


def _lower(head: Head) -> list[Pair]:
    return [(key.lower(), value) for key, value in head.headers]


def _readable_method(method: bytes, rules: HeadRules) -> bool:
    return method in _METHODS or (rules.any_method and _NAME.fullmatch(method) is not None)


def _readable_target(head: Head, rules: HeadRules) -> bool:
    """A path, an absolute URL, ``*`` for OPTIONS, or a host and a port for CONNECT; all in ASCII."""
    target = head.target
    if not target.isascii() or b" " in target:
        return False
    if head.method == b"CONNECT":
        return _TUNNEL_END.fullmatch(target) is not None and int(target.rpartition(b":")[2]) <= _MAX_PORT
    scheme, mark, _ = target.partition(b"://")
    if mark and not target.startswith(b"/"):
        return not rules.absolute_urls or scheme.lower() in _URL_SCHEMES
    return target.startswith(b"/") or (target, head.method) == (b"*", b"OPTIONS")


def unsendable(headers: HeaderMap) -> str:
    """Say what keeps a request from being written upstream; empty when nothing does."""
    for name in (b":method", b":path"):
        if name not in headers:
            return f"missing required header: {name.decode()}"
    if headers.get(b":method") == b"CONNECT" and b":protocol" not in headers:
        return "missing required header: :protocol"
    for key, value in headers:
        text = key.decode("utf-8", "surrogateescape")
        if key[:1] not in (b":", b"") and not _NAME.fullmatch(key):
            return f"invalid header name: {text}"
        if any(code in value for code in b"\0\r\n"):
            return f"invalid header value for: {text}"
    return ""


def is_unframed_status(status: int) -> bool:
    """Whether responses of a status have no header on a body's length either (RFC 9110, 8.6)."""
    return status < 200 or status == _NO_CONTENT


def bodiless_status(status: int) -> bool:
    """Whether responses of a status never have a body."""
    return is_unframed_status(status) or status == _NOT_MODIFIED
