"""A thousand sidecars in one process, with four workers and two plugins each: how long they load, and what they weigh.

Each plugin has a VM of its own: one on every thread, and its base, which makes 12,000 of them. The bootstrap is parsed
once, and the compiled module is in the cache, as in every run but the first. Each round is a process of its own:
``python -m tests.bench.density SIDECARS``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from functools import cache
from statistics import median
from time import perf_counter, process_time

import meshsim as ms
from meshsim.envoy.loader import parse_bootstrap
from meshsim.sim import Level
from tests.bench.figures import Outcome, Work, figure
from tests.bench.growth import resident_bytes
from tests.bench.scenes import AUTHORIZATION, REPOSITORY, sidecar

ROUNDS = 5
SIDECARS = 1_000
PROFILED_SIDECARS = 50
WORKERS = 4
PLUGINS = 2
VMS = PLUGINS * (WORKERS + 2)  # each plugin's base VM, and one on the main thread and on each worker
_GB = 1 << 30


@dataclass(frozen=True, slots=True)
class Weight:
    """What some sidecars took: seconds of CPU and of the wall clock, and resident bytes."""

    sidecars: int
    seconds: float
    wall_s: float
    resident_bytes: int


def load(count: int) -> list[ms.Envoy]:
    """Start sidecars; each is whole, with a kernel and threads of its own."""
    bootstrap = parse_bootstrap(sidecar())
    envoys = [ms.Envoy(bootstrap, concurrency=WORKERS, level=Level.REQUESTS) for _ in range(count)]
    for envoy in envoys:
        envoy.start()
    return envoys


def weigh(count: int) -> Weight:
    """Start sidecars and see that they work.

    Raises
    ------
    RuntimeError
        A VM is missing, or the last sidecar does not answer.
    """
    load(1)  # compiles, or fills the cache; and loads Python's own modules
    before = resident_bytes()
    cpu, wall = process_time(), perf_counter()
    envoys = load(count)
    cpu, wall = process_time() - cpu, perf_counter() - wall
    weight = Weight(count, cpu, wall, resident_bytes() - before)
    vms = sum(len(envoy.memory()) for envoy in envoys)
    status = envoys[-1].get("/", headers=[AUTHORIZATION]).status
    if (vms, status) != (count * VMS, 200):
        raise RuntimeError(f"{count} sidecars have {vms} VMs, and the last one answers {status}")
    return weight


@cache
def _rounds() -> list[Weight]:
    command = [sys.executable, "-m", "tests.bench.density", str(SIDECARS)]
    runs = (subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, check=True) for _ in range(ROUNDS))
    return [Weight(**json.loads(run.stdout)) for run in runs]


def _outcome(values: list[float], **details: float) -> Outcome:
    return Outcome(
        median(values),
        {
            "range": [round(min(values), 3), round(max(values), 3)],
            "rounds": len(values),
            "sidecars": SIDECARS,
            "vms": SIDECARS * VMS,
            **details,
        },
    )


def _workload() -> Work:
    load(1)
    return lambda: load(PROFILED_SIDECARS)


@figure("density-load", unit="s", at_most=5, workload=_workload)
def loading() -> Outcome:
    """Seconds of CPU until all are loaded."""
    rounds = _rounds()
    return _outcome([weight.seconds for weight in rounds], wall_s=round(median(weight.wall_s for weight in rounds), 3))


@figure("density-memory", unit="GiB", at_most=2)
def memory() -> Outcome:
    """Resident memory of all."""
    weights = [weight.resident_bytes for weight in _rounds()]
    return _outcome([each / _GB for each in weights], bytes_a_vm=round(median(weights) / (SIDECARS * VMS)))


if __name__ == "__main__":
    print(json.dumps(asdict(weigh(int(sys.argv[1])))))
