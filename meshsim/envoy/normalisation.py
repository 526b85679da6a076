"""Paths and hosts brought to one form, before anybody looks at them.

A connection manager can be told to do this because a filter's rule about ``/admin`` is worth nothing when
``/x/../admin`` or ``//admin`` reaches the same page. The order is Envoy's: escaped slashes, the path's normal form,
repeated slashes, then the host. Each rule was seen in Envoy 1.40, byte by byte.
"""

from __future__ import annotations

import re

from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply

_REFUSED = "path_normalization_failed"
_ESCAPED_SLASH = re.compile(rb"%(2f|5c)", re.IGNORECASE)
_SLASHES = {b"2f": b"/", b"5c": b"\\"}
_ESCAPE = re.compile(rb"%([0-9a-fA-F]{2})")
_UNRESERVED = re.compile(rb"[-.0-9A-Z_a-z~]")
_TO_ESCAPE = re.compile(rb'["<>^`{|}]')
#: ``/..;x=1/`` is taken for ``/../``, but only where the dots themselves are not escaped.
_DOTS_WITH_PARAMETERS = re.compile(rb"(?<=/)(\.\.?);[^/]*")
_PORT = re.compile(rb":([0-9]+)\Z")
_PORT_LIMIT = 1 << 32


def normalise_path(headers: HeaderMap, config: HttpConnectionManager) -> LocalReply | None:
    """Change a request's path as the connection manager is told to; give the answer to one that goes no further."""
    path, mark, query = headers[b":path"].partition(b"?")
    redirect = False
    action = config.path_with_escaped_slashes_action
    if action not in ("IMPLEMENTATION_SPECIFIC_DEFAULT", "KEEP_UNCHANGED") and _ESCAPED_SLASH.search(path):
        if action == "REJECT_REQUEST":
            return LocalReply(400, details=_REFUSED)
        path = _ESCAPED_SLASH.sub(lambda found: _SLASHES[found[1].lower()], path)
        redirect = action == "UNESCAPE_AND_REDIRECT"
    if config.normalize_path:
        if b"%00" in path:
            return LocalReply(400, details=_REFUSED)
        path = normal_form(path)
    if config.merge_slashes:
        path = merge_slashes(path)
    headers.put(b":path", path + mark + query)
    return _redirection(headers[b":path"]) if redirect else None


def _redirection(path: bytes) -> LocalReply:
    return LocalReply(307, details=_REFUSED, edit=lambda response: response.add(b"location", path))


def normal_form(path: bytes) -> bytes:
    r"""Give a path without dot segments, backslashes and needless escapes, and with the escapes it needs.

    Examples
    --------
    >>> normal_form(b"/a/./b/../%41%2f|"), normal_form(b"/a\\..\\b"), normal_form(b"/a/..")
    (b'/a/A%2f%7C', b'/b', b'/')
    """
    plain = _DOTS_WITH_PARAMETERS.sub(rb"\1", path.replace(b"\\", b"/"))
    plain = _TO_ESCAPE.sub(lambda found: b"%%%02X" % ord(found[0]), _ESCAPE.sub(_unescaped, plain))
    kept: list[bytes] = []
    *segments, last = plain.split(b"/")[1:]
    for segment in segments:
        _step(kept, segment)
    _step(kept, last)
    return b"/" + b"/".join([*kept, b""] if last in (b".", b"..") and kept else kept)


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = bytes([int(found[1], 16)])
    return code if _UNRESERVED.fullmatch(code) else found[0]


def _step(kept: list[bytes], segment: bytes) -> None:
    """Take one step down a path: a single dot stays, two go back, anything else goes on."""
    if segment == b"..":
        del kept[-1:]
    elif segment != b".":
        kept.append(segment)


def merge_slashes(path: bytes) -> bytes:
    """Make one slash of several.

    Examples
    --------
    >>> merge_slashes(b"//a///b//"), merge_slashes(b"///")
    (b'/a/b/', b'//')
    """
    if b"//" not in path:
        return path
    # A path of slashes alone keeps the first and the last of them.
    return b"/" + b"/".join(filter(None, path.split(b"/"))) + (b"/" if path.endswith(b"/") else b"")


def normalise_host(headers: HeaderMap, config: HttpConnectionManager, port: int) -> None:
    """Take a trailing dot and a port off the host, as the connection manager is told to; ``port`` is the listener's."""
    host = headers.get(b":authority")
    if host is None:
        return
    if config.strip_trailing_host_dot:
        host = _without_dot(host)
    if config.strip_any_host_port:
        host = _without_port(host, None)
    elif config.strip_matching_host_port:
        host = _without_port(host, port)
    headers.put(b":authority", host)


def _without_dot(host: bytes) -> bytes:
    """Leave out the last dot where nothing, or a port, follows it."""
    name, dot, rest = host.rpartition(b".")
    return name + rest if dot and rest[:1] in (b"", b":") else host


def _without_port(host: bytes, wanted: int | None) -> bytes:
    """Leave out the port, or only ``wanted``; what is no number stays."""
    found = _PORT.search(host)
    if found is None or int(found[1]) >= _PORT_LIMIT or wanted not in (None, int(found[1])):
        return host
    return host[: found.start()]
