"""Conditions on a stream, which decide what is logged and which local replies are given another form."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

from meshsim.envoy.attributes import Subject
from meshsim.envoy.config.access_log import AccessLogFilter
from meshsim.envoy.routing import header_matches

_COMPARE: Mapping[str, Callable[[int, int], bool]] = {
    "EQ": operator.eq,
    "GE": operator.ge,
    "LE": operator.le,
    "NE": operator.ne,
}


def holds(condition: AccessLogFilter, stream: Subject) -> bool:
    """Whether a condition holds for a stream; its status is the one that the stream has so far, or 0."""
    if condition.status_code_filter is not None:
        comparison = condition.status_code_filter.comparison
        return _COMPARE[comparison.op](stream.info.code or 0, comparison.value.default_value)
    if condition.header_filter is not None:
        return header_matches(condition.header_filter.header, stream.request_headers)
    if condition.response_flag_filter is not None:
        wanted = condition.response_flag_filter.flags
        return any(not wanted or flag in wanted for flag in stream.info.flags)
    if condition.and_filter is not None:
        return all(holds(part, stream) for part in condition.and_filter.filters)
    if condition.or_filter is not None:
        return any(holds(part, stream) for part in condition.or_filter.filters)
    return True
