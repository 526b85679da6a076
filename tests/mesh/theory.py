"""What queueing theory says, in seconds; formulas from Kleinrock, Queueing Systems, volume 1 (1975), unless noted."""

from __future__ import annotations

from collections.abc import Sequence
from math import factorial


def erlang_b(offered: float, places: int) -> float:
    """Share of Poisson arrivals that find all places taken, without a queue."""
    terms = [offered**k / factorial(k) for k in range(places + 1)]
    return terms[-1] / sum(terms)


def erlang_c(offered: float, places: int) -> float:
    """Share of Poisson arrivals that have to wait, with a queue and exponential service."""
    blocked = erlang_b(offered, places)
    return blocked / (1 - offered / places * (1 - blocked))


def mm1(rate: float, service: float) -> float:
    """Mean time in M/M/1; of M/G/1 with processor sharing as well."""
    return service / (1 - rate * service)


def mmc(rate: float, service: float, places: int) -> float:
    """Mean time in M/M/c."""
    return service + erlang_c(rate * service, places) * service / (places - rate * service)


def mg1(rate: float, service: float, second_moment: float) -> float:
    """Mean time in M/G/1 (Pollaczek and Khinchine)."""
    return service + rate * second_moment / (2 * (1 - rate * service))


def mm1k_lost(rate: float, service: float, room: int) -> float:
    """Share of arrivals that find ``room`` requests in M/M/1 and are lost."""
    load = rate * service
    return (1 - load) * load**room / (1 - load ** (room + 1))


def mva(users: int, think: float, demands: Sequence[float]) -> float:
    """Throughput of a closed network of single exponential servers (mean value analysis, Reiser and Lavenberg 1980)."""
    queues = [0.0] * len(demands)
    throughput = 0.0
    for n in range(1, users + 1):
        times = [demand * (1 + queue) for demand, queue in zip(demands, queues, strict=True)]
        throughput = n / (think + sum(times))
        queues = [throughput * time for time in times]
    return throughput


def fork_join_two(rate: float, service: float) -> float:
    """Mean time until both of two M/M/1 queues, fed by the same arrivals, are through (Nelson and Tantawi 1988)."""
    return (12 - rate * service) / 8 * mm1(rate, service)


def two_choices(load: float) -> float:
    """Mean time, in units of service, at the shorter of two queues drawn from many (Mitzenmacher 2001)."""
    return sum(load ** (2**k - 2) for k in range(1, 12))


def batches(rate: float, service: float, size: int) -> float:
    """Mean time in M/M/1 where requests come in batches of ``size``; ``rate`` is of requests."""
    return service * (size + 1) / (2 * (1 - rate * service))


def tries(failing: float, retries: int) -> float:
    """Mean number of tries when each fails with the same chance."""
    return (1 - failing ** (retries + 1)) / (1 - failing)
