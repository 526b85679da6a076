"""How time and memory grow with the number of requests, through two hops of one simulated Envoy.

Each run is a process of its own, so that nothing before it is in its memory:
``python -m tests.bench.growth LEVEL REQUESTS...`` sends that many requests in all, and says at each number what
has been taken so far.
"""

from __future__ import annotations

import ctypes
import gc
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from resource import getpagesize
from statistics import linear_regression, median
from time import process_time

from meshsim.sim import Level
from tests.bench import levels
from tests.bench.figures import Outcome, figure
from tests.bench.real_envoy import CONNECTIONS, free_port
from tests.bench.scenes import REPOSITORY, REQUEST, two_hops

ROUNDS = 5
SHORT = (10_000, 30_000, 100_000)
LONG = (10_000, 100_000, 1_000_000)
WARM_UP_REQUESTS = 5_000  # what keeps the last few thousand of anything is full then

EXPONENT = 1.05
BYTES_A_HOP = 96
#: Memory that does not grow with the requests grows by so much all the same: heaps fray.
CONSTANT_MIB = 1

_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True, slots=True)
class Mark:
    """What has been taken when so many requests were answered: CPU seconds, and the memory that is resident then."""

    requests: int
    hops: int
    seconds: float
    resident_bytes: int


def exponent(marks: Sequence[Mark]) -> float:
    """Fit ``seconds ~ requests ** exponent``.

    >>> round(exponent([Mark(n, n, 2e-6 * n**1.5, 0) for n in (10, 100, 1_000)]), 6)
    1.5
    """
    points = [(math.log(mark.requests), math.log(mark.seconds)) for mark in marks]
    return linear_regression(*zip(*points, strict=True)).slope


def bytes_a_hop(marks: Sequence[Mark]) -> float:
    """Give how much memory each hop between the first mark and the last one has taken for good.

    >>> bytes_a_hop([Mark(10, 20, 1, 1_000), Mark(20, 40, 2, 1_600)])
    30.0
    """
    first, last = marks[0], marks[-1]
    return (last.resident_bytes - first.resident_bytes) / (last.hops - first.hops)


def mib_grown(marks: Sequence[Mark]) -> float:
    """Give how much memory has been taken for good between the first mark and the last one, in MiB.

    >>> mib_grown([Mark(10, 20, 1, 1 << 20), Mark(20, 40, 2, 3 << 20)])
    2.0
    """
    return (marks[-1].resident_bytes - marks[0].resident_bytes) / (1 << 20)


def resident_bytes() -> int:
    """Give the memory of this process, after all that is free has been given back."""
    gc.collect()
    _LIBC.malloc_trim(0)
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * getpagesize()


def grow(level: Level, sizes: Sequence[int]) -> list[Mark]:
    """Send requests, and take a mark at each of ``sizes``."""
    with tempfile.TemporaryDirectory(prefix="meshsim-bench-") as folder:
        scene = two_hops(Path(folder), free_port)
        envoy = levels.start(scene, level)
    envoy.drive(REQUEST, count=min(WARM_UP_REQUESTS, sizes[0]), connections=CONNECTIONS)
    marks, sent, seconds = [], 0, 0.0
    for size in sizes:
        start = process_time()
        envoy.drive(REQUEST, count=size - sent, connections=CONNECTIONS)
        seconds += process_time() - start
        sent = size
        marks.append(Mark(size, size * scene.hops, seconds, resident_bytes()))
    return marks


def grown(level: Level, sizes: Sequence[int]) -> list[Mark]:
    """Do the same in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.growth", level.name, *map(str, sizes)]
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True, check=True)
    return [Mark(**mark) for mark in json.loads(done.stdout)]


@cache
def _rounds(level: Level, sizes: tuple[int, ...]) -> list[list[Mark]]:
    return [grown(level, sizes) for _ in range(ROUNDS)]


def _outcome(level: Level, sizes: tuple[int, ...], what: Callable[[Sequence[Mark]], float]) -> Outcome:
    rounds = _rounds(level, sizes)
    values = [what(marks) for marks in rounds]
    middle = [median(marks[index].seconds for marks in rounds) for index in range(len(sizes))]
    return Outcome(
        median(values),
        {
            "range": [round(min(values), 3), round(max(values), 3)],
            "rounds": len(rounds),
            "requests": list(sizes),
            "median_seconds": [round(seconds, 3) for seconds in middle],
        },
    )


def _register(sizes: tuple[int, ...], *, long: bool) -> None:
    def register(level: Level, what: str, unit: str, bar: float, value: Callable[[Sequence[Mark]], float]) -> None:
        name = f"growth-{'long-' if long else ''}{level.name.lower()}-{what}"
        figure(name, unit=unit, at_most=bar, long=long)(partial(_outcome, level, sizes, value))

    for level in (Level.REQUESTS, Level.OFF):
        register(level, "time", "power", EXPONENT, exponent)
    register(Level.REQUESTS, "memory", "B/hop", BYTES_A_HOP, bytes_a_hop)
    register(Level.OFF, "memory", "MiB", CONSTANT_MIB, mib_grown)


_register(SHORT, long=False)
_register(LONG, long=True)

if __name__ == "__main__":
    print(json.dumps([asdict(mark) for mark in grow(Level[sys.argv[1]], [int(size) for size in sys.argv[2:]])]))
