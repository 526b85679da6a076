"""Which route takes a request, and what the route changes on the way.

Order of Envoy's matching: the virtual host by domain (exact, longest suffix wildcard, longest prefix wildcard,
``*``), then the first of its routes whose path, headers and query parameters agree. Header changes apply from the
route outwards (route, virtual host, route configuration), in reverse when the most specific shall win.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol
from urllib.parse import parse_qsl

from meshsim.envoy.config.core import HeaderValueOption
from meshsim.envoy.config.matcher import HeaderMatcher
from meshsim.envoy.config.route import FilterConfig, Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost
from meshsim.envoy.headers import HeaderMap


class HeaderEdits(Protocol):
    """Anything that adds and removes headers: a route, a virtual host, a route configuration."""

    @property
    def request_headers_to_add(self) -> Sequence[HeaderValueOption]: ...
    @property
    def request_headers_to_remove(self) -> Sequence[str]: ...
    @property
    def response_headers_to_add(self) -> Sequence[HeaderValueOption]: ...
    @property
    def response_headers_to_remove(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Match:
    """A route that took a request, with the configurations around it."""

    route: Route
    host: VirtualHost
    configuration: RouteConfiguration
    cluster: str | None = None
    weighted: HeaderEdits | None = None

    def filter_config(self, name: str) -> FilterConfig | None:
        """What the most specific level says about a filter."""
        for level in (self.route, self.host, self.configuration):
            if name in level.typed_per_filter_config:
                return level.typed_per_filter_config[name]
        return None

    def levels(self) -> list[HeaderEdits]:
        """Header edits in the order in which they apply."""
        levels: list[HeaderEdits] = [self.route, self.host, self.configuration]
        if self.weighted is not None:
            levels.insert(0, self.weighted)
        if self.configuration.most_specific_header_mutations_wins:
            levels.reverse()
        return levels

    def edit_request(self, headers: HeaderMap, values: Formatter) -> None:
        """Apply the edits that requests get on their way upstream."""
        for level in self.levels():
            _edit(headers, level.request_headers_to_remove, level.request_headers_to_add, values)

    def edit_response(self, headers: HeaderMap, values: Formatter) -> None:
        """Apply the edits that responses get, local replies too."""
        for level in self.levels():
            _edit(headers, level.response_headers_to_remove, level.response_headers_to_add, values)


class Formatter(Protocol):
    """Fills in command operators such as ``%REQ(x)%``."""

    def __call__(self, template: str) -> str: ...


def _edit(headers: HeaderMap, remove: Sequence[str], add: Sequence[HeaderValueOption], values: Formatter) -> None:
    for name in remove:
        headers.remove(name.lower().encode())
    for option in add:
        _apply(headers, option, values)


def _apply(headers: HeaderMap, option: HeaderValueOption, values: Formatter) -> None:
    key = option.header.key.lower().encode()
    key = b":authority" if key == b"host" else key
    value = values(option.header.value).encode()
    if not value and not option.keep_empty_value:
        return
    present = key in headers
    match option.action:
        case "APPEND_IF_EXISTS_OR_ADD":
            headers.add(key, value)
        case "ADD_IF_ABSENT" if not present:
            headers.add(key, value)
        case "OVERWRITE_IF_EXISTS_OR_ADD":
            headers.replace(key, value)
        case "OVERWRITE_IF_EXISTS" if present:
            headers.replace(key, value)


def find_route(configuration: RouteConfiguration, headers: HeaderMap, random: Random) -> Match | None:
    """Choose the route for a request; None when none takes it.

    As in Envoy, a request that has lost its ``x-forwarded-proto`` matches nothing.
    """
    path = (headers.get(b":path") or b"").decode("utf-8", "surrogateescape")
    host = _virtual_host(configuration, (headers.get(b":authority") or b"").decode("utf-8", "surrogateescape"))
    if host is None or not path or b"x-forwarded-proto" not in headers:
        return None
    for route in host.routes:
        if _matches(route.match, path, headers):
            cluster, weighted = _cluster_of(route.route, headers, random) if route.route else (None, None)
            return Match(route, host, configuration, cluster, weighted)
    return None


def _virtual_host(configuration: RouteConfiguration, authority: str) -> VirtualHost | None:
    authority = authority.lower()
    if configuration.ignore_port_in_host_matching and not authority.endswith("]"):
        authority = authority.rpartition(":")[0] or authority
    candidates = [
        (rank, host)
        for host in configuration.virtual_hosts
        for domain in host.domains
        if (rank := _domain_rank(domain.lower(), authority)) is not None
    ]
    return max(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


def _domain_rank(domain: str, authority: str) -> tuple[int, int] | None:
    """How well a domain fits; a larger rank is better, None does not fit."""
    if domain == authority:
        return 3, len(domain)
    if domain == "*":
        return 0, 0
    if domain.startswith("*") and len(authority) > len(domain) - 1 and authority.endswith(domain[1:]):
        return 2, len(domain)
    if domain.endswith("*") and len(authority) > len(domain) - 1 and authority.startswith(domain[:-1]):
        return 1, len(domain)
    return None


def _matches(match: RouteMatch, target: str, headers: HeaderMap) -> bool:
    path, _, query = target.partition("#")[0].partition("?")
    return (
        _path_matches(match, path, target)
        and _share_matches(match)
        and all(_header_matches(condition, headers) for condition in match.headers)
        and _query_matches(match, query)
    )


def _share_matches(match: RouteMatch) -> bool:
    """A share of nothing takes nothing; any other share is taken as the whole (there is no runtime)."""
    return match.runtime_fraction is None or match.runtime_fraction.default_value.numerator > 0


def _path_matches(match: RouteMatch, path: str, target: str) -> bool:
    fold = str.lower if match.case_sensitive is False else str
    if match.path is not None:
        return fold(path) == fold(match.path)
    if match.path_separated_prefix is not None:
        prefix = fold(match.path_separated_prefix)
        return fold(path) == prefix or fold(path).startswith(prefix + "/")
    if match.safe_regex is not None:
        return match.safe_regex.matches(path)
    return match.prefix is not None and fold(target).startswith(fold(match.prefix))


def _header_matches(condition: HeaderMatcher, headers: HeaderMap) -> bool:
    values = headers.all(condition.name.lower().encode())
    return condition.matches(b",".join(values).decode("utf-8", "surrogateescape") if values else None)


def _query_matches(match: RouteMatch, query: str) -> bool:
    first: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        first.setdefault(name, value)
    return all(condition.matches(first.get(condition.name)) for condition in match.query_parameters)


def _cluster_of(action: RouteAction, headers: HeaderMap, random: Random) -> tuple[str, HeaderEdits | None]:
    if action.weighted_clusters is not None:
        clusters = action.weighted_clusters.clusters
        weights = [cluster.weight or 0 for cluster in clusters]
        chosen = random.choices(clusters, weights if any(weights) else None)[0]
        return chosen.name or _header_text(headers, chosen.cluster_header), chosen
    if action.cluster is not None:
        return action.cluster, None
    return _header_text(headers, action.cluster_header or ""), None


def _header_text(headers: HeaderMap, name: str) -> str:
    return (headers.get(name.lower().encode()) or b"").decode("utf-8", "surrogateescape")


def rewrite(match: Match, headers: HeaderMap) -> None:
    """Change path and host as the route says."""
    action = match.route.route
    assert action
    target = (headers.get(b":path") or b"").decode("utf-8", "surrogateescape")
    rewritten = _rewritten_path(match.route, action, target)
    if rewritten != target:
        headers.put(b"x-envoy-original-path", target.encode("utf-8", "surrogateescape"))
        headers.put(b":path", rewritten.encode("utf-8", "surrogateescape"))
    if action.host_rewrite_literal:
        headers.put(b":authority", action.host_rewrite_literal.encode())
    elif action.host_rewrite_header:
        value = headers.get(action.host_rewrite_header.lower().encode())
        if value:
            headers.put(b":authority", value)


def _rewritten_path(route: Route, action: RouteAction, target: str) -> str:
    path, mark, query = target.partition("?")
    if action.regex_rewrite is not None:
        return action.regex_rewrite.apply(path) + mark + query
    if action.prefix_rewrite:
        matched = _matched_prefix(route.match, path)
        return action.prefix_rewrite + path[len(matched) :] + mark + query
    return target


def _matched_prefix(match: RouteMatch, path: str) -> str:
    given: Iterable[str | None] = (match.prefix, match.path_separated_prefix)
    return next((prefix for prefix in given if prefix is not None), path)
