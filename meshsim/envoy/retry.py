"""When a router tries again: the conditions of a retry policy, and how often is left.

A policy comes from the route, else from its virtual host; a filter can widen it by request headers, which end here.
Conditions and their reading were seen in Envoy 1.40 (``RetryStateImpl``), one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from random import Random

from meshsim.envoy.config.route import RetryPolicy
from meshsim.envoy.headers import HeaderMap, as_number

_CONFLICT = 409
_BACK_OFF_NS, _MAX_BACK_OFF_NS = 25_000_000, 250_000_000

_BY_STATUS: Mapping[str, Callable[[int], bool]] = {
    "5xx": lambda status: 500 <= status < 600,
    "gateway-error": lambda status: status in (502, 503, 504),
    "retriable-4xx": lambda status: status == _CONFLICT,
}
"""Conditions on the status alone."""

_BY_GRPC_STATUS: Mapping[str, int] = {
    "cancelled": 1,
    "deadline-exceeded": 4,
    "resource-exhausted": 8,
    "internal": 13,
    "unavailable": 14,
}

_ANY_RESET = frozenset(("5xx", "gateway-error", "reset"))
_BY_RESET: Mapping[str, frozenset[str]] = {
    "UF": _ANY_RESET | {"connect-failure", "reset-before-request"},
    "UC": _ANY_RESET,
    "UR": _ANY_RESET,
    "UPE": _ANY_RESET,
    "UT": _ANY_RESET,
}
"""Response flag of a failure to the conditions that take it; a failure that is not here is final."""

HTTP_CONDITIONS = frozenset(_BY_STATUS) | {
    "connect-failure",
    "envoy-ratelimited",
    "http3-post-connect-failure",
    "refused-stream",
    "reset",
    "reset-before-request",
    "retriable-headers",
    "retriable-status-codes",
}
GRPC_CONDITIONS = frozenset(_BY_GRPC_STATUS)

_CONSUMED = (
    b"x-envoy-retry-on x-envoy-retry-grpc-on x-envoy-max-retries x-envoy-hedge-on-per-try-timeout "
    b"x-envoy-retriable-header-names x-envoy-retriable-status-codes x-envoy-upstream-rq-per-try-timeout-ms"
).split()


def listed(text: str) -> list[str]:
    """Split a list with commas.

    Examples
    --------
    >>> listed(" 5xx, reset ,")
    ['5xx', 'reset', '']
    """
    return [item.strip() for item in text.split(",")]


@dataclass(slots=True)
class Retries:
    """What one request may still do; ``left`` counts down, ``made`` counts up."""

    conditions: frozenset[str]
    statuses: frozenset[int]
    header_names: frozenset[bytes]
    left: int
    made: int = 0

    @classmethod
    def of(cls, policy: RetryPolicy | None, headers: HeaderMap) -> Retries | None:
        """Join a policy and a request's headers, which are removed; None when nothing is ever retried."""
        asked = {name: (headers.get(name) or b"").decode("latin-1") for name in _CONSUMED}
        has_policy = policy is not None and bool(_known(policy.retry_on))
        wanted = b"x-envoy-retry-on" in headers or b"x-envoy-retry-grpc-on" in headers
        for name in _CONSUMED:
            headers.remove(name)
        if not has_policy and not wanted:
            return None
        policy = policy or RetryPolicy()
        conditions = _known(policy.retry_on, asked[b"x-envoy-retry-on"], asked[b"x-envoy-retry-grpc-on"])
        left = as_number(asked[b"x-envoy-max-retries"].encode("latin-1"))
        if left is None or not conditions:
            left = 1 if policy.num_retries is None else policy.num_retries
        statuses = map(as_number, (code.encode("latin-1") for code in listed(asked[b"x-envoy-retriable-status-codes"])))
        names = listed(asked[b"x-envoy-retriable-header-names"])
        return cls(
            conditions,
            frozenset(policy.retriable_status_codes) | {code for code in statuses if code is not None},
            frozenset(name.lower().encode("latin-1") for name in names if name),
            left,
        )

    def takes_answer(self, headers: HeaderMap) -> bool:
        """Whether the policy is for an answer like this."""
        if b"x-envoy-ratelimited" in headers:
            return "envoy-ratelimited" in self.conditions
        status = as_number(headers.get(b":status")) or 0
        grpc_status = as_number(headers.get(b"grpc-status"))
        return (
            any(test(status) for name, test in _BY_STATUS.items() if name in self.conditions)
            or ("retriable-status-codes" in self.conditions and status in self.statuses)
            or ("retriable-headers" in self.conditions and any(name in headers for name in self.header_names))
            or any(code == grpc_status for name, code in _BY_GRPC_STATUS.items() if name in self.conditions)
        )

    def takes_failure(self, flag: str) -> bool:
        """Whether the policy is for a failure with this response flag."""
        return bool(self.conditions & _BY_RESET.get(flag, frozenset()))

    def back_off_ns(self, random: Random) -> int:
        """How long the next try waits: a random part of a bound that doubles from try to try."""
        bound = min(_BACK_OFF_NS << (self.made - 1), _MAX_BACK_OFF_NS)
        return random.randrange(bound)


def _known(*texts: str) -> frozenset[str]:
    return frozenset(name for text in texts for name in listed(text)) & (HTTP_CONDITIONS | GRPC_CONDITIONS)


def unknown_conditions(text: str, known: Iterable[str]) -> bool:
    """Whether a list names a condition that there is not."""
    return any(name not in known for name in listed(text))
