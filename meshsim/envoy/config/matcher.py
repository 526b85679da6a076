"""Matching of strings, headers and query parameters.

Regular expressions are Envoy's RE2 dialect and must match the whole value. Python's engine reads the same language for
what configurations use; it differs in time bounds, never in what a plain pattern matches.
"""

from __future__ import annotations

import re
from functools import cached_property

from meshsim.envoy.config.base import Message
from meshsim.envoy.config.regex import to_python


class RegexMatcher(Message):
    """A regular expression."""

    proto = "envoy.type.matcher.v3.RegexMatcher"
    regex: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The compiled expression; ASCII classes, as in RE2."""
        return re.compile(to_python(self.regex), re.ASCII)

    def matches(self, value: str) -> bool:
        """Whether the whole value matches."""
        return self.pattern.fullmatch(value) is not None


class RegexMatchAndSubstitute(Message):
    r"""Every match of a pattern, replaced; ``\1`` is the first group, as in RE2."""

    proto = "envoy.type.matcher.v3.RegexMatchAndSubstitute"
    pattern: RegexMatcher = RegexMatcher()
    substitution: str = ""

    def apply(self, value: str) -> str:
        r"""Return ``value`` with every match replaced.

        Examples
        --------
        >>> rule = RegexMatchAndSubstitute(pattern=RegexMatcher(regex="^/v1/(.*)$"), substitution=r"/\1")
        >>> rule.apply("/v1/books")
        '/books'
        """
        return self.pattern.pattern.sub(re.sub(r"\\(\d)", r"\\g<\1>", self.substitution), value)


class StringMatcher(Message):
    """One way to match a string."""

    proto = "envoy.type.matcher.v3.StringMatcher"
    exact: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    contains: str | None = None
    safe_regex: RegexMatcher | None = None
    ignore_case: bool = False

    def matches(self, value: str) -> bool:
        """Whether the value matches; ``ignore_case`` holds for all but regular expressions.

        Examples
        --------
        >>> StringMatcher(prefix="Bear", ignore_case=True).matches("bearer x")
        True
        """
        if self.safe_regex is not None:
            return self.safe_regex.matches(value)
        fold = str.lower if self.ignore_case else str
        value = fold(value)
        if self.exact is not None:
            return value == fold(self.exact)
        if self.prefix is not None:
            return value.startswith(fold(self.prefix))
        if self.suffix is not None:
            return value.endswith(fold(self.suffix))
        return self.contains is not None and fold(self.contains) in value


class Int64Range(Message):
    """Whole numbers from ``start`` up to, not including, ``end``."""

    proto = "envoy.type.v3.Int64Range"
    start: int = 0
    end: int = 0


class HeaderMatcher(Message):
    """A condition on one header."""

    proto = "envoy.config.route.v3.HeaderMatcher"
    name: str = ""
    exact_match: str | None = None
    safe_regex_match: RegexMatcher | None = None
    range_match: Int64Range | None = None
    present_match: bool | None = None
    prefix_match: str | None = None
    suffix_match: str | None = None
    contains_match: str | None = None
    string_match: StringMatcher | None = None
    invert_match: bool = False
    treat_missing_header_as_empty: bool = False

    @cached_property
    def string(self) -> StringMatcher | None:
        """The condition on the value, also when it is written in one of the old fields."""
        if self.string_match is not None:
            return self.string_match
        if self.safe_regex_match is not None:
            return StringMatcher(safe_regex=self.safe_regex_match)
        old = (self.exact_match, self.prefix_match, self.suffix_match, self.contains_match)
        if all(text is None for text in old):
            return None
        return StringMatcher(exact=old[0], prefix=old[1], suffix=old[2], contains=old[3])

    def matches(self, value: str | None) -> bool:
        """Whether the header's value matches.

        Parameters
        ----------
        value : str or None
            All values of the header joined by commas; None when there is no such header.
        """
        if value is None and self.treat_missing_header_as_empty:
            value = ""
        if self.present_match is not None:
            return ((value is not None) == self.present_match) != self.invert_match
        if self.string is None and self.range_match is None:
            return (value is not None) != self.invert_match
        if value is None:
            # Seen in Envoy 1.40: a header that is not there matches no condition on its value, inverted or not.
            return False
        return self._holds(value) != self.invert_match

    def _holds(self, value: str) -> bool:
        if self.string is not None:
            return self.string.matches(value)
        number = re.fullmatch(r"[+-]?\d{1,19}", value, re.ASCII)
        limits = self.range_match
        return number is not None and limits is not None and limits.start <= int(value) < limits.end


class QueryParameterMatcher(Message):
    """A condition on one query parameter."""

    proto = "envoy.config.route.v3.QueryParameterMatcher"
    name: str = ""
    string_match: StringMatcher | None = None
    present_match: bool | None = None

    def matches(self, value: str | None) -> bool:
        """Whether the parameter's first value (None: no such parameter) matches."""
        if self.present_match is not None:
            return (value is not None) == self.present_match
        if self.string_match is None or value is None:
            return value is not None
        return self.string_match.matches(value)
