"""The kernel, the streams and the measures together, against queueing theory.

Mean wait of an M/M/c queue by Erlang's C formula; with c = 1 it is rho / (mu - lambda) (Kleinrock, Queueing Systems
I, 3.2 and 3.5). The tolerance is the confidence interval of the replications, and the seed is fixed.
"""

from __future__ import annotations

from collections import deque
from math import factorial, log

import pytest

from meshsim.sim import Histogram, Kernel, Streams, TimeAverage, confidence_interval

SERVICE_NS = 1_000_000
CUSTOMERS, WARM_UP, REPLICATIONS = 6_000, 1_000, 20


def mean_wait_ns(servers: int, utilisation: float) -> float:
    """Give the mean time in the queue of M/M/c by Erlang's C formula."""
    offered = servers * utilisation
    all_busy = offered**servers / factorial(servers) / (1 - utilisation)
    waits = all_busy / (sum(offered**k / factorial(k) for k in range(servers)) + all_busy)
    return waits * SERVICE_NS / (servers * (1 - utilisation))


class Queue:
    """Customers who come by chance, wait in one line, and are served by ``servers``."""

    def __init__(self, streams: Streams, servers: int, utilisation: float) -> None:
        self.kernel = Kernel()
        self.waits_ns: list[int] = []
        self.length = TimeAverage()
        self._line: deque[int] = deque()
        self._free = servers
        self._gaps_ns = streams.exponential_ns("arrivals", SERVICE_NS / (servers * utilisation))
        self._services_ns = streams.exponential_ns("services", SERVICE_NS)

    def run(self, customers: int) -> None:
        self.kernel.after(next(self._gaps_ns), self._arrive, customers)
        self.kernel.run()

    def _arrive(self, to_come: int) -> None:
        if to_come > 1:
            self.kernel.after(next(self._gaps_ns), self._arrive, to_come - 1)
        self._line.append(self.kernel.now_ns)
        self._serve()

    def _leave(self, _: None) -> None:
        self._free += 1
        self._serve()

    def _serve(self) -> None:
        if self._line and self._free:
            self._free -= 1
            self.waits_ns.append(self.kernel.now_ns - self._line.popleft())
            self.kernel.after(next(self._services_ns), self._leave)
        self.length.set(self.kernel.now_ns, len(self._line))


def simulate(seed: int, servers: int, utilisation: float, customers: int = CUSTOMERS) -> Queue:
    queue = Queue(Streams(seed), servers, utilisation)
    queue.run(customers)
    return queue


@pytest.mark.parametrize(
    ("servers", "utilisation", "expected_ns"), [(1, 0.5, 1_000_000), (1, 0.8, 4_000_000), (4, 0.8, 745_541)]
)
def test_mean_wait(servers: int, utilisation: float, expected_ns: int) -> None:
    assert mean_wait_ns(servers, utilisation) == pytest.approx(expected_ns, abs=1)
    waits_ns = (simulate(seed, servers, utilisation).waits_ns[WARM_UP:] for seed in range(REPLICATIONS))
    interval = confidence_interval((sum(waits) / len(waits) for waits in waits_ns), level=0.99)
    assert expected_ns in interval
    assert interval.half_width < 0.2 * expected_ns  # an interval that held everything would prove nothing


def test_the_tail_of_the_wait() -> None:
    # In M/M/1 a wait is beyond t with probability rho * exp(-(mu - lambda) t), so the q-quantile has a closed form.
    utilisation, q = 0.5, 0.99
    tails = []
    for seed in range(REPLICATIONS):
        histogram = Histogram()
        for wait_ns in simulate(seed, 1, utilisation).waits_ns[WARM_UP:]:
            histogram.add(wait_ns)
        tails.append(histogram.quantile(q))
    assert log(utilisation / (1 - q)) / (1 - utilisation) * SERVICE_NS in confidence_interval(tails, level=0.99)


def test_littles_law_holds_exactly() -> None:
    # The area under the length of the line is the sum of all waits, to the nanosecond, when it ends empty.
    queue = simulate(1, 4, 0.8)
    area_ns = queue.length.mean(queue.kernel.now_ns) * queue.kernel.now_ns
    assert sum(queue.waits_ns) > 0
    assert round(area_ns) == sum(queue.waits_ns)


def test_the_same_seed_is_the_same_run() -> None:
    assert simulate(3, 4, 0.8, 500).waits_ns == simulate(3, 4, 0.8, 500).waits_ns
    assert simulate(3, 4, 0.8, 500).waits_ns != simulate(4, 4, 0.8, 500).waits_ns
