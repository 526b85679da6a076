"""What Envoy refuses when it makes routes out of a route configuration, in the order in which it comes to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from meshsim.envoy.config.constraints import violations
from meshsim.envoy.config.metadata_semantics import HEADER_TO_METADATA, header_to_metadata_problems
from meshsim.envoy.config.operators import format_errors, json_format_errors
from meshsim.envoy.config.parsed import ParsedAny, ParsedMessage, Problem
from meshsim.envoy.config.regex import regex_error
from meshsim.envoy.config.schema import Schema
from meshsim.envoy.config.sources import Sources

_DIRECT_RESPONSE_LIMIT = 4096
_UINT32_MAX = (1 << 32) - 1
_REGEX_MATCHER = "envoy.type.matcher.v3.RegexMatcher"
_FILTER_CONFIG = "envoy.config.route.v3.FilterConfig"
_WITHOUT_ROUTE_CONFIG: Mapping[str, str] = {
    "envoy.extensions.filters.http.wasm.v3.Wasm": "envoy.filters.http.wasm",
    "envoy.extensions.filters.http.router.v3.Router": "envoy.filters.http.router",
}

_RATE_LIMIT = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_SHORTEST_FILL_NS = 50_000_000
#: Packages whose messages configure no filter.
_UNREGISTERED = ("google.protobuf.", "envoy.config.route.", "envoy.extensions.filters.network.")
_WITH_ROUTE_CONFIG = frozenset(
    {
        "envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
        "envoy.extensions.filters.http.lua.v3.LuaPerRoute",
        "envoy.extensions.filters.http.rbac.v3.RBACPerRoute",
        "envoy.extensions.filters.http.set_metadata.v3.Config",
        "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
        "envoy.extensions.filters.http.fault.v3.HTTPFault",
        HEADER_TO_METADATA,
        _RATE_LIMIT,
    }
)
"""Messages in which a route speaks to a filter; Envoy checks them when it makes the route."""


class RouteJudge:
    """Judges one route configuration.

    Parameters
    ----------
    clusters : frozenset of str
        Names of the clusters of the bootstrap.
    sources : Sources
        Files and variables, which bodies may come from.
    schema : Schema
        What Envoy knows.
    """

    def __init__(self, clusters: frozenset[str], sources: Sources, schema: Schema) -> None:
        self.clusters = clusters
        self._sources = sources
        self._schema = schema

    def refusals(self, config: ParsedMessage) -> Iterator[Problem]:
        """Yield what Envoy refuses, the first first."""
        yield from header_problems(config)
        yield from self._per_filter(config)
        taken: set[str] = set()
        for host in config.messages("virtual_hosts"):
            yield from header_problems(host)
            yield from self._per_filter(host)
            for route in host.messages("routes"):
                yield from self._route(route, config)
            yield from _domain_problems(host, config.get("name", ""), taken)

    def _route(self, route: ParsedMessage, config: ParsedMessage) -> Iterator[Problem]:
        for action in route.messages("route"):
            yield from _rewrite_problems(action)
            for weighted in action.messages("weighted_clusters"):
                yield from _weight_problems(weighted)
        yield from header_problems(route)
        yield from self._per_filter(route)
        for answer in route.messages("direct_response"):
            limit = config.get("max_direct_response_body_size_bytes", _DIRECT_RESPONSE_LIMIT)
            yield from self._direct_response(answer, limit)
        yield from _regex_problems(route)
        if config.get("validate_clusters", True):
            for action in route.messages("route"):
                yield from self._unknown_clusters(action)

    def _per_filter(self, message: ParsedMessage) -> Iterator[Problem]:
        """Yield what is wrong with what a level says to filters."""
        for name, packed in message.get("typed_per_filter_config", {}).items():
            if not isinstance(packed, ParsedAny):
                continue
            optional = False
            if packed.message == _FILTER_CONFIG and isinstance(packed.value, ParsedMessage):
                level = packed.value
                if level.get("disabled"):
                    continue
                if "config" not in level.values:
                    words = f"Empty route/virtual host per filter configuration for {name} filter"
                    yield Problem.said(words, packed.place)
                packed, optional = level.packed("config"), bool(level.get("is_optional"))
                if not packed.type_url:
                    continue
            if refused := _not_for_routes(name, packed.message):
                yield from () if optional else [Problem.said(refused, packed.place)]
            elif packed.message in _WITH_ROUTE_CONFIG and isinstance(packed.value, ParsedMessage):
                yield from violations(packed.value, self._schema)
                yield from mutation_problems(packed.value)
                if packed.message == _RATE_LIMIT:
                    yield from rate_limit_problems(packed.value, of_route=True)
                if packed.message == HEADER_TO_METADATA:
                    yield from header_to_metadata_problems(packed.value, of_route=True)
                for source in packed.value.messages("source_code"):
                    yield from source_problems(source, self._sources, "Invalid path: {}")

    def _direct_response(self, answer: ParsedMessage, limit: int) -> Iterator[Problem]:
        for body in answer.messages("body"):
            yield from source_problems(body, self._sources, "file {} does not exist")
            size = len(_content(body, self._sources))
            if size > limit:
                yield Problem.said(f"response body size is {size} bytes; maximum is {limit}", body.place)
        for format_ in answer.messages("body_format"):
            yield from format_problems(format_)

    def _unknown_clusters(self, action: ParsedMessage) -> Iterator[Problem]:
        name = action.get("cluster")
        if name is not None and name not in self.clusters:
            yield Problem.said(f"route: unknown cluster '{name}'", action.place_of("cluster"))
        for weighted in action.messages("weighted_clusters"):
            for choice in weighted.messages("clusters"):
                name = choice.get("name")
                if name and name not in self.clusters:
                    yield Problem.said(f"route: unknown weighted cluster '{name}'", choice.place_of("name"))


def _not_for_routes(name: str, message: str) -> str:
    """Say why a message cannot be what a route says to a filter; empty when it can."""
    if not message or message.startswith(_UNREGISTERED):
        return f"Didn't find a registered implementation for '{name}' with type URL: '{message}'"
    if message in _WITHOUT_ROUTE_CONFIG:
        return f"The filter {name} doesn't support virtual host or route specific configurations"
    return ""


def header_problems(message: ParsedMessage) -> Iterator[Problem]:
    """Yield what is wrong with the headers that a message adds and removes."""
    for direction in ("request", "response"):
        for option in message.messages(f"{direction}_headers_to_add"):
            yield from _header_option_problems(option)
        for number, name in enumerate(message.get(f"{direction}_headers_to_remove", [])):
            if _is_protected(name):
                place = message.place_of(f"{direction}_headers_to_remove")
                yield Problem.said(":-prefixed or host headers may not be removed", place.item(number, place.line))


def _header_option_problems(option: ParsedMessage) -> Iterator[Problem]:
    if "append" in option.values and "append_action" in option.values:
        yield Problem.said("Both append and append_action are set and it's not allowed", option.place)
    for header in option.messages("header"):
        if _is_protected(header.get("key", "")):
            yield Problem.said(":-prefixed or host headers may not be modified", header.place_of("key"))
        for says in format_errors(header.get("value", "")):
            yield Problem.said(says, header.place_of("value"))


def _is_protected(name: str) -> bool:
    return name.startswith(":") or name.lower() == "host"


def format_problems(message: ParsedMessage) -> Iterator[Problem]:
    """Yield what is wrong with the operators in a ``SubstitutionFormatString``."""
    texts = [message.get("text_format", "")]
    texts += [source.get("inline_string", "") for source in message.messages("text_format_source")]
    for text in texts:
        for says in format_errors(text):
            yield Problem.said(says, message.place)
    for says in json_format_errors(message.get("json_format", {})):
        yield Problem.said(says, message.place)


def source_problems(source: ParsedMessage, sources: Sources, missing_file: str) -> Iterator[Problem]:
    """Yield what is missing of a ``DataSource``."""
    name = source.get("filename")
    if name is not None and name not in sources.files:
        yield Problem.said(missing_file.format(name), source.place_of("filename"))
    variable = source.get("environment_variable")
    if variable is not None and variable not in sources.environment:
        yield Problem.said(f"Environment variable doesn't exist: {variable}", source.place_of("environment_variable"))


def lua_problems(config: ParsedMessage, sources: Sources) -> Iterator[Problem]:
    """Yield what is wrong with a Lua filter, but for the scripts themselves."""
    if config.get("inline_code") and "default_source_code" in config.values:
        words = "Error: Only one of `inline_code` or `default_source_code` can be set for the Lua filter."
        yield Problem.said(words, config.place_of("inline_code"))
    named: dict[str, ParsedMessage] = config.get("source_codes", {})
    for source in (*config.messages("default_source_code"), *named.values()):
        yield from source_problems(source, sources, "Invalid path: {}")


def mutation_problems(config: ParsedMessage) -> Iterator[Problem]:
    """Yield what is wrong with the headers that a header mutation filter, or a route of it, sets."""
    for mutations in config.messages("mutations"):
        for name in mutations.values:
            for mutation in mutations.messages(name) if name.endswith("_mutations") else []:
                for option in mutation.messages("append"):
                    yield from _header_option_problems(option)


def rate_limit_problems(config: ParsedMessage, *, of_route: bool) -> Iterator[Problem]:
    """Yield what is wrong with a local rate limit; one of a route's needs a bucket."""
    for bucket in config.messages("token_bucket"):
        if bucket.get("fill_interval", 0) < _SHORTEST_FILL_NS:
            words = "local rate limit token bucket fill timer must be >= 50ms"
            yield Problem.said(words, bucket.place_of("fill_interval"))
    if of_route and "token_bucket" not in config.values:
        yield Problem.said("local rate limit token bucket must be set for per filter configs", config.place)


