"""Requests leave nothing behind that only Python's garbage collector can free: that was a sixth of a run's time."""

from __future__ import annotations

import gc

from meshsim.envoy.collector import paused_collector
from meshsim.mesh import Call, Mesh, OpenLoop, Service, Together, Topology
from meshsim.sim import Level
from tests.mesh.test_same import HELLO

SHOP = Topology(
    [
        Service("shop", script=(Call("cart"), Together((Call("stock"), Call("cart")))), is_entry=True),
        Service("cart", replicas=2, script=(Call("db"),)),
        Service("stock", error_rate=0.1),
        Service("db", response_bytes=5000),
    ]
)
MESH = Mesh(SHOP).with_filter(module=HELLO, direction="both")


def _garbage(requests: int) -> int:
    """Objects that a run leaves in circles; thousands, for a mesh is one itself."""
    gc.collect()
    with paused_collector():
        MESH.run(OpenLoop(1_000), seconds=requests / 1_000, seed=1, level=Level.OFF)
        return gc.collect()


def test_requests_leave_no_circles() -> None:
    """A hundred objects a request it was; some are left where a connection was made, or a lane begun."""
    _garbage(500)
    assert _garbage(1_000) - _garbage(500) < 10 * 500
