"""Rows D: root contexts, logs, metrics, timers, foreign functions, failure."""

from __future__ import annotations

import pytest

from meshsim.abi.constants import FailState
from meshsim.testing import WasmFilterFactory
from tests.conformance.conftest import Run, callbacks_of, calls, errors_of, module_of, statuses_of, truth
from tests.conformance.guests import OUT, SIZE, Load, guest

_LEVELS = ("trace", "debug", "info", "warning", "error", "critical")
_ID, _VALUE = 32, 40


def _shown(cell: int) -> tuple[str | int | Load, ...]:
    """A call that shows a number in the trace, and is refused."""
    return ("proxy_log", 9, Load(cell), 0)


def test_d42_the_life_of_a_plugin(run: Run) -> None:
    outcome = run(
        *(("proxy_log", level, "said") for level in range(6)),
        ("proxy_get_log_level", OUT),
        ("proxy_get_buffer_bytes", 7, 0, 100, OUT, SIZE),
        ("proxy_log", 2, Load(OUT), Load(SIZE)),
        ("proxy_get_status", _ID, OUT, SIZE),
        _shown(_ID),
        ("proxy_set_tick_period_milliseconds", 50),
        callback="proxy_on_configure",
        module={"results": {"proxy_on_tick": 0, "proxy_on_done": 1, "proxy_on_delete": 0}},
        configuration="the configuration",
    )
    logs = outcome.filter.logs
    assert [log.level for log in logs] == [*_LEVELS, "info"]
    assert logs[-1].text == "the configuration"
    assert outcome.filter.tick(60).called("proxy_on_tick") == 2  # the main thread's and the worker's
    ended = outcome.filter.shut_down()
    assert [ended.called(name) for name in ("proxy_on_done", "proxy_on_delete")] == [2, 2]


@pytest.mark.parametrize("what", ["unreachable", "divide by zero", "memory access out of bounds"])
def test_d43_a_crash_in_any_callback_ends_the_vm(what: str) -> None:
    assert any(what in error for error in errors_of(truth("abi-traps")))
    result = truth("abi-tick-trap")
    assert [response.status for response in result.responses] == [503, 503]
    assert callbacks_of(result)[-1] == "proxy_on_tick"  # not even at shutdown


def test_d44_counters_only_go_up(run: Run) -> None:
    change = ("proxy_get_metric", Load(_ID), _VALUE)
    outcome = run(
        ("proxy_define_metric", 0, "c", _ID),
        ("proxy_increment_metric", Load(_ID), 1),
        change,
        _shown(_VALUE),
        ("proxy_increment_metric", Load(_ID), 1),
        change,
        _shown(_VALUE),
        ("proxy_record_metric", Load(_ID), 3),
        change,
        _shown(_VALUE),
        ("proxy_increment_metric", Load(_ID), -1),
    )
    assert [call.arguments[1] for call in outcome.calls if call.name == "proxy_log"] == [1, 2, 5]
    assert outcome.statuses[-1] == 2
    assert outcome.filter.metrics == {"c": 5}


def test_d45_gauges_go_both_ways(run: Run) -> None:
    outcome = run(
        ("proxy_define_metric", 1, "g", _ID),
        ("proxy_increment_metric", Load(_ID), 1),
        ("proxy_record_metric", Load(_ID), 2),
        ("proxy_get_metric", Load(_ID), _VALUE),
        _shown(_VALUE),
        ("proxy_increment_metric", Load(_ID), -1),
    )
    assert outcome.calls[4].arguments[1] == 2
    assert outcome.statuses[-1] == 0
    assert outcome.filter.metrics == {"g": 1}


def test_d46_histograms_and_metrics_that_there_are_not(run: Run) -> None:
    unknown = [1024, 1025, 1026, 1027]
    outcome = run(
        ("proxy_define_metric", 2, "h", _ID),
        ("proxy_record_metric", Load(_ID), 3),
        ("proxy_increment_metric", Load(_ID), 1),
        ("proxy_get_metric", Load(_ID), _VALUE),
        ("proxy_define_metric", 9999, "n", _ID),
        *((f"proxy_{verb}_metric", metric, _VALUE) for verb in ("get", "record", "increment") for metric in unknown),
    )
    assert outcome.statuses[:5] == [0, 0, 2, 2, 2]
    assert 0 not in outcome.statuses[5:]
    assert outcome.filter.metrics.samples("h") == [3]


