"""Meshes without proxies are queues; theory knows what they do.

Every test holds a formula against the 99 % confidence interval over independent replications. Service takes a
millisecond on average, the network nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from meshsim.mesh import (
    Call,
    ClosedLoop,
    Constant,
    Erlang,
    Exponential,
    HyperExponential,
    Link,
    LogNormal,
    Mesh,
    Network,
    OpenLoop,
    Result,
    Retry,
    Service,
    Together,
    Topology,
    Traffic,
)
from meshsim.mesh.load import Load
from meshsim.mesh.times import Times
from meshsim.sim import Level, confidence_interval
from tests.mesh import theory

MS = 1_000_000
S = 0.001  # a millisecond, in theory's seconds
REPLICATIONS = 10

QUEUE = Service("queue", service_time=Exponential(MS), concurrency=1)


def mesh(*services: Service) -> Mesh:
    """Services without proxies, over a network that takes no time; the first is the entry."""
    return Mesh(Topology(services), proxies="none", network=Network(Link(Constant(0))))


def agree(
    expected: float,
    measure: Callable[[Result], float],
    queues: Mesh,
    load: Load,
    *,
    seconds: float,
    level: Level = Level.OFF,
    seed: int = 1,
    warmup: float = 0.5,
) -> None:
    """Assert that theory is inside the interval."""
    results = queues.replicate(
        load, replications=REPLICATIONS, seed=seed, seconds=seconds + warmup, warmup=warmup, level=level
    )
    interval = confidence_interval([measure(result) for result in results], level=0.99)
    assert expected in interval, f"theory says {expected:.6g}, the simulation {interval}"
    assert interval.half_width < 0.2 * expected, f"{interval} says nothing about {expected:.6g}"


def time_in(service: str) -> Callable[[Result], float]:
    """Mean time at a service, in seconds, as its callers see it."""
    return lambda result: result.histograms[service].mean / 1e9


def share_of(name: str) -> Callable[[Result], float]:
    """How often something was counted, by requests of the queue."""
    return lambda result: result.counters["queue"][name] / result.counters["queue"]["requests"]


@pytest.mark.parametrize("rate", [300, 800])
def test_m_m_1(rate: float) -> None:
    agree(theory.mm1(rate, S), time_in("queue"), mesh(QUEUE), OpenLoop(rate), seconds=4000 / rate)


@pytest.mark.parametrize("places", [2, 8])
def test_m_m_c(places: int) -> None:
    rate = 800 * places
    queue = replace(QUEUE, concurrency=places)
    agree(theory.mmc(rate, S, places), time_in("queue"), mesh(queue), OpenLoop(rate), seconds=6000 / rate)


#: Distributions of service times with a mean of a millisecond, and their squared coefficients of variation.
GENERAL: dict[str, tuple[Times, float]] = {
    "erlang": (Erlang(4, MS), 1 / 4),
    "hyperexponential": (HyperExponential(0.1, 5 * MS, 5 / 9 * MS), 2 * (0.1 * 25 + 0.9 * 25 / 81) - 1),
    "lognormal": (LogNormal(MS * 2.718281828459045 ** (-0.5 * 0.8**2), 0.8), 2.718281828459045 ** (0.8**2) - 1),
}


@pytest.mark.parametrize("name", GENERAL)
def test_m_g_1(name: str) -> None:
    times, variation = GENERAL[name]
    expected = theory.mg1(700, S, (1 + variation) * S**2)
    agree(expected, time_in("queue"), mesh(replace(QUEUE, service_time=times)), OpenLoop(700), seconds=8)


def test_m_d_1() -> None:
    queue = replace(QUEUE, service_time=Constant(MS))
    agree(theory.mg1(800, S, S**2), time_in("queue"), mesh(queue), OpenLoop(800), seconds=6)


def test_infinitely_many_places() -> None:
    queue = replace(QUEUE, concurrency=0)
    agree(
        2.5,
        lambda result: result.usage[0].busy_ns / result.usage[0].run_ns,
        mesh(queue),
        OpenLoop(2500),
        seconds=2,
        warmup=0,
    )


def test_tandem_queues() -> None:
    """Burke: what leaves M/M/1 is Poisson again."""
    second = Service("second", service_time=Exponential(MS / 2), concurrency=1)
    queues = mesh(replace(QUEUE, script=(Call("second"),)), second)
    expected = theory.mm1(700, S) + theory.mm1(700, S / 2)
    agree(expected, time_in("queue"), queues, OpenLoop(700), seconds=6)


def test_fork_and_join() -> None:
    front = Service("front", script=(Together((Call("left"), Call("right"))),))
    sides = [replace(QUEUE, name=name) for name in ("left", "right")]
    agree(theory.fork_join_two(600, S), time_in("front"), mesh(front, *sides), OpenLoop(600), seconds=5)


@pytest.mark.parametrize("times", [Exponential(MS), Constant(MS)], ids=["exponential", "constant"])
def test_erlang_b(times: Times) -> None:
    """Loss does not depend on how service times are distributed."""
    queue = replace(QUEUE, concurrency=4, queue=0, service_time=times)
    agree(theory.erlang_b(3, 4), share_of("errors"), mesh(queue), OpenLoop(3000), seconds=2)


def test_erlang_c() -> None:
    def waited(result: Result) -> float:
        rows = [row for row in result.hops if row.service == "queue" and row.warm]
        return sum(row.queue_ns > 0 for row in rows) / len(rows)

    queue = replace(QUEUE, concurrency=4)
    agree(theory.erlang_c(3, 4), waited, mesh(queue), OpenLoop(3000), seconds=1.5, level=Level.REQUESTS)


def test_a_queue_with_little_room() -> None:
    queue = replace(QUEUE, queue=3)
    agree(theory.mm1k_lost(900, S, 4), share_of("errors"), mesh(queue), OpenLoop(900), seconds=5)


@pytest.mark.parametrize("name", ["constant", "hyperexponential"])
def test_processor_sharing(name: str) -> None:
    """The mean does not depend on how service times are distributed."""
    times = GENERAL[name][0] if name in GENERAL else Constant(MS)
    queue = replace(QUEUE, discipline="ps", service_time=times)
    agree(theory.mm1(700, S), time_in("queue"), mesh(queue), OpenLoop(700), seconds=8)


@pytest.mark.parametrize("users", [2, 12])
def test_closed_network(users: int) -> None:
    second = Service("second", service_time=Exponential(MS / 2), concurrency=1)
    queues = mesh(replace(QUEUE, script=(Call("second"),)), second)
    think = 4 * S
    expected = theory.mva(users, think, [S, S / 2])
    agree(
        expected,
        lambda result: result.histograms["client"].count / (result.window_ns / 1e9),
        queues,
        ClosedLoop(users, Exponential(4 * MS)),
        seconds=4,
    )


@pytest.mark.parametrize("retries", [1, 3])
def test_retry_amplification(retries: int) -> None:
    back = Service("queue", error_rate=0.4, traffic=Traffic(retry=Retry("5xx", retries)))
    front = Service("front", script=(Call("queue"),))
    agree(theory.tries(0.4, retries), share_of("tries"), mesh(front, back), OpenLoop(1000), seconds=3)


def test_two_choices_against_one() -> None:
    """With the shorter of two queues, time hardly grows; by lot, each pod is M/M/1."""
    rate, pods = 0.7 * 100 / S, 100
    for policy, expected in (("RANDOM", theory.mm1(700, S)), ("LEAST_REQUEST", S * theory.two_choices(0.7))):
        choice: Any = policy
        queue = replace(QUEUE, replicas=pods, traffic=Traffic(policy=choice))
        agree(expected, time_in("queue"), mesh(queue), OpenLoop(rate), seconds=0.03, warmup=0.02)


def test_bursts() -> None:
    agree(theory.batches(600, S, 3), time_in("queue"), mesh(QUEUE), OpenLoop(600, burst=3), seconds=8)


def test_utilisation() -> None:
    agree(0.65, lambda result: result.usage[0].share, mesh(QUEUE), OpenLoop(650), seconds=5, warmup=0)


def test_coordinated_omission() -> None:
    """A client with one connection cannot send in time: from when it was due, it sees M/D/1; from sending, no queue."""
    queue = replace(QUEUE, service_time=Constant(MS))
    load = OpenLoop(800, connections=1)
    agree(theory.mg1(800, S, S**2), time_in("client"), mesh(queue), load, seconds=6)
    sent = mesh(queue).run(load, seconds=1, seed=1, level=Level.OFF).histograms["queue"]
    assert (sent.least, sent.greatest) == (MS, MS)
