"""Rows L: network filters."""

from __future__ import annotations

from meshsim.testing import WasmFilterFactory
from tests.conformance.conftest import callbacks_of, calls, module_of, texts, truth


def test_l134_a_filter_that_cannot_run_closes_connections_or_is_done_without() -> None:
    closed, open_ = truth("tcp-trap-closed").responses, truth("tcp-trap-open").responses
    assert {response.error for response in closed[1:]} >= {"connection closed"}
    assert any(response.status == 200 for response in open_[1:])


def test_l135_data_both_ways_and_one_end(wasm_filter: WasmFilterFactory) -> None:
    trace = calls(truth("tcp-proxy"), "proxy_on_(down|up)stream_(data|connection_close)")
    names = [line.partition("proxy_on_")[2].partition("(")[0] for line in trace]
    first = names[: names.index("downstream_connection_close") + 1]
    assert first[0] == "downstream_data"
    assert first[-3:] == ["upstream_data", "upstream_connection_close", "downstream_connection_close"]
    assert trace[len(first) - 3].endswith(", 0, 1)")  # the upstream's end is an empty last piece
    filter_ = wasm_filter(
        module_of("ext-script"), kind="network", configuration="dd write|2|0|4|PUT \nud body|3|0|15\nuc level"
    )
    filter_.upstream(body="over")
    reply = filter_.get("/x")
    assert reply.upstream is not None
    assert reply.upstream.method == "PUT"
    assert [reply.called(f"proxy_on_{side}stream_connection_close") for side in ("down", "up")] == [1, 1]


def test_l136_nothing_is_told_before_the_connection_is() -> None:
    result = truth("tcp-two-filters-stop")
    assert texts(result)  # the second filter is behind one that holds the new connection
    second = [name for name in callbacks_of(result) if name in ("proxy_on_new_connection", "proxy_on_downstream_data")]
    assert second[0] == "proxy_on_new_connection"


def test_l137_failing_open_goes_on_without_the_module() -> None:
    result = truth("tcp-trap-legacy-open")
    assert any(response.status == 200 for response in result.responses)
