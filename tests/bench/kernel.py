"""The event kernel on M/M/4 at a utilisation of 0.8, against loops without a kernel, SimPy's processes and Ciw.

All serve the same customers, with variates drawn beforehand, and must agree on the total wait to the nanosecond. Time
is the processor's: all is one thread's work, and what other programs take meanwhile is none of it. Turns are short and
many, so that what the machine does besides (caches, clock rates) meets both sides of a ratio alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from functools import cache, partial
from heapq import heappop, heappush
from itertools import islice
from time import process_time
from typing import Any

import ciw
import simpy

from meshsim.sim import Kernel, Streams
from tests.bench.figures import Outcome, Race, Work, agree, figure, race

SERVERS = 4
CUSTOMERS = 20_000
SERVICE_NS = 1_000_000
EVENTS = 2 * CUSTOMERS
NEVER_NS = 1 << 60

#: The loops take as long as the kernel, so that small differences count; the libraries take many times as long.
LOOP_ROUNDS, LIBRARY_ROUNDS = 81, 7

Model = Callable[[list[int], list[int]], int]


def inlined_loop(gaps_ns: list[int], services_ns: list[int]) -> int:
    """Serve all in one loop with the model written into it: the least that a heap can cost."""
    line: deque[tuple[int, int]] = deque()
    heap = [(gaps_ns[0], 0, False, 0)]
    seq = busy = wait_ns = 0
    while heap:
        now_ns, _, leaves, customer = heappop(heap)
        if leaves:
            if line:
                since_ns, customer = line.popleft()
                wait_ns += now_ns - since_ns
                seq += 1
                heappush(heap, (now_ns + services_ns[customer], seq, True, customer))
            else:
                busy -= 1
            continue
        if customer + 1 < len(gaps_ns):
            seq += 1
            heappush(heap, (now_ns + gaps_ns[customer + 1], seq, False, customer + 1))
        if busy < SERVERS:
            busy += 1
            seq += 1
            heappush(heap, (now_ns + services_ns[customer], seq, True, customer))
        else:
            line.append((now_ns, customer))
    return wait_ns


def callback_loop(gaps_ns: list[int], services_ns: list[int]) -> int:
    """Serve all by callbacks that push onto a heap by themselves: a kernel's job without a kernel."""
    line: deque[tuple[int, int]] = deque()
    heap: list[tuple[int, int, Callable[[int], None], int]] = []
    now_ns = seq = busy = wait_ns = 0

    def leave(_: int) -> None:
        nonlocal busy, seq, wait_ns
        if line:
            since_ns, customer = line.popleft()
            wait_ns += now_ns - since_ns
            seq += 1
            heappush(heap, (now_ns + services_ns[customer], seq, leave, customer))
        else:
            busy -= 1

    def arrive(customer: int) -> None:
        nonlocal busy, seq
        if customer + 1 < len(gaps_ns):
            seq += 1
            heappush(heap, (now_ns + gaps_ns[customer + 1], seq, arrive, customer + 1))
        if busy < SERVERS:
            busy += 1
            seq += 1
            heappush(heap, (now_ns + services_ns[customer], seq, leave, customer))
        else:
            line.append((now_ns, customer))

    heappush(heap, (gaps_ns[0], seq, arrive, 0))
    while heap:
        now_ns, _, fn, arg = heappop(heap)
        fn(arg)
    return wait_ns


def kernel(gaps_ns: list[int], services_ns: list[int]) -> int:
    """Serve all by callbacks on meshsim's kernel."""
    line: deque[tuple[int, int]] = deque()
    kernel = Kernel()
    after = kernel.after
    busy = wait_ns = 0

    def leave(_: int) -> None:
        nonlocal busy, wait_ns
        if line:
            since_ns, customer = line.popleft()
            wait_ns += kernel.now_ns - since_ns
            after(services_ns[customer], leave, customer)
        else:
            busy -= 1

    def arrive(customer: int) -> None:
        nonlocal busy
        if customer + 1 < len(gaps_ns):
            after(gaps_ns[customer + 1], arrive, customer + 1)
        if busy < SERVERS:
            busy += 1
            after(services_ns[customer], leave, customer)
        else:
            line.append((kernel.now_ns, customer))

    after(gaps_ns[0], arrive, 0)
    kernel.run()
    return wait_ns


