"""Which route takes a request, and what the route changes on the way.

Order of Envoy's matching: the virtual host by domain (exact, longest suffix wildcard, longest prefix wildcard,
``*``), then the first of its routes whose path, headers and query parameters agree. Header changes apply from the
route outwards (route, virtual host, route configuration), in reverse when the most specific shall win.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from meshsim.envoy.config.core import HeaderValueOption
from meshsim.envoy.config.matcher import HeaderMatcher
from meshsim.envoy.config.route import (
    ClusterWeight,
    FilterConfig,
    OwnConfig,
    RetryPolicy,
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from meshsim.envoy.config.wasm import Wasm
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
    weighted: ClusterWeight | None = None

    def filter_configs(self, name: str) -> list[FilterConfig | OwnConfig]:
        """What the levels say about a filter, the most specific first."""
        levels = (self.weighted, self.route, self.host, self.configuration)
        found = (level.typed_per_filter_config.get(name) for level in levels if level is not None)
        return [config for config in found if config is not None]

    def is_disabled(self, name: str, *, default: bool) -> bool:
        """Whether a filter is left out: the most specific level decides, and a configuration wants the filter."""
        configs = self.filter_configs(name)
        if not configs:
            return default
        return isinstance(configs[0], FilterConfig) and configs[0].disabled

    def own_configs(self, name: str) -> list[OwnConfig]:
        """What the levels say to a filter in its own words, the most specific first."""
        found = (config.config if isinstance(config, FilterConfig) else config for config in self.filter_configs(name))
        return [config for config in found if config is not None and not isinstance(config, Wasm)]

    def own_config(self, name: str) -> OwnConfig | None:
        """What the most specific level says to a filter."""
        return next(iter(self.own_configs(name)), None)

    @property
    def retry_policy(self) -> RetryPolicy | None:
        """When the router tries again: the route's policy, else that of its virtual host."""
        own = self.route.route.retry_policy if self.route.route else None
        return own or self.host.retry_policy

    @property
    def buffer_limit(self) -> int | None:
        """How much of a request's body may be kept (bytes), where the route or its virtual host says so."""
        if self.route.route is None:
            return None
        given = (
            self.route.request_body_buffer_limit,
            self.route.per_request_buffer_limit_bytes,
            self.host.request_body_buffer_limit,
            self.host.per_request_buffer_limit_bytes,
        )
        return next((limit for limit in given if limit is not None), None)

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
            edit_headers(headers, level.request_headers_to_remove, level.request_headers_to_add, values)

    def edit_response(self, headers: HeaderMap, values: Formatter) -> None:
        """Apply the edits that responses get, local replies too."""
        for level in self.levels():
            edit_headers(headers, level.response_headers_to_remove, level.response_headers_to_add, values)


@dataclass(frozen=True, slots=True)
class Routed:
    """Where a request belongs: its virtual host, and the route there; either may be missing."""

    host: VirtualHost | None = None
    match: Match | None = None


class Formatter(Protocol):
    """Fills in command operators such as ``%REQ(x)%``."""

    def __call__(self, template: str, /) -> str: ...


#: What an action does to a header that is there, and to one that is not: overwrite, add, or nothing.
_ACTIONS: dict[str, tuple[str, str]] = {
    "APPEND_IF_EXISTS_OR_ADD": ("add", "add"),
    "ADD_IF_ABSENT": ("", "add"),
    "OVERWRITE_IF_EXISTS_OR_ADD": ("overwrite", "overwrite"),
    "OVERWRITE_IF_EXISTS": ("overwrite", ""),
}


def edit_headers(
    headers: HeaderMap, remove: Sequence[str], add: Sequence[HeaderValueOption], values: Formatter
) -> None:
    """Remove, then overwrite, then add, as Envoy's header parser does whatever the order of the options."""
    for name in remove:
        headers.remove(name.lower().encode())
    changes: dict[str, list[tuple[bytes, bytes]]] = {"overwrite": [], "add": [], "": []}
    for option in add:
        key, value = option.header.key.lower().encode(), values(option.header.value).encode("utf-8", "surrogateescape")
        if value or option.keep_empty_value:
            there, absent = _ACTIONS[option.action]
            changes[there if key in headers else absent].append((key, value))
    for key, value in changes["overwrite"]:
        headers.replace(key, value)
    for key, value in changes["add"]:
        headers.add(key, value)


def find_route(configuration: RouteConfiguration, headers: HeaderMap, random: Random) -> Routed:
    """Choose the route for a request.

    As in Envoy, a request whose ``x-forwarded-proto`` is gone or empty matches nothing.
    """
    path = (headers.get(b":path") or b"").decode("utf-8", "surrogateescape")
    host = _virtual_host(configuration, (headers.get(b":authority") or b"").decode("utf-8", "surrogateescape"))
    if host is None or not path or not headers.get(b"x-forwarded-proto"):
        return Routed(host)
    for route in host.routes:
        if _matches(route.match, path, headers, random):
            cluster, weighted = _cluster_of(route.route, headers, random) if route.route else (None, None)
            return Routed(host, Match(route, host, configuration, cluster, weighted))
    return Routed(host)


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


def _matches(match: RouteMatch, target: str, headers: HeaderMap, random: Random) -> bool:
    path, _, query = target.partition("#")[0].partition("?")
    return (
        _path_matches(match, path, target)
        and all(header_matches(condition, headers) for condition in match.headers)
        and _query_matches(match, query)
        and (match.runtime_fraction is None or match.runtime_fraction.default_value.takes(random))
    )


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


def header_matches(condition: HeaderMatcher, headers: HeaderMap) -> bool:
    """Each value of a repeated header counts by itself; an inverted condition must hold for all."""
    values = [value.decode("utf-8", "surrogateescape") for value in headers.all(condition.name.lower().encode())]
    if not values:
        return condition.matches(None)
    return (all if condition.invert_match else any)(condition.matches(value) for value in values)


def _query_matches(match: RouteMatch, query: str) -> bool:
    """The first value of a parameter counts, with its escapes as they were sent."""
    first: dict[str, str] = {}
    for name, value in query_parameters(query):
        first.setdefault(name, value)
    return all(condition.matches(first.get(condition.name)) for condition in match.query_parameters)


def query_parameters(query: str) -> list[tuple[str, str]]:
    """Split a query; nothing is decoded.

    Examples
    --------
    >>> query_parameters("a=1&b&c=%20")
    [('a', '1'), ('b', ''), ('c', '%20')]
    """
    parts = (part.partition("=") for part in query.split("&"))
    return [(name, value) for name, _, value in parts]


def _cluster_of(action: RouteAction, headers: HeaderMap, random: Random) -> tuple[str, ClusterWeight | None]:
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
