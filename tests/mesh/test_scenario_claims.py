"""What the bundled scenarios tell a reader to look for is there to be seen."""

from __future__ import annotations

from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from wasmtime import wat2wasm

from meshsim.mesh.result import Hops, Result
from meshsim.mesh.scenario_loader import bundled, load_scenario

MODULES = sorted((Path(next(iter(bundled().values()))).parent / "modules").glob("*.wat"))


@cache
def _run(name: str, *changes: tuple[str, Any]) -> Result:
    return load_scenario(name, changes).run()


def _between(result: Result, begin: float, end: float, which: str = "root") -> Hops:
    return result.find(f"({which}) and t >= {begin} and t < {end}")


def _errors(rows: Hops) -> float:
    return len(rows.find("error")) / len(rows)


@pytest.mark.parametrize("source", MODULES, ids=lambda path: path.stem)
def test_a_module_is_what_its_source_makes(source: Path) -> None:
    assert source.with_suffix(".wasm").read_bytes() == bytes(wat2wasm(source.read_text(encoding="utf-8")))


def test_normal_has_a_tail_and_no_errors() -> None:
    result = _run("normal")
    assert result.error_rate == 0
    assert result.latency.p99 > 2 * result.latency.p50
    assert result.service("ratings").rate / result.service("reviews").rate == pytest.approx(0.7, abs=0.1)


def test_canary_shows_in_one_pod_first() -> None:
    result = _run("canary")
    slow = _between(result, 4.2, 6, "service == 'reviews' and rt > 6")
    assert Counter(slow.strings("pod")).most_common(1)[0][0] == "reviews-0"
    before, after = (_between(result, *span, "pod == 'reviews-2'").latency.p50 for span in ((1, 8), (8.5, 12)))
    assert after > before + 2_000_000, "the last pod has got it at last"
    assert [event.kind for event in result.events].count("ready") == 3


def test_a_retry_storm_outlives_its_cause_and_no_retries_do_not() -> None:
    storm = _run("retry-storm")
    calm = _run("retry-storm", ("services.orders.traffic.retry.num_retries", 0))
    assert _errors(_between(storm, 1, 4)) == 0
    assert _errors(_between(storm, 10, 13)) == 1, "five seconds after the fault"
    assert _errors(_between(calm, 10, 13)) < 0.1
    assert _between(storm, 10, 13, "service == 'orders'").numbers("tries").mean() == 4


def test_a_slow_callout_is_the_client_s_tail_and_nobody_s_work() -> None:
    result = _run("slow-callout")
    assert result.latency.p99 > 80_000_000
    assert result.service("stock").latency.p99 < 20_000_000
    assert max(use.share for use in result.usage if use.track.startswith("worker")) < 0.02
    slower = _run("slow-callout", ("services.auth.service_time", "hyperexponential(0.05, 900ms, 3ms)"))
    assert len(slower.find("root and code == 403"))


def test_memory_is_a_line_in_workers() -> None:
    def mib(workers: int) -> float:
        parts = _run("memory-workers", ("services.*.workers", workers), ("load.open.rate", 2)).memory
        return sum(part.size_bytes for part in parts if part.part == "linear") / 2**20

    step = mib(2) - mib(1)
    assert step == pytest.approx(2 * 4, abs=0.5), "a table of 4 MiB in each of two pods"
    assert mib(4) == pytest.approx(mib(2) + 2 * step)
    assert mib(1) == pytest.approx(2 * step, abs=0.5), "the main thread has one, the base VM none"


def test_crash_policies_differ_after_the_first_crash() -> None:
    result = _run("crash-policies")
    errors = Counter(result.find("error and not root and service != 'gate'").strings("service"))
    assert (errors["open"], errors["reload"]) == (1, 1)
    crashed = result.find("service == 'closed' and error")[0]
    assert _errors(result.find(f"service == 'closed' and t >= {crashed.start_ns / 1e9}")) == 1


def test_a_noisy_neighbour_is_heard_in_the_tail_alone() -> None:
    together, apart = (
        _run("noisy-neighbour").service("web"),
        _run("noisy-neighbour", ("proxies", "sidecar")).service("web"),
    )
    assert together.latency.p50 < 1.2 * apart.latency.p50
    assert together.latency.p99 > 2 * apart.latency.p99


def test_one_worker_is_hot() -> None:
    result = _run("hot-worker")
    busy = sorted(use.busy_ns for use in result.usage if use.pod == "hub-0" and use.track.startswith("worker"))
    assert busy[-1] > 1.5 * busy[-2]
    fair = _run("hot-worker", ("deal", "turn"))
    assert fair.latency.p99 < result.latency.p99


def test_what_is_scaled_out_is_cold_first() -> None:
    result = _run("cold-start")
    ready = max(event.time_ns for event in result.events if event.kind == "ready")
    assert ready > 3_000_000_000
    assert result.find("pod == 'web-3'")[0].start_ns > ready
    assert _between(result, 3, 4, "pod == 'web-0'").latency.p99 > 10 * _between(result, 6, 10).latency.p50


def test_sidecars_cost_something_each_hop() -> None:
    without, with_them = _run("sidecar-or-none", ("proxies", "none")), _run("sidecar-or-none")
    assert 100_000 < with_them.latency.p50 - without.latency.p50 < 2_000_000


def test_far_pods_are_half_of_all_and_all_of_the_tail() -> None:
    result = _run("far-zone")
    calls = _between(result, 4, 8, "service == 'stock'")
    slow = calls.find("rt > 80")
    assert set(slow.strings("zone")) == {"b"}
    assert len(slow) / len(calls) == pytest.approx(0.5, abs=0.05)
    assert _between(result, 9, 12).latency.p99 < 20_000_000
    least = _between(_run("far-zone", ("services.stock.traffic.policy", "LEAST_REQUEST")), 4, 8, "service == 'stock'")
    assert 0.2 < len(least.find("zone == 'b'")) / len(least) < 0.4


def test_the_knee_is_left_of_the_limit() -> None:
    low, high = (_run("knee", ("load.open.rate", rate)) for rate in (100, 195))
    assert high.latency.p50 > 3 * low.latency.p50
    assert high.throughput < 2 * low.throughput
