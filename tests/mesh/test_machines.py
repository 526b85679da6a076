from __future__ import annotations

from dataclasses import replace

from meshsim.mesh import Constant, CrashWorker, Mesh, OpenLoop, Result, RollOut, Scale, Service, SetFault, Topology
from meshsim.mesh.machines import PERIOD_NS, Quota
from tests.mesh.test_same import HELLO

MS = 1_000_000
ONE = Mesh(Topology([Service("only", service_time=Constant(MS), replicas=2)])).with_filter(module=HELLO)


def run(mesh: Mesh, rate: float = 200, seconds: float = 0.5) -> Result:
    """Run a steady load."""
    return mesh.run(OpenLoop(rate, "constant"), seconds=seconds, seed=1)


def test_a_quota_is_used_up_and_comes_back() -> None:
    quota = Quota(0.1)
    quota.use(0, 4 * MS)
    assert quota.ready_ns(4 * MS) == 4 * MS
    quota.use(4 * MS, 6 * MS)
    assert quota.ready_ns(10 * MS) == PERIOD_NS
    quota.use(PERIOD_NS, 25 * MS)  # taken too much of: the next period is gone too
    assert quota.ready_ns(PERIOD_NS + 25 * MS) == 3 * PERIOD_NS
    assert quota.ready_ns(3 * PERIOD_NS) == 3 * PERIOD_NS


def test_a_throttled_sidecar_answers_at_the_next_period() -> None:
    free = run(ONE, rate=1000)
    held = run(replace(ONE, topology=ONE.topology.with_service("only", cpu_limit=0.005)), rate=1000)
    assert free.latency.p99 < 5 * MS
    assert held.latency.p99 > 50 * MS


def test_a_crash_cuts_connections_and_the_proxy_comes_back() -> None:
    result = run(ONE.at(100 * MS, CrashWorker("only-0", down_ns=100 * MS)))
    rows = [row for row in result.hops if row.service == "only"]
    failed = [row for row in rows if row.status == 0]
    assert failed
    assert all(100 * MS - 5 * MS < row.start_ns < 210 * MS for row in failed)
    assert {row.pod for row in rows if row.start_ns > 250 * MS} == {"only-0", "only-1"}
    assert [event.kind for event in result.events] == ["crash", "ready"]


def test_a_module_that_is_refused_is_not_rolled_out() -> None:
    good = HELLO.read_bytes()
    result = run(ONE.at(50 * MS, RollOut("only", "hello-wat", good)).at(200 * MS, RollOut("only", "hello-wat", b"no")))
    kinds = [event.kind for event in result.events]
    assert kinds == ["roll-out", "ready", "ready", "roll-out", "refused", "refused"]
    assert result.counters["client"]["requests"] == result.counters["client"]["200"] == 100


def test_more_pods_share_the_load_when_they_are_up() -> None:
    result = run(ONE.at(100 * MS, Scale("only", 4)).at(300 * MS, Scale("only", 1)))
    pods = [(row.start_ns, row.pod) for row in result.hops if row.service == "only"]
    assert {pod for time_ns, pod in pods if time_ns < 100 * MS} == {"only-0", "only-1"}
    assert {pod for time_ns, pod in pods if 150 * MS < time_ns < 300 * MS} == {f"only-{k}" for k in range(4)}
    assert {pod for time_ns, pod in pods if time_ns > 310 * MS} == {"only-0"}


def test_a_fault_lasts_until_it_is_taken_back() -> None:
    result = run(ONE.at(100 * MS, SetFault("only", 1.0, 5 * MS)).at(200 * MS, SetFault("only")))
    roots = [row for row in result.hops if row.service == "client"]
    bad = [row for row in roots if row.status == 500]
    assert [row.start_ns for row in bad] == [row.start_ns for row in roots if 100 * MS <= row.start_ns < 195 * MS]
    assert min(row.end_ns - row.start_ns for row in bad) > 6 * MS


def test_a_mesh_without_proxies_is_faster_and_one_with_node_proxies_has_fewer() -> None:
    took = {proxies: run(Mesh(ONE.topology, proxies=proxies)) for proxies in ("none", "sidecar", "node")}  # type: ignore[arg-type]
    assert took["none"].latency.p50 < took["sidecar"].latency.p50
    names = {proxies: {usage.pod for usage in result.usage} for proxies, result in took.items()}
    assert names["none"] == {"only-0", "only-1"}
    assert names["node"] == {"node-0", "only-0", "only-1"}
    assert all(row.proxy_ns == 0 for row in took["none"].hops)
