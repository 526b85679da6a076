"""Proxies' own statistics in a result: by Envoy's names, and the same at every level."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meshsim.mesh import CrashWorker, Result
from meshsim.sim import Level
from tests.mesh.test_same import MESHES, run


@pytest.mark.parametrize("name", MESHES)
def test_lanes_count_what_the_whole_model_counts(name: str) -> None:
    traced, fast = run(name, Level.ABI), run(name, Level.REQUESTS)
    assert fast.stats == traced.stats
    assert any(counted for counted in fast.stats.values())


def test_sums_alone_have_them_too() -> None:
    none, rows = run("busy", Level.OFF), run("busy", Level.REQUESTS)
    assert none.stats == rows.stats


def _total(result: Result, name: str) -> int:
    return sum(counted.get(name, 0) for counted in result.stats.values())


def test_they_count_what_rows_tell() -> None:
    result = run("busy", Level.REQUESTS)
    assert _total(result, "http.inbound.downstream_rq_total") == result.find("not root").numbers("tries").sum()
    for service in ("cart", "stock", "db"):
        rows = result.find(f"service == '{service}'")
        assert _total(result, f"cluster.{service}.upstream_rq_total") == rows.numbers("tries").sum()
        assert _total(result, f"cluster.{service}.upstream_rq_retry") == (rows.numbers("tries") - 1).sum()


def test_a_proxy_that_was_started_anew_counts_from_nothing() -> None:
    mesh, load = MESHES["busy"]
    whole = mesh.run(load, seconds=0.1, seed=1)
    crashed = mesh.at(50_000_000, CrashWorker("cart-0", down_ns=5_000_000)).run(load, seconds=0.1, seed=1)
    name = "http.inbound.downstream_rq_total"
    assert 0 < crashed.stats["cart-0"][name] < whole.stats["cart-0"][name]


def test_a_mesh_without_proxies_has_none() -> None:
    mesh, load = MESHES["time-outs without filters"]
    assert replace(mesh, proxies="none").run(load, seconds=0.05, seed=1).stats == {}
