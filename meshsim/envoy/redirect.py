"""Where a redirection points to, and the ``location`` that some direct responses carry."""

from __future__ import annotations

from meshsim.envoy.config.route import RedirectAction, RouteMatch
from meshsim.envoy.headers import HeaderMap

REDIRECT_STATUS = {
    "MOVED_PERMANENTLY": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}

_CREATED = 201
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _text(headers: HeaderMap, name: bytes) -> str:
    return (headers.get(name) or b"").decode("utf-8", "surrogateescape")


def direct_location(status: int, headers: HeaderMap) -> str:
    """Give the request's own URL for the statuses whose direct responses carry it (201 and 3xx), else nothing."""
    if status != _CREATED and not 300 <= status < 400:
        return ""
    return f"{_text(headers, b':scheme')}://{_text(headers, b':authority')}{_text(headers, b':path')}"


def redirect_location(action: RedirectAction, match: RouteMatch, headers: HeaderMap) -> str:
    """Give where a redirection points to; a rewritten path also becomes the request's, as in Envoy."""
    scheme = "https" if action.https_redirect else action.scheme_redirect or _text(headers, b":scheme")
    path = _path(action, match, _text(headers, b":path"))
    if action.prefix_rewrite is not None or action.regex_rewrite is not None:
        headers.put(b":path", path.encode("utf-8", "surrogateescape"))
    return f"{scheme}://{_authority(action, scheme, headers)}{path}"


def _authority(action: RedirectAction, scheme: str, headers: HeaderMap) -> str:
    host, _, port = _text(headers, b":authority").partition(":")
    old_scheme = _text(headers, b":scheme")
    if action.port_redirect:
        port = str(action.port_redirect)
    elif port and scheme != old_scheme and port == str(_DEFAULT_PORTS.get(old_scheme)):
        port = ""
    return (action.host_redirect or host) + (f":{port}" if port else "")


def _path(action: RedirectAction, match: RouteMatch, target: str) -> str:
    path, mark, query = target.partition("?")
    if action.path_redirect is not None:
        new_path, new_mark, new_query = action.path_redirect.partition("?")
        path, mark, query = (new_path, new_mark, new_query) if new_mark else (new_path, mark, query)
    elif action.prefix_rewrite is not None:
        matched = match.prefix or match.path_separated_prefix or path
        path = action.prefix_rewrite + path[len(matched) :]
    elif action.regex_rewrite is not None:
        path = action.regex_rewrite.apply(path)
    return path if action.strip_query else path + mark + query
