"""The same seed gives the same bytes in every process, whatever Python's hashes are; another seed gives others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from meshsim.mesh import Exponential, Mesh, OpenLoop, Service, Topology

REPOSITORY = Path(__file__).parents[2]
CODE = """
from tests.mesh.test_same import run
from meshsim.sim import Level
result = run("hard times", Level.REQUESTS)
print(result.digest(), sorted(result.counters.items()), result.usage, result.memory, result.events)
"""


def in_a_process(hash_seed: str) -> str:
    """Run in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def test_two_processes_and_two_hash_seeds() -> None:
    first = in_a_process("1")
    assert len(first) > 64
    assert in_a_process("2") == first


def test_replications_are_independent_and_repeatable() -> None:
    mesh = Mesh(Topology([Service("only", service_time=Exponential(1e6), concurrency=1)]), proxies="none")

    def digests(count: int, seed: int) -> list[str]:
        results = mesh.replicate(OpenLoop(500), replications=count, seed=seed, seconds=0.2)
        return [result.digest() for result in results]

    five = digests(5, seed=7)
    assert len(set(five)) == 5
    assert digests(3, seed=7) == five[:3]
    assert not set(digests(5, seed=8)) & set(five)


def test_another_service_does_not_disturb_a_load() -> None:
    """Random numbers have names: what is drawn for one service does not depend on which others there are."""
    alone = [Service("first", service_time=Exponential(1e6), concurrency=1)]
    more = [*alone, Service("second", service_time=Exponential(1e6))]
    rows = [
        [row.end_ns for row in Mesh(Topology(services), proxies="none").run(OpenLoop(300), seconds=0.3, seed=5).hops]
        for services in (alone, more)
    ]
    assert rows[0] == rows[1]