def _content(source: ParsedMessage, sources: Sources) -> bytes:
    if "filename" in source.values:
        return sources.files.get(source.get("filename"), b"")
    return bytes(source.get("inline_bytes", b"")) or str(source.get("inline_string", "")).encode()


def _regex_problems(message: ParsedMessage) -> Iterator[Problem]:
    """Yield the regular expressions below a message that RE2 refuses."""
    if message.schema.name == _REGEX_MATCHER:
        says = regex_error(message.get("regex", ""))
        if says is not None:
            yield Problem.said(says, message.place_of("regex"))
    for name in message.values:
        for child in message.messages(name):
            if isinstance(child, ParsedMessage):
                yield from _regex_problems(child)


def _rewrite_problems(action: ParsedMessage) -> Iterator[Problem]:
    rewrites = [name for name in ("prefix_rewrite", "regex_rewrite", "path_rewrite_policy") if action.get(name)]
    if len(rewrites) > 1:
        words = "Specify only one of prefix_rewrite, regex_rewrite or path_rewrite_policy"
        yield Problem.said(words, action.place_of(rewrites[1]))


def _weight_problems(weighted: ParsedMessage) -> Iterator[Problem]:
    total = 0
    for choice in weighted.messages("clusters"):
        named = [name for name in ("name", "cluster_header") if choice.get(name)]
        if not named:
            yield Problem.said("At least one of name or cluster_header need to be specified", choice.place)
        if len(named) > 1:
            yield Problem.said("Only one of name or cluster_header can be specified", choice.place)
        if "weight" not in choice.values:
            yield Problem.said("Field 'weight' is missing in", choice.place)
        yield from header_problems(choice)
        total += choice.get("weight", 0)
        if total > _UINT32_MAX:
            words = f"The sum of weights of all weighted clusters of route exceeds {_UINT32_MAX}"
            yield Problem.said(words, weighted.place)
    if total == 0:
        yield Problem.said("Sum of weights in the weighted_cluster must be greater than 0.", weighted.place)


def _domain_problems(host: ParsedMessage, config_name: str, taken: set[str]) -> Iterator[Problem]:
    place = host.place_of("domains")
    for number, domain in enumerate(domain.lower() for domain in host.get("domains", [])):
        if domain in taken:
            words = (
                f"Only a single wildcard domain is permitted in route {config_name}"
                if domain == "*"
                else "Only unique values for domains are permitted. "
                f"Duplicate entry of domain {domain} in route {config_name}"
            )
            yield Problem.said(words, place.item(number, place.line))
        taken.add(domain)
