"""How long a router waits for an answer: in all, and at each try.

The route's times hold unless a filter asks for others by request headers, which end here. Seen in Envoy 1.40
(``FilterUtility::finalTimeout``).
"""

from __future__ import annotations

from dataclasses import dataclass

from meshsim.envoy.config.route import RetryPolicy, RouteAction
from meshsim.envoy.headers import HeaderMap, as_number

_MS = 1_000_000
_DEFAULT_NS = 15_000_000_000
_EXPECTED = b"x-envoy-expected-rq-timeout-ms"
_TOTAL = b"x-envoy-upstream-rq-timeout-ms"
_PER_TRY = b"x-envoy-upstream-rq-per-try-timeout-ms"
_NO_CONTENT_WANTED = b"x-envoy-upstream-rq-timeout-alt-response"


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Times in ns, 0 for ever; ``status`` is what a client gets when they are over."""

    total_ns: int
    per_try_ns: int
    status: int = 504

    @classmethod
    def of(
        cls, action: RouteAction | None, policy: RetryPolicy | None, headers: HeaderMap, *, believe_expected: bool
    ) -> Timeouts:
        """Join a route's times and a request's headers, which are removed.

        ``believe_expected`` says that the previous Envoy's expectation counts more than anything.
        """
        total = action.timeout if action and action.timeout is not None else _DEFAULT_NS
        source = _EXPECTED if believe_expected and _EXPECTED in headers else _TOTAL
        asked = _milliseconds(headers, source)
        total = total if asked is None else asked
        if source is _TOTAL:
            headers.remove(_TOTAL)
        asked = _milliseconds(headers, _PER_TRY)
        per_try = (policy.per_try_timeout or 0) if policy and asked is None else asked or 0
        status = 204 if _NO_CONTENT_WANTED in headers else 504
        for name in (_PER_TRY, _NO_CONTENT_WANTED):
            headers.remove(name)
        return cls(total, 0 if 0 < total <= per_try else per_try, status)

    def tell(self, headers: HeaderMap, elapsed_ns: int = 0) -> None:
        """Tell the upstream how long it is waited for, ``elapsed_ns`` after the request was complete."""
        expected = self.per_try_ns or self.total_ns
        if expected and self.total_ns:
            expected = min(expected, max(self.total_ns - elapsed_ns, _MS))
        if expected:
            headers.put(_EXPECTED, b"%d" % (expected // _MS))


def _milliseconds(headers: HeaderMap, name: bytes) -> int | None:
    number = as_number(headers.get(name))
    return None if number is None else number * _MS
