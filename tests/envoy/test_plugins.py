from __future__ import annotations

import pytest

from meshsim.envoy.proxy import Envoy
from meshsim.envoy.replay import replay
from tests.envoy.conftest import Guest, MakeEnvoy, WriteBootstrap, listener, plugin

V8 = "wasm.envoy.wasm.runtime.v8"
CREATE = '(func (export "proxy_on_context_create") (param i32 i32))'


def root_contexts(envoy: Envoy) -> int:
    """Root contexts that were made and not in a canary: those of VMs that live."""
    return sum(len(vm.wasm.roots) for vm in envoy.process.vms)


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize(
    ("plugins", "vms", "distinct"),
    [
        ([plugin()], 1, 1),
        ([plugin(), plugin()], 1, 1),
        ([plugin(name="a"), plugin(name="b")], 1, 2),
        ([plugin(name="a", vm_id="a"), plugin(name="b", vm_id="b")], 2, 2),
        ([plugin(name="a", vm_id="a"), plugin(name="b"), plugin(name="c")], 2, 3),
    ],
    ids=["one", "the same twice", "two in one VM", "two VMs", "three in two VMs"],
)
def test_how_many_vms_and_contexts_there_are(
    make_envoy: MakeEnvoy, workers: int, plugins: list[dict[str, object]], vms: int, distinct: int
) -> None:
    """As Envoy 1.40 counts: a base VM, one a thread, and a canary a plugin."""
    envoy = make_envoy(CREATE, listener(plugins), concurrency=workers)
    stats = envoy.stats()
    assert stats[f"{V8}.active"] == stats["wasm.wasm_vm_count"] == vms * (workers + 2)
    assert stats[f"{V8}.created"] == vms * (workers + 2) + distinct
    created = [line for line in envoy.abi_trace() if line.text.startswith("[host->vm] proxy_on_context_create")]
    assert len(created) == distinct * (workers + 2)
    assert root_contexts(envoy) == distinct * (workers + 1)
    assert [row.kind for row in envoy.memory()].count("base") == vms
    assert len(envoy.memory()) == vms * (workers + 2)
    envoy.get("/")
    assert envoy.stats()[f"{V8}.created"] == vms * (workers + 2) + distinct
    envoy.shut_down()
    assert f"{V8}.active" not in envoy.stats()
    assert envoy.process.vms == []


def test_the_same_plugin_in_two_listeners_is_one(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy(CREATE, listener([plugin()]), listener([plugin()], name="back", port=18001))
    assert envoy.stats()[f"{V8}.created"] == 4


@pytest.mark.parametrize(
    "other",
    [
        plugin(name="p", vm_id="x"),
        plugin(vm={"configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "v"}}),
        plugin(vm={"environment_variables": {"key_values": {"A": "1"}}}),
    ],
    ids=["vm_id", "configuration", "environment"],
)
def test_what_makes_another_vm(make_envoy: MakeEnvoy, other: dict[str, object]) -> None:
    assert make_envoy(CREATE, listener([plugin(), other])).stats()[f"{V8}.active"] == 6


def test_lengths_keep_parts_of_a_key_apart(make_envoy: MakeEnvoy) -> None:
    value = {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": "bc"}
    other = {**value, "value": "c"}
    envoy = make_envoy(
        CREATE,
        listener([plugin(vm_id="a", vm={"configuration": value}), plugin(vm_id="ab", vm={"configuration": other})]),
    )
    assert envoy.stats()[f"{V8}.active"] == 6


TRAP_ON_CRASH = """
  (data (i32.const 64) "x-crash")
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (if (i32.eqz (call $get (i32.const 0) (i32.const 64) (i32.const 7) (i32.const 0) (i32.const 4)))
      (then unreachable))
    (i32.const 0))"""
GET = '(import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))'


@pytest.mark.parametrize(
    ("fields", "statuses"),
    [
        ({}, [200, 503, 503]),
        ({"failure_policy": "FAIL_CLOSED"}, [200, 503, 503]),
        ({"failure_policy": "FAIL_OPEN"}, [200, 503, 200]),
        ({"fail_open": True}, [200, 200, 200]),
    ],
    ids=["default", "closed", "open", "the old word"],
)
def test_what_a_crash_means_for_its_stream_and_for_later_ones(
    make_envoy: MakeEnvoy, fields: dict[str, object], statuses: list[int]
) -> None:
    envoy = make_envoy(TRAP_ON_CRASH, listener([plugin(**fields)]), imports=GET)
    assert [envoy.get(headers=headers).status for headers in ({}, {"x-crash": "1"}, {})] == statuses


def test_a_crash_stays_on_its_thread(make_envoy: MakeEnvoy) -> None:
    envoy = make_envoy(TRAP_ON_CRASH, listener([plugin()]), imports=GET, concurrency=2)
    assert envoy.get(headers={"x-crash": "1"}, worker=0).status == 503
    assert [envoy.get(worker=worker).status for worker in (0, 1, 0, 1)] == [503, 200, 503, 200]


def test_a_reload_waits_and_then_brings_a_new_vm(make_envoy: MakeEnvoy) -> None:
    reload = {"failure_policy": "FAIL_RELOAD", "reload_config": {"backoff": {"base_interval": "1s"}}}
    envoy = make_envoy(TRAP_ON_CRASH, listener([plugin(**reload)]), imports=GET)
    envoy.run(ms=2_000)
    assert envoy.get(headers={"x-crash": "1"}).status == 503
    assert envoy.get().status == 200, "the interval counts from the last load, not from the crash"
    assert envoy.stats()["wasm.p.vm_reload_success"] == 1
    assert envoy.get(headers={"x-crash": "1"}).status == 503
    assert envoy.get().status == 503
    assert envoy.stats()["wasm.p.vm_reload_backoff"] == 1
    envoy.run(ms=1_600)
    assert envoy.get().status == 200
    assert envoy.stats()[f"{V8}.created"] == 6
    assert envoy.stats()[f"{V8}.active"] == 3


def test_a_plugin_that_starts_only_on_the_main_thread_leaves_no_vm_behind(
    write_bootstrap: WriteBootstrap, guest: Guest
) -> None:
    """Shared data tells the canary and the main thread, which come first, from the worker, which is refused."""
    imports = """
      (import "env" "proxy_get_shared_data" (func $get (param i32 i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_set_shared_data" (func $set (param i32 i32 i32 i32 i32) (result i32)))"""
    body = """
      (func (export "proxy_on_configure") (param i32 i32) (result i32)
        (drop (call $get (i32.const 64) (i32.const 1) (i32.const 0) (i32.const 4) (i32.const 8)))
        (drop (call $set (i32.const 64) (i32.const 1) (i32.const 64) (i32.const 1) (i32.const 0)))
        (i32.lt_u (i32.load (i32.const 8)) (i32.const 2)))"""
    path = write_bootstrap(listener([plugin()]), modules={"guest.wasm": guest(body, imports)})
    result = replay(path, [])
    assert result.ready
    assert [text for _, _, text in result.other if text.startswith("~Wasm")][-1] == "~Wasm 0 remaining active"
