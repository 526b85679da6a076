from __future__ import annotations

import pytest

from meshsim.envoy.config.matcher import RegexMatchAndSubstitute, RegexMatcher
from meshsim.envoy.config.regex import regex_error


@pytest.mark.parametrize(
    ("pattern", "value", "matches"),
    [
        ("a.c", "abc", True),
        ("a.c", "xabcx", False),
        ("/v[0-9]+/.*", "/v12/books", True),
        ("[[:alpha:]]+", "abC", True),
        ("[[:alpha:]_-]+", "a-b_c", True),
        (r"\Qa.b\E+", "a.bbb", True),
        (r"\Qa.b\E", "axb", False),
        (r"a\z", "a", True),
        ("(?i)bearer .*", "BEARER x", True),
        (r"\d+", "\u0661", False),  # ASCII digits only, as in RE2
        ("(?P<version>v1|v2)", "v2", True),
        ("(?<version>v1|v2)", "v2", True),
    ],
)
def test_a_pattern_matches_whole_values(pattern: str, value: str, matches: bool) -> None:
    assert regex_error(pattern) is None
    assert RegexMatcher(regex=pattern).matches(value) is matches


def test_substitution_replaces_every_match_with_its_groups() -> None:
    rule = RegexMatchAndSubstitute(pattern=RegexMatcher(regex="/([a-z]+)"), substitution=r"-\1\0")

    assert rule.apply("/one/two") == "-one/one-two/two"
