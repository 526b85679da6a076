from __future__ import annotations

import pytest

from meshsim.envoy.config.matcher import (
    HeaderMatcher,
    Int64Range,
    QueryParameterMatcher,
    RegexMatcher,
    StringMatcher,
)


@pytest.mark.parametrize(
    ("matcher", "value", "matches"),
    [
        (StringMatcher(exact="a"), "a", True),
        (StringMatcher(exact="a"), "A", False),
        (StringMatcher(exact="a", ignore_case=True), "A", True),
        (StringMatcher(suffix=".js"), "x.js", True),
        (StringMatcher(contains="b"), "abc", True),
        (StringMatcher(contains="B", ignore_case=True), "abc", True),
        (StringMatcher(safe_regex=RegexMatcher(regex="a+")), "aab", False),
    ],
)
def test_strings(matcher: StringMatcher, value: str, matches: bool) -> None:
    assert matcher.matches(value) is matches


@pytest.mark.parametrize(
    ("matcher", "value", "matches"),
    [
        (HeaderMatcher(name="x"), "anything", True),
        (HeaderMatcher(name="x"), None, False),
        (HeaderMatcher(name="x", invert_match=True), None, True),
        (HeaderMatcher(name="x", present_match=False), None, True),
        (HeaderMatcher(name="x", present_match=True, invert_match=True), "a", False),
        (HeaderMatcher(name="x", exact_match="a"), "a", True),
        (HeaderMatcher(name="x", prefix_match="a"), "ba", False),
        (HeaderMatcher(name="x", string_match=StringMatcher(exact="a"), invert_match=True), "b", True),
        (HeaderMatcher(name="x", string_match=StringMatcher(exact="a"), invert_match=True), None, False),
        (HeaderMatcher(name="x", string_match=StringMatcher(exact="")), None, False),
        (HeaderMatcher(name="x", string_match=StringMatcher(exact=""), treat_missing_header_as_empty=True), None, True),
        (HeaderMatcher(name="x", range_match=Int64Range(start=-10, end=0)), "-1", True),
        (HeaderMatcher(name="x", range_match=Int64Range(start=-10, end=0)), "0", False),
        (HeaderMatcher(name="x", range_match=Int64Range(start=-10, end=0)), "-1.5", False),
    ],
)
def test_headers(matcher: HeaderMatcher, value: str | None, matches: bool) -> None:
    assert matcher.matches(value) is matches


@pytest.mark.parametrize(
    ("matcher", "value", "matches"),
    [
        (QueryParameterMatcher(name="q"), "", True),
        (QueryParameterMatcher(name="q"), None, False),
        (QueryParameterMatcher(name="q", present_match=True), None, False),
        (QueryParameterMatcher(name="q", string_match=StringMatcher(prefix="a")), "ab", True),
        (QueryParameterMatcher(name="q", string_match=StringMatcher(prefix="a")), None, False),
    ],
)
def test_query_parameters(matcher: QueryParameterMatcher, value: str | None, matches: bool) -> None:
    assert matcher.matches(value) is matches
