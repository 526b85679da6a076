from __future__ import annotations

import pytest

from meshsim.envoy.config.route import RetryPolicy, RouteAction
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.timeouts import Timeouts

MS = 1_000_000
TOTAL, PER_TRY = b"x-envoy-upstream-rq-timeout-ms", b"x-envoy-upstream-rq-per-try-timeout-ms"
EXPECTED = b"x-envoy-expected-rq-timeout-ms"


def timeouts(
    headers: HeaderMap, total_ms: int | None = None, per_try_ms: int | None = None, *, believe: bool = False
) -> Timeouts:
    action = RouteAction(timeout=None if total_ms is None else total_ms * MS)
    policy = RetryPolicy(per_try_timeout=None if per_try_ms is None else per_try_ms * MS)
    return Timeouts.of(action, policy, headers, believe_expected=believe)


def request(*pairs: tuple[bytes, bytes]) -> HeaderMap:
    return HeaderMap(pairs, Kind.REQUEST)


@pytest.mark.parametrize(
    ("total_ms", "per_try_ms", "result"),
    [
        (None, None, (15_000, 0)),
        (200, None, (200, 0)),
        (200, 100, (200, 100)),
        (200, 200, (200, 0)),
        (0, 100, (0, 100)),
        (0, None, (0, 0)),
    ],
)
def test_what_a_route_says(total_ms: int | None, per_try_ms: int | None, result: tuple[int, int]) -> None:
    found = timeouts(request(), total_ms, per_try_ms)
    assert (found.total_ns // MS, found.per_try_ns // MS, found.status) == (*result, 504)


def test_what_a_filter_asks_for_counts_more_and_ends_here() -> None:
    headers = request((TOTAL, b"70"), (PER_TRY, b"30"), (b"x-envoy-upstream-rq-timeout-alt-response", b"1"))
    assert timeouts(headers, 200, 100) == Timeouts(70 * MS, 30 * MS, 204)
    assert len(headers) == 0


def test_what_is_no_number_is_passed_over() -> None:
    headers = request((TOTAL, b"soon"), (PER_TRY, b"-1"))
    assert timeouts(headers, 200, 100) == Timeouts(200 * MS, 100 * MS)
    assert len(headers) == 0


def test_an_expectation_counts_only_where_it_is_believed() -> None:
    headers = request((EXPECTED, b"50"), (TOTAL, b"70"))
    assert timeouts(headers.copy(), 200).total_ns == 70 * MS
    assert timeouts(headers, 200, believe=True).total_ns == 50 * MS
    assert TOTAL in headers


@pytest.mark.parametrize(
    ("total_ms", "per_try_ms", "elapsed_ms", "told"),
    [
        (200, 0, 0, b"200"),
        (200, 50, 0, b"50"),
        (200, 50, 170, b"30"),
        (200, 0, 500, b"1"),
        (0, 0, 5, None),
        (0, 40, 90, b"40"),
    ],
)
def test_what_the_upstream_is_told(total_ms: int, per_try_ms: int, elapsed_ms: int, told: bytes | None) -> None:
    headers = request()
    Timeouts(total_ms * MS, per_try_ms * MS).tell(headers, elapsed_ms * MS)
    assert headers.get(EXPECTED) == told
