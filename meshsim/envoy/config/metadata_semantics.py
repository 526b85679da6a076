"""What Envoy refuses in the rules of the filter ``header_to_metadata``."""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.envoy.config.parsed import ParsedMessage, Problem
from meshsim.envoy.config.regex import regex_error

HEADER_TO_METADATA = "envoy.extensions.filters.http.header_to_metadata.v3.Config"
_WITHOUT_RULES = "header_to_metadata_filter: Per filter configs must at least specify either request or response rules"


def header_to_metadata_problems(config: ParsedMessage, *, of_route: bool) -> Iterator[Problem]:
    """Yield what is wrong with the rules; a route's configuration needs one."""
    rules = [rule for name in ("request_rules", "response_rules") for rule in config.messages(name)]
    for rule in rules:
        for words in _rule_problems(rule):
            yield Problem.said(words, rule.place)
    if of_route and not rules:
        yield Problem.said(_WITHOUT_RULES, config.place)


def _rule_problems(rule: ParsedMessage) -> Iterator[str]:
    header, cookie = rule.get("header", ""), rule.get("cookie", "")
    present, missing = rule.messages("on_header_present"), rule.messages("on_header_missing")
    if header and cookie:
        yield "Cannot specify both header and cookie in the same rule"
    if not header and not cookie:
        yield "One of Cookie or Header option needs to be specified"
    if not present and not missing:
        yield (
            f"header to metadata filter: rule for header '{header}' has neither `on_header_present` nor "
            "`on_header_missing` set"
        )
    if any(not pair.get("value") for pair in missing):
        yield "Cannot specify on_header_missing rule with an empty value"
    if cookie and rule.get("remove"):
        yield "Cannot specify remove for cookie"
    for pair in present:
        for rewrite in pair.messages("regex_value_rewrite"):
            if pair.get("value"):
                yield "Cannot specify both value and regex_value_rewrite"
            for pattern in rewrite.messages("pattern"):
                error = regex_error(pattern.get("regex", ""))
                if error is not None:
                    yield error