def simpy_processes(gaps_ns: list[int], services_ns: list[int]) -> int:
    """Serve all as SimPy's documentation does: a process a customer, and a Resource."""
    env = simpy.Environment(initial_time=0)
    servers = simpy.Resource(env, SERVERS)
    wait_ns = 0

    def customer(service_ns: int) -> Generator[Any, Any, None]:
        nonlocal wait_ns
        since_ns = env.now
        with servers.request() as turn:
            yield turn
            wait_ns += int(env.now - since_ns)
            yield env.timeout(service_ns)

    def source() -> Generator[Any, Any, None]:
        for gap_ns, service_ns in zip(gaps_ns, services_ns, strict=True):
            yield env.timeout(gap_ns)
            env.process(customer(service_ns))

    env.process(source())
    env.run()
    return wait_ns


def ciw_network(gaps_ns: list[int], services_ns: list[int]) -> int:
    """Serve all as a network of one node; Ciw begins its lists anew, so a gap without end keeps it from that."""
    network = ciw.create_network(
        arrival_distributions=[ciw.dists.Sequential([*gaps_ns, NEVER_NS])],
        service_distributions=[ciw.dists.Sequential(services_ns)],
        number_of_servers=[SERVERS],
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(NEVER_NS)
    return int(sum(record.waiting_time for record in simulation.get_all_records()))


LOOPS: dict[str, Model] = {"inlined-loop": inlined_loop, "callback-loop": callback_loop, "kernel": kernel}
LIBRARIES: dict[str, Model] = {"kernel": kernel, "simpy-processes": simpy_processes, "ciw": ciw_network}
MODELS = LOOPS | LIBRARIES


def customers(count: int) -> tuple[list[int], list[int]]:
    """Draw the gaps between arrivals and the service times, ns."""
    streams = Streams(1)
    gaps_ns = streams.exponential_ns("gaps", SERVICE_NS / (0.8 * SERVERS))
    services_ns = streams.exponential_ns("services", SERVICE_NS)
    return list(islice(gaps_ns, count)), list(islice(services_ns, count))


def workload() -> Work:
    """Prepare what the profiler looks at."""
    return partial(kernel, *customers(CUSTOMERS))


@cache
def _race(libraries: bool) -> Race:
    load = customers(CUSTOMERS)
    models, rounds = (LIBRARIES, LIBRARY_ROUNDS) if libraries else (LOOPS, LOOP_ROUNDS)
    agree({name: model(*load) for name, model in models.items()})
    return race({name: partial(model, *load) for name, model in models.items()}, rounds, process_time)


def _against(slow: str) -> Outcome:
    result = _race(slow in LIBRARIES)
    outcome = result.outcome("kernel", slow)
    events_per_s = round(EVENTS / outcome.details["median_seconds"]["kernel"])
    return Outcome(
        outcome.value,
        {**outcome.details, "rounds": len(result.seconds["kernel"]), "kernel_events_per_s": events_per_s},
    )


@figure("kernel-to-simpy-processes", at_least=8, workload=workload)
def to_simpy() -> Outcome:
    """How many times faster than SimPy's processes."""
    return _against("simpy-processes")


@figure("kernel-to-ciw")
def to_ciw() -> Outcome:
    """How many times faster than Ciw."""
    return _against("ciw")


@figure("kernel-to-callback-loop", at_least=0.9, workload=workload)
def to_callback_loop() -> Outcome:
    """What is left of the speed of callbacks on a bare heap: the price of cancel, stop, bounds and checks."""
    return _against("callback-loop")


@figure("kernel-to-inlined-loop")
def to_inlined_loop() -> Outcome:
    """What is left of the speed of a loop with the model written into it: the price of callbacks as well."""
    return _against("inlined-loop")
