"""At level ``abi`` a mesh goes by the whole model of Envoy; below, by express lanes. Nobody can tell which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshsim.cost import CostModel
from meshsim.mesh import (
    AddLatency,
    Call,
    ClosedLoop,
    Constant,
    CrashWorker,
    Exponential,
    Link,
    LogNormal,
    Mesh,
    Network,
    OpenLoop,
    Partition,
    Result,
    Retry,
    RollOut,
    Scale,
    Service,
    SetFault,
    Tls,
    Together,
    Topology,
    Traffic,
)
from meshsim.mesh.load import Load
from meshsim.mesh.topology import Policy
from meshsim.sim import Level

HELLO = Path(__file__).parents[2] / "modules" / "hello" / "hello-wat.wasm"
MS = 1_000_000

#: Replicas, workers that are busy, retries, calls that are made only sometimes, bodies.
SHOP = Topology(
    [
        Service("shop", service_time=Exponential(MS / 5), script=(Call("cart"), Call("stock")), is_entry=True),
        Service("cart", 2, Exponential(MS / 10), script=(Call("db", 100, 0.5),), workers=1),
        Service("stock", 1, LogNormal(MS, 1), 2, error_rate=0.1, traffic=Traffic(retry=Retry("5xx", 2))),
        Service("db", 3, response_bytes=5000, zones=("a", "b")),
    ],
    request_bytes=100,
)
UNDER_LOAD = CostModel(under_load=True)
PLAIN = Mesh(SHOP).with_filter(module=HELLO, direction="both")

#: Two failures in a row are enough, and every host may go.
OUTLIERS = {
    "outlier_detection": {
        "consecutive_5xx": 2,
        "max_ejection_percent": 100,
        "base_ejection_time": "0.02s",
        "interval": "0.01s",
    }
}


H2 = Traffic(http2=True)


def policy(name: Policy, error_rate: float = 0.0, cluster: Mapping[str, Any] | None = None) -> Topology:
    """The shop, whose replicated services are chosen in this way."""
    traffic = Traffic(policy=name, cluster=cluster or {})
    return SHOP.with_service("cart", traffic=traffic).with_service("db", traffic=traffic, error_rate=error_rate)


def breakers(connections: int, pending: int, requests: int) -> dict[str, Any]:
    """A cluster's thresholds."""
    limits = {"max_connections": connections, "max_pending_requests": pending, "max_requests": requests}
    return {"circuit_breakers": {"thresholds": [limits]}}


MESHES: dict[str, tuple[Mesh, Load]] = {
    "busy": (PLAIN, OpenLoop(800)),
    "under load": (replace(PLAIN, costs=UNDER_LOAD), OpenLoop(800)),
    "gateway": (replace(PLAIN, gateway=True).with_filter("gateway", module=HELLO, name="second"), OpenLoop(400)),
    "nodes": (replace(PLAIN, proxies="node", nodes=2), OpenLoop(400)),
    "wide area": (
        replace(PLAIN, network=Network(Link(LogNormal(MS / 3, 0.5), 10**9, 0.001), tls=Tls())),
        OpenLoop(400, "constant", burst=4),
    ),
    "time-outs": (
        replace(
            PLAIN,
            topology=SHOP.with_service("stock", traffic=Traffic(timeout_ns=2 * MS, retry=Retry("reset", 1, MS))),
        ),
        ClosedLoop(10, Exponential(10 * MS)),
    ),
    "time-outs without filters": (
        Mesh(SHOP.with_service("stock", traffic=Traffic(timeout_ns=2 * MS, retry=Retry("5xx", 0, MS)))),
        OpenLoop(400),
    ),
    "throttled": (replace(PLAIN, topology=SHOP.with_service("cart", cpu_limit=0.01)), OpenLoop(500)),
    "HTTP/2": (replace(PLAIN, topology=SHOP.with_service("db", traffic=Traffic(http2=True))), OpenLoop(300)),
    "by lot": (replace(PLAIN, topology=policy("RANDOM")), OpenLoop(500)),
    "the less busy": (replace(PLAIN, topology=policy("LEAST_REQUEST")), OpenLoop(500)),
    "breakers": (
        replace(PLAIN, topology=SHOP.with_service("stock", traffic=Traffic(cluster=breakers(3, 1, 2)))),
        OpenLoop(900, "constant", burst=6),
    ),
    "outliers": (
        replace(PLAIN, topology=SHOP.with_service("db", error_rate=0.6, traffic=Traffic(cluster=OUTLIERS))),
        OpenLoop(600),
    ),
    "outliers by lot": (
        replace(PLAIN, topology=policy("LEAST_REQUEST", error_rate=0.7, cluster=OUTLIERS)),
        OpenLoop(600),
    ),
    "fewer and more": (
        replace(PLAIN, topology=policy("LEAST_REQUEST")).at(40 * MS, Scale("db", 1)).at(80 * MS, Scale("db", 4)),
        OpenLoop(500),
    ),
    "HTTP/2 everywhere": (
        replace(PLAIN, topology=SHOP.with_service("cart", traffic=H2).with_service("stock", traffic=H2)),
        OpenLoop(800),
    ),
    "at once": (
        replace(PLAIN, topology=SHOP.with_service("shop", script=(Together((Call("cart"), Call("stock"))),))),
        OpenLoop(300),
    ),
    "hard times": (
        PLAIN.at(50 * MS, AddLatency("db", 5 * MS))
        .at(60 * MS, AddLatency("db", 0))
        .at(100 * MS, Scale("cart", 3))
        .at(150 * MS, SetFault("db", 0.5, MS))
        .at(180 * MS, SetFault("db"))
        .at(200 * MS, RollOut("cart", "hello-wat", HELLO.read_bytes(), "second", pause_ns=20 * MS))
        .at(280 * MS, CrashWorker("cart-1", down_ns=50 * MS))
        .at(350 * MS, Partition("a", "", 30 * MS))
        .at(400 * MS, Scale("cart", 1)),
        OpenLoop(200),
    ),
}


def run(name: str, level: Level) -> Result:
    """Run a mesh."""
    mesh, load = MESHES[name]
    return mesh.run(load, seconds=0.5 if mesh.timeline else 0.12, seed=3, level=level)


@pytest.mark.parametrize("name", MESHES)
def test_lanes_do_what_the_whole_model_does(name: str) -> None:
    traced, fast = run(name, Level.ABI), run(name, Level.REQUESTS)
    assert list(fast.hops) == list(traced.hops)
    assert fast.usage == traced.usage
    assert fast.counters == traced.counters
    assert fast.events == traced.events
    assert {row.status for row in fast.hops} >= {200}


def test_less_is_kept_and_the_same_is_counted() -> None:
    rows, none = run("busy", Level.REQUESTS), run("busy", Level.OFF)
    assert none.counters == rows.counters
    assert {name: each.total for name, each in none.histograms.items()} == {
        name: each.total for name, each in rows.histograms.items()
    }
    assert not len(none.hops)


def test_what_makes_up_a_call() -> None:
    """Of a call that makes no others, nothing is left over: network, waiting, proxies and application are all."""
    mesh = Mesh(Topology([Service("only", service_time=Constant(MS))]))
    for row in mesh.run(ClosedLoop(2), seconds=0.05, seed=1).hops:
        if row.service == "only":
            assert row.end_ns - row.start_ns == row.network_ns + row.queue_ns + row.proxy_ns + row.app_ns
            assert row.app_ns == MS
            assert row.proxy_ns > 0
