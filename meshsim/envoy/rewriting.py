"""What a route makes of a request's host and path on its way upstream.

Seen in Envoy 1.40: hosts first, then paths; the old ones stay in headers of Envoy's own unless these are suppressed.
"""

from __future__ import annotations

from collections.abc import Iterable

from meshsim.envoy.config.route import Route, RouteAction, RouteMatch
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.routing import Match


def rewrite(match: Match, headers: HeaderMap, *, keep_original: bool) -> None:
    """Change host and path as the route says; ``keep_original`` leaves the old ones in headers of Envoy's own."""
    action = match.route.route
    assert action
    target = (headers.get(b":path") or b"").decode("utf-8", "surrogateescape")
    _rewrite_host(match, action, headers, keep_original)
    rewritten = _rewritten_path(match.route, action, target)
    if rewritten is not None:
        if keep_original:
            headers.put(b"x-envoy-original-path", target.encode("utf-8", "surrogateescape"))
        headers.put(b":path", rewritten.encode("utf-8", "surrogateescape"))


def _rewrite_host(match: Match, action: RouteAction, headers: HeaderMap, keep_original: bool) -> None:
    """Change the host as the weighted cluster says, which leaves no trace, and then as the route says."""
    if match.weighted is not None and match.weighted.host_rewrite_literal:
        new = match.weighted.host_rewrite_literal.encode()
        set_host(headers, new, forwarded=False, keep_original=False)
    new = _new_host(action, headers)
    if new:
        set_host(headers, new, forwarded=action.append_x_forwarded_host, keep_original=keep_original)


def _new_host(action: RouteAction, headers: HeaderMap) -> bytes:
    """What the route makes of the host; empty when it stays."""
    if action.host_rewrite_header:
        return headers.get(action.host_rewrite_header.lower().encode()) or b""
    if action.host_rewrite_path_regex is not None:
        path = (headers.get(b":path") or b"").partition(b"?")[0]
        text = action.host_rewrite_path_regex.apply(path.decode("utf-8", "surrogateescape"))
        return text.encode("utf-8", "surrogateescape")
    return (action.host_rewrite_literal or "").encode()


def set_host(headers: HeaderMap, new: bytes, *, forwarded: bool, keep_original: bool) -> None:
    """Change the host; the old one stays in Envoy's own header, or in ``x-forwarded-host``, when that is wanted.

    A request without a host leaves nothing, and the host that was forwarded last is not named again.
    """
    old = headers.get(b":authority")
    if old and keep_original:
        headers.put(b"x-envoy-original-host", old)
    hops = [hop for hop in (headers.get(b"x-forwarded-host") or b"").split(b",") if hop]
    if old and forwarded and hops[-1:] != [old]:
        headers.add(b"x-forwarded-host", old)
    headers.put(b":authority", new)


def _rewritten_path(route: Route, action: RouteAction, target: str) -> str | None:
    """What the route makes of the path, which may be the same; None when it does not care."""
    path, mark, query = target.partition("?")
    if action.regex_rewrite is not None:
        return action.regex_rewrite.apply(path) + mark + query
    if action.prefix_rewrite:
        matched = _matched_prefix(route.match, path)
        return action.prefix_rewrite + path[len(matched) :] + mark + query
    return None


def _matched_prefix(match: RouteMatch, path: str) -> str:
    given: Iterable[str | None] = (match.prefix, match.path_separated_prefix)
    return next((prefix for prefix in given if prefix is not None), path)
