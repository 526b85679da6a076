from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.reference.rules import RULES, Scope, explain, mask_header, mask_text, mask_words

EVIDENCE = Path(__file__).parent / "evidence"
BOOTSTRAP = """
static_resources:
  listeners:
  - filter_chains:
    - filters:
      - typed_config: {stat_prefix: in}
  clusters:
  - name: up
  - {name: down, alt_stat_name: "a:b"}
"""


def test_each_rule_is_explained_with_its_reason_and_evidence() -> None:
    text = explain()
    for rule in RULES:
        assert f"{rule.name}\n    {rule.covers}\n    why: {rule.why}" in text
    assert "evidence: tests/reference/evidence/ticks" in text


def test_evidence_and_rules_belong_together() -> None:
    named = {rule.evidence for rule in RULES if rule.evidence}
    assert named == {path.parent.name for path in EVIDENCE.glob("*/one.json")}
    assert named == {path.parent.name for path in EVIDENCE.glob("*/other.json")}


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("id 348b11e5-43f6-4d3f-a909-2a69cb599a2b.", "id <uuid>."),
        ("2026-11-22T20:17:24.649Z|2026/11/22 20:17:24|2026-11-22T20:17:24+01:00", "<date>|<date>|<date>"),
        ("Sun, 22 Nov 2026 20:17:24 GMT", "<date>"),
        ("1795378644 1795378644.649 1795378644649 1795378644649944 1795378644649944000", "<epoch> " * 4 + "<epoch>"),
        ("peer 127.0.0.1:59494, [::1]:80, localhost:1", "peer 127.0.0.1:<port>, [::1]:<port>, localhost:<port>"),
        ("10.0.0.1:80 port 8080", "10.0.0.1:80 port 8080"),
        ("1234567890 1.1795378644 a1795378644 17953786441", "1234567890 1.1795378644 a1795378644 17953786441"),
        ("2026-11-22", "2026-11-22"),
        ("ticks: 1795", "ticks: 1795"),
    ],
)
def test_a_text_is_masked_where_no_two_runs_agree_and_nowhere_else(text: str, masked: str) -> None:
    assert mask_text(text) == masked


def test_words_are_masked_where_libraries_vary_them() -> None:
    one = "error `invalid JSON   in x near 1:616   (offset 615): no  such field` initializing config 'a\n b.yaml'"
    other = "error `invalid JSON in x near 1:4 (offset 3): no such field` initializing config 'c'"
    assert mask_words(one) == mask_words(other)
    assert mask_words("no such field: 'a'") != mask_words("no such field: 'b'")


def test_values_of_three_headers_are_masked() -> None:
    assert mask_header("X-Request-Id", "1") == "<x-request-id>"
    assert mask_header("date", "1") == "<date>"
    assert mask_header("x-envoy-upstream-service-time", "1") == "<x-envoy-upstream-service-time>"
    assert mask_header("server", "envoy") == "envoy"


def test_the_scope_is_read_from_the_raw_tree() -> None:
    assert Scope.of(BOOTSTRAP) == Scope(frozenset({"in"}), frozenset({"up", "a_b"}))


@pytest.mark.parametrize(
    ("name", "selected"),
    [
        ("wasm.envoy.wasm.runtime.v8.active", True),
        ("wasmcustom.hits", True),
        ("http.in.downstream_rq_4xx", True),
        ("http.in.rq_total", True),
        ("http.in.rq_direct_response", True),
        ("http.in.no_route", True),
        ("http.in.downstream_rq_total", False),
        ("http.admin.rq_total", False),
        ("cluster.up.upstream_rq_5xx", True),
        ("cluster.a_b.upstream_rq_retry", True),
        ("cluster.up.upstream_rq_200", False),
        ("cluster.up.external.upstream_rq_2xx", False),
        ("cluster.down.upstream_rq_total", False),
        ("server.live", False),
        ("listener.127.0.0.1_80.http.in.downstream_rq_2xx", False),
    ],
)
def test_counters_are_selected_by_the_bootstraps_own_names(name: str, selected: bool) -> None:
    assert Scope.of(BOOTSTRAP).selected({name: 1}) == ({name: 1} if selected else {})
    assert Scope.of(BOOTSTRAP).selected({name: 0}) == {}