def test_d47_what_is_compressed_comes_back(run: Run) -> None:
    outcome = run(
        ("proxy_call_foreign_function", "compress", b"a" * 2000, OUT, SIZE),
        _shown(SIZE),
        ("proxy_call_foreign_function", "uncompress", Load(OUT), Load(SIZE), OUT, SIZE),
        ("proxy_log", 2, Load(OUT), Load(SIZE)),
    )
    assert outcome.calls[1].arguments[1] == 24
    assert outcome.said == ["a" * 2000]


def test_d48_a_foreign_function_that_there_is_not(run: Run) -> None:
    assert run(("proxy_call_foreign_function", "nothing", b"", OUT, SIZE)).statuses == [1]
    assert "fo=1:" in str(truth("foreign-compress").logs)


@pytest.mark.parametrize("case", ["abi-trap", "abi-trap-closed"])
def test_d50_failing_closed_is_for_ever(case: str) -> None:
    result = truth(case)
    statuses = [response.status for response in result.responses]
    assert statuses[statuses.index(503) :] == [503] * (len(statuses) - statuses.index(503))
    assert not any("reload" in name for name in result.stats)


def test_d51_a_reload_waits_for_its_back_off() -> None:
    result = truth("abi-trap-reload-backoff")
    assert [response.status for response in result.responses] == [503, 503, 200, 503, 503]
    assert result.stats["wasm.plugin.vm_reload_backoff"] == 2
    assert result.stats["wasm.plugin.vm_reload_success"] == 1
    assert truth("abi-traps").stats["wasm.plugin.vm_reload_success"] == 13


def test_d52_only_a_crash_is_a_reason_to_reload(wasm_filter: WasmFilterFactory) -> None:
    filter_ = wasm_filter(module_of("abi-life"), failure_policy="FAIL_RELOAD")
    for vm in filter_.envoy.process.vms:
        vm.wasm.fail_state = FailState.MISSING_FUNCTION
    filter_.tick(2_000)
    assert [filter_.get().status for _ in range(2)] == [503, 503]
    assert not any("reload" in name for name in filter_.stats)


def test_d53_failing_open_lets_later_streams_pass_by_the_filter() -> None:
    result = truth("abi-trap-open")
    assert [response.status for response in result.responses] == [200, 503, 200, 200]
    assert len(calls(result, "proxy_on_context_create")) == 3  # the root, and the first two streams


@pytest.mark.parametrize("side", ["request", "response"])
@pytest.mark.parametrize("part", ["headers", "body", "trailers"])
def test_d54_a_crash_gives_one_local_reply(wasm_filter: WasmFilterFactory, side: str, part: str) -> None:
    filter_ = wasm_filter(guest({}, traps=[f"proxy_on_{side}_{part}"]))
    filter_.upstream(body="answer", trailers={"t": "1"})
    reply = filter_.post(chunks=["one"], trailers={"t": "1"})
    assert len(reply.errors) == 1
    begun = side == "response" and part != "headers"  # the response's headers are out: the connection is cut
    assert (reply.status, bool(reply.error)) == ((200, True) if begun else (503, False))
    assert reply.body in ("", "answer")
    if not begun:
        assert reply.body == ""


def test_d54_the_reply_to_grpc_says_that_it_is_unavailable(wasm_filter: WasmFilterFactory) -> None:
    filter_ = wasm_filter(guest({}, traps=["proxy_on_request_headers"]))
    reply = filter_.post(headers={"content-type": "application/grpc"}, body="")
    assert (reply.status, reply.headers["grpc-status"]) == (200, "14")


def test_d55_a_crash_during_the_response_gives_one_response() -> None:
    result = truth("abi-trap-open-response")
    statuses = [response.status for response in result.responses]
    assert 503 in statuses
    assert all(response.error is None for response in result.responses)


def test_d56_names_are_resolved() -> None:
    result = truth("ext-dns")
    sizes = [call.rpartition(", ")[2].rstrip(")") for call in calls(result, "envoy_on_resolve_dns")]
    assert {"20", "16"} <= set(sizes)  # an address of version 4, one of version 6
    assert "0" in sizes  # a name that is none
    assert set(statuses_of(result, "envoy_resolve_dns")) <= {0, 6}
