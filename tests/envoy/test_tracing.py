"""Tracing: what is decided and told, without an Envoy; the cases ``trace-*`` compare with the real one."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.envoy.config.route import Route, RouteTracing
from meshsim.envoy.config.share import FractionalPercent
from meshsim.envoy.config.tracing import Percent, Tracing, ZipkinConfig
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.envoy.tracing.decision import Reason, Sampling, Share, decide
from meshsim.envoy.tracing.opentelemetry import OpenTelemetryTracer
from meshsim.envoy.tracing.span import NULL_SPAN
from meshsim.envoy.tracing.zipkin import ZipkinTracer

REQUEST_ID = b"0af76519-16cd-43dd-8448-eb211c80319c"
TRACE, SPAN = "463ac35c9f6413ad48485a3953bb6124", "a2fb4a1d1a96d312"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()
ALL, NOTHING = Share(), Share(0)


def request(*pairs: tuple[bytes, bytes]) -> HeaderMap:
    return HeaderMap(pairs, Kind.REQUEST)


@pytest.mark.parametrize(
    ("given_share", "number", "taken"),
    [
        (None, 9_999, True),
        (Percent(value=50), 4_999, True),
        (Percent(value=50), 5_000, False),
        (Percent(value=0.01), 0, True),
        (Percent(value=0.01), 1, False),
        (FractionalPercent(numerator=1), 100, True),
        (FractionalPercent(numerator=1), 101, False),
        (FractionalPercent(), 0, False),
    ],
)
def test_shares(given_share: Percent | FractionalPercent | None, number: int, taken: bool) -> None:
    assert Share.of(given_share).takes(number) is taken


def test_a_route_replaces_all_shares() -> None:
    config = Tracing(random_sampling=Percent(value=0), client_sampling=Percent(value=0))
    route = Route(tracing=RouteTracing(overall_sampling=FractionalPercent(numerator=5)))
    assert Sampling.of(config, None) == Sampling(Share(0), Share(0), ALL)
    assert Sampling.of(config, route) == Sampling(ALL, ALL, Share(5, 100))


@pytest.mark.parametrize(
    ("request_id", "more", "sampling", "reason"),
    [
        (REQUEST_ID, (), Sampling(ALL, ALL, ALL), Reason.SAMPLED),
        (REQUEST_ID, (), Sampling(ALL, NOTHING, ALL), Reason.NONE),
        (REQUEST_ID, (), Sampling(ALL, ALL, NOTHING), Reason.NONE),
        (REQUEST_ID, ((b"x-client-trace-id", b"1"),), Sampling(ALL, NOTHING, ALL), Reason.CLIENT),
        (REQUEST_ID, ((b"x-client-trace-id", b"1"),), Sampling(NOTHING, NOTHING, ALL), Reason.NONE),
        (REQUEST_ID, ((b"x-envoy-force-trace", b"1"),), Sampling(ALL, NOTHING, ALL), Reason.FORCED),
        (REQUEST_ID.replace(b"-4", b"-9"), (), Sampling(ALL, NOTHING, ALL), Reason.SAMPLED),
        (REQUEST_ID.replace(b"-4", b"-9"), (), Sampling(ALL, NOTHING, NOTHING), Reason.NONE),
        (b"no hexadecimal", (), Sampling(ALL, ALL, ALL), Reason.NONE),
        (b"", (), Sampling(ALL, ALL, ALL), Reason.NONE),
        (b"0af", (), Sampling(ALL, ALL, ALL), Reason.SAMPLED),
    ],
)
def test_decisions_are_marked_in_the_id(
    request_id: bytes, more: tuple[tuple[bytes, bytes], ...], sampling: Sampling, reason: Reason
) -> None:
    headers = request((b"x-request-id", request_id), *more)
    assert decide(headers, sampling, Random(0)) is reason
    marked = headers.get(b"x-request-id") or b""
    whole = len(request_id) == 36
    assert marked == (request_id[:14] + reason.value + request_id[15:] if whole else request_id)


@given(st.binary(max_size=60), st.booleans())
def test_no_id_is_too_strange_to_decide(request_id: bytes, traced: bool) -> None:
    headers = request((b"x-request-id", request_id))
    decide(headers, Sampling(ALL, ALL if traced else NOTHING, ALL), Random(0))
    assert len(headers.get(b"x-request-id") or b"") == len(request_id)


def told(tracer: ZipkinTracer | OpenTelemetryTracer, headers: HeaderMap, *, traced: bool = True) -> dict[str, str]:
    """Headers that an upstream gets, of those that a tracer makes."""
    tracer.start(headers, traced).inject(headers)
    return {key.decode(): value.decode() for key, value in headers.pairs()}


def test_zipkin_begins_a_trace() -> None:
    short = told(ZipkinTracer(ZipkinConfig(), True, Random(1)), request())
    assert short["x-b3-traceid"] == short["x-b3-spanid"]
    assert (len(short["x-b3-spanid"]), short["x-b3-sampled"], "x-b3-parentspanid" in short) == (16, "1", False)
    long = told(ZipkinTracer(ZipkinConfig(trace_id_128bit=True), True, Random(1)), request(), traced=False)
    assert long["x-b3-traceid"].endswith(long["x-b3-spanid"])
    assert (len(long["x-b3-traceid"]), long["x-b3-sampled"]) == (32, "0")


def test_a_server_of_zipkins_joins_its_clients_span_and_a_client_begins_its_own() -> None:
    pairs = (b"x-b3-traceid", TRACE.encode()), (b"x-b3-spanid", SPAN.encode()), (b"x-b3-sampled", b"0")
    joined = told(ZipkinTracer(ZipkinConfig(), True, Random(1)), request(*pairs))
    assert (joined["x-b3-spanid"], joined["x-b3-sampled"]) == (SPAN, "0")
    own = told(ZipkinTracer(ZipkinConfig(), False, Random(1)), request(*pairs))
    assert (own["x-b3-traceid"], own["x-b3-parentspanid"]) == (TRACE, SPAN)
    assert own["x-b3-spanid"] != SPAN


@pytest.mark.parametrize("one", ["junk", f"{TRACE}-{SPAN}-2", f"{TRACE}-short", ""])
def test_what_zipkin_cannot_read_is_passed_on(one: str) -> None:
    headers = request((b"b3", one.encode()))
    assert ZipkinTracer(ZipkinConfig(), True, Random(1)).start(headers, True) is NULL_SPAN
    assert told(ZipkinTracer(ZipkinConfig(), True, Random(1)), headers) == {"b3": one}


def test_opentelemetry_keeps_the_trace_and_makes_a_span() -> None:
    headers = request((b"traceparent", PARENT), (b"tracestate", b"a=b"), (b"tracestate", b"c=d"))
    got = told(OpenTelemetryTracer(Random(1)), headers)
    assert got["traceparent"].startswith(f"00-{TRACE}-")
    assert got["traceparent"].endswith("-01")
    assert SPAN not in got["traceparent"]
    assert got["tracestate"] == "a=b,c=d"
    assert (
        told(OpenTelemetryTracer(Random(1)), request((b"traceparent", PARENT)), traced=False)["traceparent"][-2:]
        == "00"
    )


@given(st.binary(max_size=70).map(lambda data: data.replace(b"\n", b"")))
def test_no_traceparent_breaks_a_tracer(value: bytes) -> None:
    for tracer in (
        OpenTelemetryTracer(Random(1)),
        ZipkinTracer(ZipkinConfig(trace_context_option="USE_B3_WITH_W3C_PROPAGATION"), False, Random(1)),
    ):
        tracer.start(request((b"traceparent", value), (b"b3", value)), True).inject(request())
