"""The header mutation filter: changes of headers and trailers that the configuration lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshsim.abi.constants import HeadersAction, TrailersAction
from meshsim.envoy import formatter
from meshsim.envoy.config.header_mutation import HeaderMutation, HeaderMutationPerRoute, Mutation, Mutations
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.routing import Formatter
from meshsim.envoy.thread_host import ThreadHost


@dataclass(frozen=True, eq=False, slots=True)
class HeaderMutationUse:
    """A header mutation filter in a chain, by its name in the configuration."""

    name: str
    config: HeaderMutation

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Make the filter for a stream on a worker."""
        host.thread.spend(host.process.costs.native_filter_ns)
        return HeaderMutationFilter(self)


class HeaderMutationFilter(HttpFilter):
    """The filter on one stream."""

    def __init__(self, use: HeaderMutationUse) -> None:
        self._use = use

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Change the request's headers; the route stays as it was chosen."""
        self._change(headers, lambda changes: changes.request_mutations)
        return HeadersAction.CONTINUE

    def decode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Change the request's trailers."""
        self._change(trailers, lambda changes: changes.request_trailers_mutations)
        return TrailersAction.CONTINUE

    def encode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Change the response's headers."""
        self._change(headers, lambda changes: changes.response_mutations)
        return HeadersAction.CONTINUE

    def encode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Change the response's trailers."""
        self._change(trailers, lambda changes: changes.response_trailers_mutations)
        return TrailersAction.CONTINUE

    def _levels(self) -> list[Mutations]:
        """Return the filter's own changes, then those of the route's levels, the last word to whom it belongs."""
        match = self.stream.take_route()
        found = match.own_configs(self._use.name) if match else []
        levels = [config.mutations for config in found if isinstance(config, HeaderMutationPerRoute)]
        if self._use.config.most_specific_header_mutations_wins:
            levels.reverse()
        return [self._use.config.mutations, *levels]

    def _change(self, headers: HeaderMap, part: Callable[[Mutations], Sequence[Mutation]]) -> None:
        values = formatter.values_of(self.stream)
        for level in self._levels():
            for mutation in part(level):
                mutate(headers, mutation, values)


def mutate(headers: HeaderMap, mutation: Mutation, values: Formatter) -> None:
    """Make one change."""
    if mutation.remove is not None:
        headers.remove(mutation.remove.lower().encode())
    elif mutation.remove_on_match is not None:
        matcher = mutation.remove_on_match.key_matcher
        for name in {name for name, _ in headers.pairs() if matcher.matches(name.decode("utf-8", "surrogateescape"))}:
            headers.remove(name)
    elif mutation.append is not None:
        option = mutation.append
        key = option.header.key.lower().encode()
        value = values(option.header.value).encode("utf-8", "surrogateescape")
        if not value and not option.keep_empty_value:
            return
        match option.action, key in headers:
            case ("APPEND_IF_EXISTS_OR_ADD", _) | ("ADD_IF_ABSENT", False):
                headers.add(key, value)
            case ("OVERWRITE_IF_EXISTS_OR_ADD", _) | ("OVERWRITE_IF_EXISTS", True):
                headers.replace(key, value)
