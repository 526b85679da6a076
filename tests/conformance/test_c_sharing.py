"""Rows C: what is shared by which key, canaries, clones, capabilities."""

from __future__ import annotations

import json
from itertools import product

import pytest

from meshsim.abi.shared import SharedData
from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.config.wasm import Wasm
from meshsim.envoy.loader import parse_bootstrap
from meshsim.envoy.plugin_spec import PluginSpec
from meshsim.envoy.proxy import Envoy
from meshsim.testing import WasmFilter, WasmFilterFactory
from meshsim.testing.bootstrap import Setup
from tests.conformance.conftest import calls, errors_of, host_calls, module_of, truth

CREATED, ACTIVE = "wasm.envoy.wasm.runtime.v8.created", "wasm.envoy.wasm.runtime.v8.active"


def _two_plugins() -> WasmFilter:
    """Two plugins in one VM, both of which want a new VM after a crash."""
    tree = json.loads(Setup(module_of("abi-trap-where"), failure_policy="FAIL_RELOAD").text())
    manager = tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    second = json.loads(json.dumps(manager["http_filters"][0]))
    second["typed_config"]["config"]["name"] = second["name"] = "second"
    manager["http_filters"].insert(1, second)
    return WasmFilter(Envoy(parse_bootstrap(json.dumps(tree))))


def test_c25_a_thread_has_one_plugin_and_one_vm(wasm_filter: WasmFilterFactory) -> None:
    envoy = wasm_filter(module_of("abi-life")).envoy
    (spec,) = envoy.process.plugins.loaded
    worker = envoy.workers[0]
    first, again = worker.plugin(spec), worker.plugin(spec)
    assert first is again
    assert first is not None
    assert first.vm in envoy.process.vms


def test_c26_a_clone_that_fails_is_replaced_and_its_base_stays(wasm_filter: WasmFilterFactory) -> None:
    filter_ = wasm_filter(module_of("abi-trap-where"), failure_policy="FAIL_RELOAD")
    filter_.get("/q")
    vms = filter_.envoy.process.vms
    failed = [vm for vm in vms if vm.wasm.failed]
    assert [vm.thread for vm in failed] == ["worker_0"]
    assert not next(vm for vm in vms if vm.kind == "base").wasm.failed
    filter_.tick(2_000)
    assert filter_.get("/none").status == 200
    assert failed[0] not in filter_.envoy.process.vms


def test_c27_another_plugin_of_the_failed_vm_gets_the_fresh_one() -> None:
    filter_ = _two_plugins()
    filter_.get("/q")
    filter_.tick(2_000)
    assert filter_.get("/none").status == 200
    workers = [vm for vm in filter_.envoy.process.vms if vm.thread == "worker_0"]
    assert [(vm.users, vm.wasm.failed) for vm in workers] == [(2, False)]


@pytest.mark.parametrize(
    ("case", "vms", "plugins", "workers"),
    [
        ("abi-life", 1, 1, 1),
        ("abi-life-workers-4", 1, 1, 4),
        ("abi-plugin-twice", 1, 1, 1),
        ("abi-plugins-one-vm", 1, 2, 1),
        ("abi-plugins-two-vms", 2, 2, 1),
        ("abi-plugins-three", 1, 3, 2),
        ("abi-plugins-mixed-workers", 2, 3, 4),
        ("abi-vm-keys", 4, 4, 1),
    ],
)
def test_c28_each_plugin_is_tried_once_in_a_canary(case: str, vms: int, plugins: int, workers: int) -> None:
    stats = truth(case).stats
    assert stats[ACTIVE] == vms * (workers + 2)
    assert stats[CREATED] == vms * (workers + 2) + plugins


@pytest.mark.parametrize(
    ("case", "bases"),
    [("abi-plugin-twice", 1), ("abi-plugins-one-vm", 1), ("abi-plugins-two-vms", 2), ("abi-vm-keys", 4)],
)
def test_c29_there_is_a_base_vm_for_each_id_configuration_and_code(case: str, bases: int) -> None:
    assert sum(text.startswith("Base Wasm created") for _, _, text in truth(case).other) == bases


def test_c30_a_configuration_that_the_plugin_refuses() -> None:
    result = truth("abi-refused-configure")
    assert not result.ready
    assert "Wasm VM failed Failed to configure base Wasm plugin" in errors_of(result)
    assert any(text == "Base Wasm created 1 now active" for _, _, text in result.other)


