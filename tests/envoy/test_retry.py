from __future__ import annotations

from random import Random

import pytest

from meshsim.envoy.config.route import RetryPolicy
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.retry import GRPC_CONDITIONS, HTTP_CONDITIONS, Retries, unknown_conditions


def asked(**headers: str) -> HeaderMap:
    return HeaderMap(
        [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()], Kind.REQUEST
    )


def answer(status: int, **headers: str) -> HeaderMap:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return HeaderMap([(b":status", b"%d" % status), *pairs], Kind.RESPONSE)


def retries(conditions: str, **options: object) -> Retries:
    found = Retries.of(RetryPolicy.model_validate({"retry_on": conditions, **options}), HeaderMap(kind=Kind.REQUEST))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("conditions", "taken"),
    [
        ("5xx", {500, 501, 502, 503, 504, 599}),
        ("gateway-error", {502, 503, 504}),
        ("retriable-4xx", {409}),
        (" gateway-error ,nonsense, retriable-4xx", {409, 502, 503, 504}),
        ("connect-failure,reset", set()),
    ],
)
def test_answers_that_are_not_good_enough(conditions: str, taken: set[int]) -> None:
    policy = retries(conditions)
    assert {status for status in range(200, 600) if policy.takes_answer(answer(status))} & {
        *(200, 404, 409, 429, 500, 501, 502, 503, 504, 599)
    } == taken


def test_answers_named_by_status_header_or_grpc_status() -> None:
    assert retries("retriable-status-codes", retriable_status_codes=(404,)).takes_answer(answer(404))
    assert not retries("5xx", retriable_status_codes=(404,)).takes_answer(answer(404))
    assert retries("unavailable").takes_answer(answer(200, grpc_status="14"))
    assert not retries("unavailable").takes_answer(answer(200, grpc_status="13"))
    by_header = Retries.of(
        None, asked(x_envoy_retry_on="retriable-headers", x_envoy_retriable_header_names="x-no, X-Again")
    )
    assert by_header is not None
    assert by_header.takes_answer(answer(200, x_again="1"))
    assert not by_header.takes_answer(answer(200, x_other="1"))


def test_a_rate_limited_answer_needs_its_own_condition() -> None:
    assert not retries("5xx").takes_answer(answer(503, x_envoy_ratelimited="true"))
    assert retries("envoy-ratelimited").takes_answer(answer(429, x_envoy_ratelimited="true"))


@pytest.mark.parametrize(
    ("condition", "flags"),
    [
        ("5xx", {"UF", "UC", "UR", "UPE", "UT"}),
        ("gateway-error", {"UF", "UC", "UR", "UPE", "UT"}),
        ("reset", {"UF", "UC", "UR", "UPE", "UT"}),
        ("connect-failure", {"UF"}),
        ("reset-before-request", {"UF"}),
        ("refused-stream", set()),
        ("retriable-4xx", set()),
    ],
)
def test_failures_that_are_tried_again(condition: str, flags: set[str]) -> None:
    policy = retries(condition)
    assert {flag for flag in ("UF", "UC", "UR", "UPE", "UT", "UH", "DPE") if policy.takes_failure(flag)} == flags


@pytest.mark.parametrize(
    ("policy", "headers", "left"),
    [
        (RetryPolicy(retry_on="5xx"), {}, 1),
        (RetryPolicy(retry_on="5xx", num_retries=0), {}, 0),
        (RetryPolicy(retry_on="5xx", num_retries=3), {"x_envoy_max_retries": "2"}, 2),
        (RetryPolicy(retry_on="5xx", num_retries=3), {"x_envoy_max_retries": "two"}, 3),
        (None, {"x_envoy_retry_on": "5xx"}, 1),
        (None, {"x_envoy_retry_grpc_on": "cancelled", "x_envoy_max_retries": "0"}, 0),
    ],
)
def test_how_often(policy: RetryPolicy | None, headers: dict[str, str], left: int) -> None:
    request = asked(**headers)
    found = Retries.of(policy, request)
    assert found is not None
    assert found.left == left
    assert len(request) == 0


def test_without_a_wish_there_is_no_retry_and_the_headers_go_all_the_same() -> None:
    request = asked(x_envoy_max_retries="3", x_mine="1")
    assert Retries.of(None, request) is None
    assert Retries.of(RetryPolicy(), request) is None
    assert request.pairs() == [(b"x-mine", b"1")]


def test_the_back_off_doubles_up_to_a_bound() -> None:
    policy = retries("5xx")
    bounds = []
    for made in range(1, 8):
        policy.made = made
        bounds.append(max(policy.back_off_ns(Random(seed)) for seed in range(300)) / 1e6)
    assert [bound <= limit for bound, limit in zip(bounds, (25, 50, 100, 200, 250, 250, 250), strict=True)] == [
        True
    ] * 7
    assert bounds[4] > 200


def test_unknown_conditions_are_told_from_known_ones() -> None:
    assert not unknown_conditions("5xx, reset", HTTP_CONDITIONS)
    assert unknown_conditions("5xx,bogus", HTTP_CONDITIONS)
    assert unknown_conditions("5xx", GRPC_CONDITIONS)
