"""A million requests through a mesh of ten services, whose every sidecar runs real modules: by the public API.

The topology is ``meshsim/scenarios/topologies/shop.yaml``: a request comes to 3.5 services on average. The hello module
is at both listeners of each sidecar, so that a request passes six filters: 3.5 inbound and 2.5 outbound. One run has a
twentieth of the million; the time of its steady part is scaled up, and what starting took is added once.
"""

from __future__ import annotations

from pathlib import Path
from time import process_time

import meshsim as ms
from tests.bench.figures import Outcome, Work, figure
from tests.bench.growth import resident_bytes
from tests.bench.scenes import HELLO, REPOSITORY

SHOP = REPOSITORY / "meshsim" / "scenarios" / "topologies" / "shop.yaml"
RATE = 1_000
SECONDS = 50.0
START_SECONDS = 3.0
PROFILED_SECONDS = 5.0
MILLION = 1_000_000
_MB = 1 << 20


def shop(path: Path = SHOP) -> ms.Mesh:
    """The mesh."""
    return ms.Mesh.from_isotope(path).with_filter(module=HELLO, direction="both")


def run(mesh: ms.Mesh, seconds: float) -> tuple[float, int, int]:
    """Run; seconds of CPU, requests, and passes through a filter."""
    begun = process_time()
    result = mesh.run(ms.OpenLoop(RATE), seconds=seconds, seed=1, level=ms.Level.OFF)
    took = process_time() - begun
    counts = {name: histogram.count for name, histogram in result.histograms.items()}
    requests = counts.pop("client")
    return took, requests, 2 * sum(counts.values()) - requests  # nothing is filtered where the client sends


def _workload() -> Work:
    mesh = shop()
    run(mesh, 1.0)
    return lambda: run(mesh, PROFILED_SECONDS)


@figure("mesh-million", unit="s", at_most=90, long=True, workload=_workload)
def million() -> Outcome:
    """Seconds of CPU that a million requests take."""
    mesh = shop()
    run(mesh, 1.0)  # compiles, and loads Python's own modules
    start_s, first, first_hops = run(mesh, START_SECONDS)
    before = resident_bytes()
    whole_s, requests, hops = run(mesh, SECONDS)
    each_s = (whole_s - start_s) / (requests - first)
    return Outcome(
        start_s + each_s * (MILLION - first),
        {
            "requests": requests,
            "filtered_hops_a_request": round(hops / requests, 3),
            "filtered_hops_per_second": round((hops - first_hops) / (whole_s - start_s)),
            "start_s": round(start_s, 3),
            "grown_mb": round((resident_bytes() - before) / _MB, 1),
        },
    )