def test_c31_keys_differ_by_what_they_are_made_of() -> None:
    def spec(vm_id: str, vm: str, code: bytes, root: str, configuration: str) -> PluginSpec:
        setup = Setup(code, configuration, vm, root_id=root, vm_id=vm_id)
        manager = parse_bootstrap(setup.text()).static_resources.listeners[0].filter_chains[0].filters[0].typed_config
        assert isinstance(manager, HttpConnectionManager)
        wasm = manager.http_filters[0].typed_config
        assert isinstance(wasm, Wasm)
        return PluginSpec.of(wasm.config, code, {})

    names = ("1", "2")
    made = [spec(*parts) for parts in product(names, names, (b"1", b"2"), names, names)]
    assert len({each.vm_key for each in made}) == 2**3
    assert len({each.plugin.key for each in made}) == 2**5
    assert spec("1", "1", b"1", "1", "1").plugin.key == made[0].plugin.key


def test_c33_base_vms_end_with_envoy(wasm_filter: WasmFilterFactory) -> None:
    filter_ = wasm_filter(module_of("abi-life"))
    filter_.shut_down()
    assert filter_.envoy.process.vms == []
    assert truth("abi-life").other[-1][2] == "~Wasm 0 remaining active"


def test_c34_a_name_space_of_shared_data_can_be_forgotten() -> None:
    store = SharedData()
    store.set(b"one", b"key", b"1", 0)
    store.set(b"two", b"key", b"2", 0)
    store.forget(b"one")
    assert store.get(b"one", b"key") is None
    assert store.get(b"two", b"key") == (b"2", 2)


def test_c35_each_stream_belongs_to_the_root_of_its_plugin() -> None:
    created = calls(truth("abi-plugins-one-vm"), "proxy_on_context_create")
    assert created[:4] == [
        "[host->vm] proxy_on_context_create(1, 0)",
        "[host->vm] proxy_on_context_create(2, 0)",
        "[host->vm] proxy_on_context_create(3, 1)",
        "[host->vm] proxy_on_context_create(4, 2)",
    ]


# --- capabilities


def _restricted(wasm_filter: WasmFilterFactory, *capabilities: str) -> WasmFilter:
    filter_ = wasm_filter(module_of("abi-capabilities"), capabilities=capabilities)
    assert filter_.get().status == 200
    assert not filter_.failed
    return filter_


def test_c37_a_callback_that_is_not_allowed_is_not_called(wasm_filter: WasmFilterFactory) -> None:
    assert _restricted(wasm_filter, "proxy_log").activity.called("proxy_on_vm_start") == 0


def test_c38_host_functions_that_are_not_allowed_are_denied(wasm_filter: WasmFilterFactory) -> None:
    activity = _restricted(wasm_filter, "proxy_on_vm_start").activity
    assert activity.called("proxy_on_vm_start") > 0
    answers = {call.name: call.status for call in host_calls(activity)}
    assert answers == {"proxy_log": 10, "proxy_get_property": 10, "environ_sizes_get": 76, "proc_exit": None}
    assert activity.logs == []


def test_c39_one_more_host_function_is_one_more(wasm_filter: WasmFilterFactory) -> None:
    activity = _restricted(wasm_filter, "proxy_on_vm_start", "proxy_log").activity
    answers = {call.name: call.status for call in host_calls(activity)}
    assert (answers["proxy_log"], answers["proxy_get_property"], answers["environ_sizes_get"]) == (0, 10, 76)
    wasi = {call.name: call.status for call in host_calls(_restricted(wasm_filter, "environ_sizes_get").activity)}
    assert (wasi["proxy_log"], wasi["environ_sizes_get"]) == (10, 0)


def test_c40_one_more_callback_is_one_more(wasm_filter: WasmFilterFactory) -> None:
    before = _restricted(wasm_filter, "proxy_on_vm_start").activity
    after = _restricted(wasm_filter, "proxy_on_vm_start", "proxy_on_context_create").activity
    assert before.called("proxy_on_context_create") == 0
    assert after.called("proxy_on_context_create") > 0


def test_c41_clones_are_restricted_as_their_base_is() -> None:
    denied = "Attempted call to restricted proxy-wasm capability: proxy_log"
    assert {thread for thread, _, text in truth("abi-capabilities").other if text == denied} == {"main", "worker_0"}
