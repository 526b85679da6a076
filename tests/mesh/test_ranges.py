"""Meshes and loads that cannot be are refused where they are made, and not by a division by zero in a run."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import pytest

from meshsim.errors import ConfigError
from meshsim.mesh import Call, ClosedLoop, Link, Mesh, OpenLoop, Service, Topology

ONE = Topology([Service("one")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Service("a", replicas=0), "Service: replicas is 0\n  -> a number from 1 on"),
        (lambda: Service("a", workers=0), "workers is 0"),
        (lambda: Service("a", error_rate=1.5), "error_rate is 1.5\n  -> a number from 0 to 1"),
        (lambda: Service("a", cpu_limit=inf), "cpu_limit is inf"),
        (lambda: Service("a", discipline="lifo"), "discipline is 'lifo'\n  -> one of fifo, ps"),  # type: ignore[arg-type]
        (lambda: Service("a", zones=()), "'a' is in no zone"),
        (lambda: Call("a", probability=nan), "Call: probability is nan"),
        (lambda: Link(loss=1.0), "Link: loss is 1.0\n  -> a number from 0 to 0.9"),
        (lambda: Link(bandwidth=-1), "bandwidth is -1"),
        (lambda: OpenLoop(0), "OpenLoop: rate is 0"),
        (lambda: OpenLoop(inf), "rate is inf"),
        (lambda: OpenLoop(1, burst=0), "burst is 0"),
        (lambda: OpenLoop(1, "gamma"), "arrivals is 'gamma'\n  -> one of poisson, constant"),  # type: ignore[arg-type]
        (lambda: ClosedLoop(0), "ClosedLoop: users is 0"),
        (lambda: Mesh(ONE, proxies="waypoint"), "Mesh: proxies is 'waypoint'"),  # type: ignore[arg-type]
        (lambda: Mesh(ONE, nodes=0), "nodes is 0"),
        (lambda: Mesh(ONE).run(OpenLoop(1), seconds=inf), "some time has to be left"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()
