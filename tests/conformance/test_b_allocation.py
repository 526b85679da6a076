"""Rows B: memory for the host, and what a guest may do while it gives it."""

from __future__ import annotations

from tests.conformance.conftest import Run, errors_of, statuses_of, truth
from tests.conformance.guests import OUT, SIZE, Load

_READ = (("proxy_get_property", "plugin_name", OUT, SIZE), ("proxy_log", 2, Load(OUT), Load(SIZE)))


def test_b22_an_allocator_without_host_calls(run: Run) -> None:
    outcome = run(*_READ)
    assert outcome.statuses == [0, 0]
    assert outcome.said == ["filter"]


def test_b23_an_allocator_may_log(run: Run) -> None:
    outcome = run(*_READ, module={"allocator": [("proxy_log", 2, "this is fine")]})
    assert outcome.said == ["this is fine", "filter"]


def test_b24_an_allocator_may_do_little_else(run: Run) -> None:
    outcome = run(*_READ, module={"allocator": [("proxy_done",)]})
    assert outcome.calls[0].status == 6
    assert outcome.reply.status == 503
    assert "Function: malloc failed: Uncaught Error: restricted_callback" in outcome.reply.errors[0]
    result = truth("abi-allocator-restricted")
    assert errors_of(result)[0].startswith("Function: malloc failed: Uncaught Error: restricted_callback")
    assert statuses_of(result, "proxy_get_buffer_bytes", "main") == [6, 6]
