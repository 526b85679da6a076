"""A mesh's run in other programs' formats, each read back by that program's own parser, or held to its rules."""

from __future__ import annotations

import base64
import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client import parser as text_parser
from prometheus_client.openmetrics import parser as openmetrics_parser
from pyarrow import parquet

from meshsim.errors import ConfigError, MeshsimError
from meshsim.export import access_log, mesh_chrome, otlp, prometheus
from meshsim.mesh.result import Result
from meshsim.mesh.rows import HopRow
from meshsim.mesh.scenario_loader import load_scenario
from meshsim.sim import Table
from tests.export.chrome_rules import problems
from tests.mesh.synthetic import SERVICES, synthetic

RESULT = synthetic(60, gap_ns=2_000_000)  # a request every 2 ms of 6 ms each: they overlap


# --- tables ---


def test_csv_has_every_row(tmp_path: Path) -> None:
    RESULT.to_csv(tmp_path / "hops.csv")
    with (tmp_path / "hops.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [tuple(row.values()) for row in read] == [tuple(map(str, row)) for row in RESULT.hops]


def test_parquet_has_every_row(tmp_path: Path) -> None:
    RESULT.to_parquet(tmp_path / "hops.parquet")
    read = parquet.read_table(tmp_path / "hops.parquet").to_pylist()
    assert [HopRow(**row) for row in read] == list(RESULT.hops)


def test_a_file_that_cannot_be_written_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(MeshsimError, match=r"nowhere/hops\.csv: cannot write"):
        RESULT.to_csv(tmp_path / "nowhere" / "hops.csv")
    assert list(tmp_path.iterdir()) == []


# --- Perfetto ---


def test_the_trace_keeps_the_rules_of_its_format(tmp_path: Path) -> None:
    RESULT.to_perfetto(tmp_path / "run.json")
    trace = json.loads((tmp_path / "run.json").read_text())
    assert problems(trace) == []
    kinds = Counter(event["ph"] for event in trace["traceEvents"])
    assert kinds["X"] == len(RESULT.hops)
    assert kinds["s"] == kinds["f"] == len(RESULT.hops) - 60  # every hop but the clients' was called
    assert kinds["C"] > 0
    assert any(event["ph"] == "i" and "roll-out" in event["name"] for event in trace["traceEvents"])


def test_the_trace_has_the_times_of_the_rows() -> None:
    slices = [event for event in mesh_chrome.chrome_trace(RESULT)["traceEvents"] if event["ph"] == "X"]
    got = Counter((round(e["ts"] * 1000), round((e["ts"] + e["dur"]) * 1000)) for e in slices)
    assert got == Counter((row.start_ns, row.end_ns) for row in RESULT.hops)


def test_the_trace_can_be_cut_short() -> None:
    trace = mesh_chrome.chrome_trace(RESULT, requests=3)
    assert {event["args"]["request"] for event in trace["traceEvents"] if event["ph"] == "X"} == {0, 1, 2}
    assert problems(mesh_chrome.chrome_trace(synthetic(0))) == []


# --- OTLP ---


def _as_protobuf(document: dict[str, Any]) -> Any:
    """OTLP's JSON has ids in hexadecimal, protobuf's in base64."""
    for resource in document["resourceSpans"]:
        for span in resource["scopeSpans"][0]["spans"]:
            for name in ("traceId", "spanId", "parentSpanId"):
                span[name] = base64.b64encode(bytes.fromhex(span[name])).decode()
    return json_format.ParseDict(document, ExportTraceServiceRequest())


def test_spans_are_what_opentelemetry_reads(tmp_path: Path) -> None:
    RESULT.to_otlp(tmp_path / "spans.json")
    read = _as_protobuf(json.loads((tmp_path / "spans.json").read_text()))
    spans = [span for resource in read.resource_spans for span in resource.scope_spans[0].spans]
    assert len(spans) == len(RESULT.hops)
    by_id = {(span.trace_id, span.span_id): span for span in spans}
    assert len(by_id) == len(spans)
    for span in spans:
        assert (len(span.trace_id), len(span.span_id), len(span.parent_span_id) in (0, 8)) == (16, 8, True)
        assert span.end_time_unix_nano >= span.start_time_unix_nano
        if span.parent_span_id:
            parent = by_id[span.trace_id, span.parent_span_id]
            assert parent.start_time_unix_nano <= span.start_time_unix_nano
    assert sum(not span.parent_span_id for span in spans) == 60
    assert sum(span.status.code == 2 for span in spans) == len(RESULT.find("error"))


def test_spans_belong_to_their_service() -> None:
    document = otlp.spans(RESULT, requests=2)
    names = [resource["resource"]["attributes"][0]["value"]["stringValue"] for resource in document["resourceSpans"]]
    assert sorted(names) == sorted(["client", *SERVICES])


# --- Prometheus ---


def _samples(families: Any) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = [((s.name, frozenset(s.labels.items())), s.value) for family in families for s in family.samples]
    assert len(dict(found)) == len(found), "a sample is there twice"
    return dict(found)


@pytest.fixture(params=[False, True], ids=["prometheus", "openmetrics"])
def samples(request: pytest.FixtureRequest, tmp_path: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    RESULT.to_prometheus(tmp_path / "metrics.txt", openmetrics=request.param)
    text = (tmp_path / "metrics.txt").read_text()
    parse = openmetrics_parser if request.param else text_parser
    return _samples(list(parse.text_string_to_metric_families(text)))


def test_istio_s_counters_count_the_rows(samples: dict[tuple[str, frozenset[tuple[str, str]]], float]) -> None:
    counted: Counter[tuple[str, ...]] = Counter()
    for (name, labels), value in samples.items():
        of = dict(labels)
        if name == "istio_requests_total" and of["reporter"] == "destination":
            counted[of["destination_workload"], of["response_code"], of["response_flags"]] += int(value)
    rows = RESULT.find("not root")
    assert counted == Counter((row.service, str(row.status), row.flags or "-") for row in rows)


def test_istio_s_histograms_hold_the_times(samples: dict[tuple[str, frozenset[tuple[str, str]]], float]) -> None:
    name = "istio_request_duration_milliseconds_bucket"
    below = sum(
        value
        for (sample, labels), value in samples.items()
        if sample == name and float(dict(labels)["le"]) == 5 and dict(labels)["reporter"] == "source"
    )
    assert below == len(RESULT.find('rt <= 5 and source not in ("", "client")'))
    assert {labels for sample, labels in samples if sample == "istio_requests_total"} == {
        labels for sample, labels in samples if sample == "istio_response_bytes_count"
    }


def test_all_of_istio_s_standard_labels_are_there() -> None:
    [family] = [f for f in text_parser.text_string_to_metric_families(prometheus.metrics(RESULT)) if "total" in str(f)]
    assert set(family.samples[0].labels) == {
        "reporter", "source_workload", "source_workload_namespace", "source_principal", "source_app",
        "source_version", "source_cluster", "source_canonical_service", "source_canonical_revision",
        "destination_workload", "destination_workload_namespace", "destination_principal", "destination_app",
        "destination_version", "destination_cluster", "destination_service", "destination_service_name",
        "destination_service_namespace", "destination_canonical_service", "destination_canonical_revision",
        "request_protocol", "response_code", "grpc_response_status", "response_flags", "connection_security_policy",
    }  # fmt: skip


# --- access logs ---


def test_the_default_line_is_envoy_s() -> None:
    line = next(line for line in access_log.lines(RESULT) if " UO " in line)
    assert line.startswith("[2026-01-01T00:00:00.")
    assert '"GET / HTTP/1.1" 503 UO 0 64 ' in line
    assert line.endswith('"ratings" "ratings-0"')


def test_a_format_of_one_s_own(tmp_path: Path) -> None:
    form = "%RESPONSE_CODE% %RESPONSE_FLAGS% %REQ(:AUTHORITY):3% %UPSTREAM_REQUEST_ATTEMPT_COUNT% %REQ(nope)% 100%%"
    RESULT.to_access_log(tmp_path / "access.log", form)
    lines = (tmp_path / "access.log").read_text().splitlines()
    assert len(lines) == len(RESULT.find("not root"))
    assert Counter(lines)["503 UO rat 2 - 100%"] == 6


@pytest.mark.parametrize(
    ("form", "envoy_says"),
    [("%NOPE%", "Not supported field in StreamInfo: NOPE"), ("%REQ%", "requires parameters"), ("50%", "position 2")],
)
def test_a_format_that_envoy_refuses_is_refused(form: str, envoy_says: str) -> None:
    with pytest.raises(ConfigError, match=envoy_says):
        list(access_log.lines(RESULT, form))


# --- GraphML ---


def test_the_graph_has_rates_and_errors(tmp_path: Path) -> None:
    RESULT.to_graphml(tmp_path / "mesh.graphml")
    graph = nx.read_graphml(tmp_path / "mesh.graphml")
    assert set(graph.edges) == {("client", "front"), ("front", "reviews"), ("front", "ratings")}
    warm = RESULT.find('warm and service == "ratings"')
    assert graph.edges["front", "ratings"]["rate"] == pytest.approx(len(warm) / (RESULT.window_ns / 1e9), rel=1e-3)
    assert graph.edges["front", "ratings"]["error_rate"] == pytest.approx(0.1)
    assert graph.nodes["reviews"]["error_rate"] == 0


# --- a run with sidecars, retries and all ---


@pytest.fixture(scope="module")
def storm() -> Result:
    """The first second of a retry storm."""
    fault = {"at": "100ms", "set_fault": {"service": "orders", "delay": "30ms"}}
    return load_scenario("retry-storm", [("duration", "1s"), ("warmup", "0s"), ("timeline", [fault])]).run()


def test_the_exports_of_a_real_run_keep_their_rules(storm: Result) -> None:
    assert len(storm.find("tries > 2")) > 10
    assert problems(mesh_chrome.chrome_trace(storm)) == []
    read = _as_protobuf(otlp.spans(storm))
    spans = {span.span_id: span for resource in read.resource_spans for span in resource.scope_spans[0].spans}
    assert len(spans) == len(storm.hops)
    assert all(not span.parent_span_id or span.parent_span_id in spans for span in spans.values())
    families = openmetrics_parser.text_string_to_metric_families(prometheus.metrics(storm, openmetrics=True))
    assert _samples(list(families))
    assert any(" 504 " in line for line in access_log.lines(storm))


# --- a run in which a filter asks another service ---


@pytest.fixture(scope="module")
def asked() -> Result:
    """A second of a mesh where a filter of the shop's asks ``auth`` about each request."""
    return load_scenario("slow-callout", [("duration", "1s"), ("warmup", "0s")]).run()


def test_the_trace_shows_callouts_beneath_their_request(asked: Result) -> None:
    trace = mesh_chrome.chrome_trace(asked)
    assert problems(trace) == []
    slices = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    callouts = [event for event in slices if event["cat"] == "callout"]
    assert [event["args"]["filter"] for event in callouts] == ["ask"] * len(asked.find("callout"))
    arrows = Counter((event["ph"], event["name"]) for event in trace["traceEvents"] if event["ph"] in "sf")
    assert arrows["s", "callout"] == arrows["f", "callout"] == len(callouts)
    assert arrows["s", "call"] == len(asked.find("not root and not callout"))
    starts = {(e["pid"], e["tid"]): e for e in slices if e["name"].startswith("shop")}
    for event in trace["traceEvents"]:
        if event["ph"] == "s" and event["name"] == "callout":
            assert (event["pid"], event["tid"]) in starts


def test_a_callout_is_a_child_span_of_the_request_that_its_filter_worked_on(asked: Result) -> None:
    read = _as_protobuf(otlp.spans(asked))
    spans = {span.span_id: span for resource in read.resource_spans for span in resource.scope_spans[0].spans}
    found = 0
    for span in spans.values():
        facts = {each.key: each.value.string_value for each in span.attributes}
        if "meshsim.filter" in facts:
            found += 1
            parent = spans[span.parent_span_id]
            assert (facts["meshsim.filter"], span.name, parent.name) == ("ask", "GET auth", "GET shop")
            assert parent.start_time_unix_nano < span.start_time_unix_nano
            assert span.end_time_unix_nano < parent.end_time_unix_nano
    assert found == len(asked.find("callout"))


@pytest.mark.parametrize("openmetrics", [False, True])
def test_each_proxy_s_own_statistics_are_there_by_envoy_s_names(asked: Result, openmetrics: bool) -> None:
    parse = openmetrics_parser if openmetrics else text_parser
    read = _samples(parse.text_string_to_metric_families(prometheus.metrics(asked, openmetrics=openmetrics)))
    own = {key: value for key, value in read.items() if key[0].startswith("envoy_")}
    assert len(own) == sum(map(len, asked.stats.values()))
    labels = frozenset({("envoy_cluster_name", "auth"), ("pod", "shop-0")})
    assert own["envoy_cluster_upstream_rq_total", labels] == len(asked.find("callout"))
    good = frozenset(
        {("envoy_http_conn_manager_prefix", "inbound"), ("envoy_response_code_class", "2"), ("pod", "auth-0")}
    )
    end = "" if openmetrics else "_total"  # the parser's own addition to a counter
    assert own[f"envoy_http_downstream_rq_xx{end}", good] == len(asked.find("callout"))


def test_a_callout_is_reported_where_it_arrives_only(asked: Result) -> None:
    """It does not come through the filters of the proxy that sends it."""
    read = _samples(text_parser.text_string_to_metric_families(prometheus.metrics(asked)))
    reporters = [
        dict(labels)["reporter"]
        for name, labels in read
        if name == "istio_requests_total" and dict(labels)["destination_workload"] == "auth"
    ]
    assert reporters == ["destination"]


def test_what_belongs_to_no_request_is_in_no_trace() -> None:
    table = Table(HopRow)
    table.append(-1, 1, 0, "auth", "deep", "deep-0", "worker_0", "", 5, 9, 1, 0, 1, 2, 200, "", 1, 0, 1, "")
    alone = Result(table, run_ns=10, services=("deep",))
    assert otlp.spans(alone) == {"resourceSpans": []}
    assert [event for event in mesh_chrome.chrome_trace(alone)["traceEvents"] if event["ph"] == "X"] == []
