"""Latency under load: the queue is the one that the simulated Envoy is."""

from __future__ import annotations

from itertools import pairwise

import pytest

import meshsim as ms
from meshsim.sim import Histogram, Streams
from meshsim.widgets._overhead_queue import LOADS, Latency, serve

COUNT, CONNECTIONS, WORKERS = 1_200, 16, 2
_DIRECT = """
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{match: {prefix: /}, direct_response: {status: 200}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
"""


@pytest.mark.parametrize("pause_ns", [300_000, 60_000])
def test_it_agrees_with_the_simulated_envoy(pause_ns: int) -> None:
    """Connections are dealt to workers in turn, as an Envoy does it where nothing else is asked for."""
    envoy = ms.Envoy.from_yaml(_DIRECT, concurrency=WORKERS, level=ms.Level.OFF)
    draws = [Streams(7).stream(f"user {user}") for user in range(CONNECTIONS)]
    driven = envoy.drive(
        ms.Request(),
        count=COUNT,
        connections=CONNECTIONS,
        pause_ns=lambda user: round(draws[user].expovariate(1.0) * pause_ns),
    )
    again = [Streams(7).stream(f"user {user}") for user in range(CONNECTIONS)]
    took = Histogram()
    for worker in range(WORKERS):
        users = [
            lambda draw=again[user]: round(draw.expovariate(1.0) * pause_ns)
            for user in range(worker, CONNECTIONS, WORKERS)
        ]
        for ns in serve(envoy.process.costs.request_ns, users, COUNT // WORKERS):
            took.add(round(ns))
    for part in (0.5, 0.9, 0.99):
        assert took.quantile(part) == pytest.approx(driven.latency.quantile(part), rel=0.1)


def test_a_single_connection_never_waits() -> None:
    latency = Latency(20_000, workers=1, connections=1)
    latency.replicate(200)
    assert {tail.p99.mean for tail in latency.tails()} == {20_000 + 2 * 20_000}


def test_the_busier_the_longer() -> None:
    latency = Latency(20_000, workers=2, connections=128)
    latency.replicate(5_000)
    p99 = [tail.p99.mean for tail in latency.tails()]
    assert all(less <= more for less, more in pairwise(p99))
    assert [tail.load for tail in latency.tails()] == list(LOADS)


def test_a_load_is_a_part_of_what_the_workers_can_do() -> None:
    assert Latency(20_000, workers=2, connections=8).rate(0.5) == 50_000


def test_the_same_numbers_are_drawn_for_every_setup() -> None:
    """Time is the only thing that differs: twice the service and all pauses, twice the latency, but for the wire."""
    one, other = Latency(20_000, 2, 64), Latency(20_000, 2, 64)
    one.replicate(500)
    other.replicate(500)
    assert [tail.p99.mean for tail in one.tails()] == [tail.p99.mean for tail in other.tails()]
    one.replicate(500)
    assert one.tails()[-1].p99.half_width > 0


def test_more_replications_make_the_interval_narrower() -> None:
    latency = Latency(20_000, workers=2, connections=64)
    widths = []
    for replications in (3, 12):
        while latency.replications < replications:
            latency.replicate(500)
        widths.append(latency.tails()[2].p99.half_width)
    assert widths[1] < widths[0]
