"""Limits of a guest as a user of the public API sets them."""

from __future__ import annotations

import re

import pytest

import meshsim as ms
from meshsim.abi.allowance import AllowanceExceeded
from tests.envoy.conftest import MakeEnvoy, listener, plugin
from tests.hostile.wat import call, forever, module, on, text, times

LOOP = '(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (loop $l (br $l)) (i32.const 0))'
GROW = """(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
  (if (i32.eq (memory.grow (i32.const 20)) (i32.const -1)) (then unreachable)) (i32.const 0))"""


def test_a_budget_of_fuel_fails_the_vm_and_the_policy_decides(make_envoy: MakeEnvoy) -> None:
    limits = ms.Limits(fuel_per_call=10_000)
    assert make_envoy(LOOP, limits=limits).get("/").status == 503
    opened = make_envoy(LOOP, listener([plugin(failure_policy="FAIL_OPEN")]), limits=limits)
    assert opened.get("/").status == 503
    assert opened.get("/").status == 200


def test_a_call_within_the_budget_does_as_without_one(make_envoy: MakeEnvoy) -> None:
    assert make_envoy(GROW, limits=ms.Limits(fuel_per_call=10_000)).get("/").status == 200


def test_a_failure_names_plugin_vm_and_callback(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy(LOOP, listener([plugin(name="mine", vm_id="v")]), limits=ms.Limits(fuel_per_call=10_000))
    envoy.get("/")
    [failure] = envoy.failures()
    assert (failure.thread, failure.error.code) == ("worker_0", "out_of_fuel")
    assert str(failure.error).startswith("plugin 'mine' (VM 'v'), proxy_on_request_headers: ")
    texts = [entry.event.text for entry in envoy.recorder.events]
    assert [line for line in texts if line.startswith("Function: proxy_on_request_headers failed: the fuel that")]


def test_there_is_no_budget_by_default_and_a_deadline_all_the_same(make_envoy: MakeEnvoy) -> None:
    for envoy in (make_envoy(), make_envoy(limits=ms.Limits(memory_bytes=1 << 20))):
        assert envoy.process.limits.fuel_per_call is None
        assert envoy.process.limits.deadline_s == 30.0
    assert make_envoy(limits=ms.Limits(fuel_per_call=10_000)).process.limits.deadline_s is None


def test_a_deadline_ends_the_run_and_says_where(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy(LOOP, limits=ms.Limits(deadline_s=0.05))
    with pytest.raises(ms.DeadlineExceeded, match=re.escape("plugin 'p' (VM ''), proxy_on_request_headers: the guest")):
        envoy.get("/")


def test_a_memory_does_not_grow_beyond_its_limit(make_envoy: MakeEnvoy) -> None:
    assert make_envoy(GROW).get("/").status == 200
    assert make_envoy(GROW, limits=ms.Limits(memory_bytes=1 << 20)).get("/").status == 503


def test_a_refusal_says_which_callback_trapped(make_envoy: MakeEnvoy) -> None:
    with pytest.raises(ms.ConfigError, match=re.escape("plugin 'p' (VM ''), proxy_on_vm_start: wasm `unreachable`")):
        make_envoy('(func (export "proxy_on_vm_start") (param i32 i32) (result i32) unreachable)')


@pytest.mark.parametrize(
    ("code", "host_call"),
    [
        (forever(call("proxy_log", 2, b"more")), "proxy_log"),
        (times(3, call("proxy_log", 2, bytes(30_000))), ""),
        (times(200, call("proxy_log", 2, bytes(30_000))), "proxy_log"),
        (forever(call("proxy_send_local_response", 200, b"", b"x", b"", 7)), "proxy_send_local_response"),
    ],
)
def test_what_the_host_keeps_for_a_call_has_an_end(
    make_envoy: MakeEnvoy, code: str, host_call: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    source = module(text(on("request_headers", code)))
    path = tmp_path_factory.mktemp("guest") / "guest.wasm"
    path.write_bytes(source)
    envoy = make_envoy("", listener([plugin(str(path))]), limits=ms.Limits(kept_bytes_per_call=1 << 20))
    if not host_call:
        assert envoy.get("/").status == 200
        return
    with pytest.raises(AllowanceExceeded, match=rf"proxy_on_request_headers > (env\.)?{host_call}: ") as ended:
        envoy.get("/")
    assert "1 MiB" in ended.value.what
    assert "kept_bytes_per_call" in ended.value.remedy
