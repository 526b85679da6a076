"""The header mutation filter, ``envoy.extensions.filters.http.header_mutation.v3``, with what it has of others."""

from __future__ import annotations

from meshsim.envoy.config.base import Message
from meshsim.envoy.config.core import HeaderValueOption
from meshsim.envoy.config.matcher import StringMatcher

_FILTER = "envoy.extensions.filters.http.header_mutation.v3"
_RULES = "envoy.config.common.mutation_rules.v3"


class RemoveOnMatch(Message):
    """Remove every header whose name matches."""

    proto = f"{_RULES}.HeaderMutation.RemoveOnMatch"
    key_matcher: StringMatcher = StringMatcher()


class Mutation(Message):
    """One change of headers: one of these."""

    proto = f"{_RULES}.HeaderMutation"
    remove: str | None = None
    append: HeaderValueOption | None = None
    remove_on_match: RemoveOnMatch | None = None


class Mutations(Message):
    """Changes by what they change, each list in its order."""

    proto = f"{_FILTER}.Mutations"
    request_mutations: tuple[Mutation, ...] = ()
    response_mutations: tuple[Mutation, ...] = ()
    response_trailers_mutations: tuple[Mutation, ...] = ()
    request_trailers_mutations: tuple[Mutation, ...] = ()


class HeaderMutationPerRoute(Message):
    """What a route adds to the filter's changes."""

    proto = f"{_FILTER}.HeaderMutationPerRoute"
    mutations: Mutations = Mutations()


class HeaderMutation(Message):
    """The filter; as a rule its own changes come first, then the most specific level's, then the others'."""

    proto = f"{_FILTER}.HeaderMutation"
    mutations: Mutations = Mutations()
    most_specific_header_mutations_wins: bool = False
