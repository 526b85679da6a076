"""Envoy's names for Prometheus; what is expected here is what ``/stats/prometheus`` of Envoy 1.40 said."""

from __future__ import annotations

import pytest

from meshsim.export.proxy_stats import families, prometheus_name

PREFIX, CLUSTER = "envoy_http_conn_manager_prefix", "envoy_cluster_name"


@pytest.mark.parametrize(
    ("stat", "name", "labels"),
    [
        ("cluster.auth.upstream_rq_total", "envoy_cluster_upstream_rq_total", {CLUSTER: "auth"}),
        (
            "cluster.auth.upstream_rq_4xx",
            "envoy_cluster_upstream_rq_xx",
            {CLUSTER: "auth", "envoy_response_code_class": "4"},
        ),
        (
            "cluster.back.circuit_breakers.default.rq_open",
            "envoy_cluster_circuit_breakers_default_rq_open",
            {CLUSTER: "back"},
        ),
        ("http.back.fault.delays_injected", "envoy_http_fault_delays_injected", {PREFIX: "back"}),
        (
            "http.front.fault.client.aborts_injected",
            "envoy_http_fault_aborts_injected",
            {PREFIX: "front", "envoy_fault_downstream_cluster": "client"},
        ),
        ("wasm.envoy.wasm.runtime.v8.created", "envoy_wasm_envoy_wasm_runtime_v8_created", {}),
        ("wasmcustom.requests", "requests", {}),
        ("wasmcustom.in.flight", "in_flight", {}),
    ],
)
def test_names_and_labels(stat: str, name: str, labels: dict[str, str]) -> None:
    assert (prometheus_name(stat)[0], dict(prometheus_name(stat)[1])) == (name, labels)


def test_gauges_are_told_from_counters_where_the_name_is_envoy_s() -> None:
    stats = {
        "http.back.fault.active_faults": 1,
        "cluster.back.circuit_breakers.default.cx_open": 1,
        "cluster.back.upstream_rq_active_overflow": 3,
        "wasm.envoy.wasm.runtime.v8.active": 3,
        "wasm.wasm_vm_count": 3,
        "wasmcustom.active": 1,
    }
    assert {name: kind for name, kind, _ in families({"a-0": stats})} == {
        "envoy_http_fault_active_faults": "gauge",
        "envoy_cluster_circuit_breakers_default_cx_open": "gauge",
        "envoy_cluster_upstream_rq_active_overflow": "counter",
        "envoy_wasm_envoy_wasm_runtime_v8_active": "gauge",
        "envoy_wasm_wasm_vm_count": "gauge",
        "active": "untyped",
    }


def test_a_metric_gathers_all_pods_and_makes_room_for_names_that_are_taken() -> None:
    stats = {"a-0": {"wasmcustom.hits": 1, "wasmcustom.istio_requests_total": 7}, "b-0": {"wasmcustom.hits": 2}}
    assert list(families(stats, taken={"istio_requests_total"})) == [
        ("hits", "untyped", [((("pod", "a-0"),), 1), ((("pod", "b-0"),), 2)])
    ]
