"""Modules of Higress: refused as Envoy refuses them, or run as what they are."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from meshsim.envoy.replay import replay
from meshsim.errors import MeshsimError
from meshsim.reference.compare import render
from meshsim.reference.truth import record
from meshsim.sim import Level
from meshsim.testing import WasmFilter, WasmFilterFactory
from meshsim.testing.bootstrap import Setup
from tests.envoy.conftest import MakeEnvoy
from tests.envoy.higress.plugins import PACKAGE, PLUGINS, Plugin, packaged, under_the_other_marker

_NAMED = {"argnames": "plugin", "ids": lambda plugin: plugin.name}
_REDIS = "Host functions that Envoy has not, each answers 12 (unimplemented): proxy_redis_init, proxy_redis_call"


@pytest.fixture
def real() -> None:
    """Skip where the package with the filters is missing, which ``make higress`` installs."""
    if packaged() is None:
        pytest.skip(f"not installed: {PACKAGE.replace('_', '-')}")


@pytest.fixture
def redis(repository: Path) -> Path:
    """A small module of Higress's ABI that wants Redis."""
    return repository / "tests" / "envoy" / "modules" / "higress-redis.wasm"


# --- a small guest


def test_an_import_that_envoy_has_not_is_unimplemented_and_named(wasm_filter: WasmFilterFactory, redis: Path) -> None:
    filter_ = wasm_filter(redis, abi="higress")
    reply = filter_.get()
    assert reply.logs == [("info", "12"), ("info", "12")]
    assert "[vm<-host] env.proxy_redis_call return: 12" in reply.trace
    other = [
        entry.event.text for entry in filter_.activity.facts.entries if getattr(entry.event, "guest", True) is False
    ]
    assert other.count(_REDIS) == 1
    assert "Call to an unimplemented host function: proxy_redis_call" in other


@pytest.mark.parametrize("level", Level)
def test_it_is_unimplemented_at_every_level_of_recording(redis: Path, level: Level) -> None:
    filter_ = WasmFilter.load(Setup(redis), abi="higress", level=level)
    assert [filter_.get().status for _ in range(2)] == [200, 200]


def test_modules_of_envoy_run_as_ever(wasm_filter: WasmFilterFactory, repository: Path) -> None:
    hello = repository / "modules" / "hello" / "hello-wat.wasm"
    assert wasm_filter(hello, abi="higress").get().trace == wasm_filter(hello).get().trace


def test_an_import_of_another_module_is_missing_all_the_same(make_envoy: MakeEnvoy) -> None:
    with pytest.raises(MeshsimError, match="Unable to create Wasm plugin p"):
        make_envoy(imports='(import "other" "thing" (func))', abi="higress")
    with pytest.raises(MeshsimError, match="Unable to create Wasm plugin p"):
        make_envoy(imports='(import "env" "proxy_thing" (func (result i64)))', abi="higress")


def test_an_unknown_dialect_is_told(make_envoy: MakeEnvoy) -> None:
    with pytest.raises(MeshsimError, match="abi: 'apisix' is none of envoy, higress"):
        make_envoy(abi="apisix")


# --- the real ones


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(**_NAMED, argvalues=PLUGINS)
def test_a_real_filter_is_refused_as_envoy_refuses_it(plugin: Plugin, tmp_path: Path) -> None:
    truth = plugin.truth("refused")
    assert truth.modules == {"plugin.wasm": sha256(plugin.module).hexdigest()}
    case = plugin.case(tmp_path, plugin.module)
    comparison = case.compare(replay(case.bootstrap, case.requests()), truth.result, words=True)
    assert comparison.identical, render(comparison)
    assert not truth.result.ready


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(**_NAMED, argvalues=[plugin for plugin in PLUGINS if not plugin.wants_redis])
def test_a_real_filter_does_what_it_does_in_envoy_under_another_marker(plugin: Plugin, tmp_path: Path) -> None:
    truth = plugin.truth("ran")
    assert truth.modules == {"plugin.wasm": sha256(under_the_other_marker(plugin.module)).hexdigest()}
    case = plugin.case(tmp_path, plugin.module)
    result = replay(case.bootstrap, case.requests(), abi="higress")
    assert result.ready
    comparison = case.compare(result, truth.result)
    assert comparison.identical, render(comparison)


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(**_NAMED, argvalues=[plugin for plugin in PLUGINS if plugin.wants_redis])
def test_a_real_filter_lives_without_redis(plugin: Plugin, wasm_filter: WasmFilterFactory) -> None:
    filter_ = wasm_filter(plugin.module, name=plugin.name, configuration=plugin.configuration, abi="higress")
    assert ("warning", "failed to init redis: error status returned by host: unimplemented, will retry later") in (
        filter_.logs
    )
    assert filter_.get().status == 200


@pytest.mark.usefixtures("real")
def test_what_real_filters_answer(wasm_filter: WasmFilterFactory) -> None:
    by_name = {plugin.name: plugin for plugin in PLUGINS}
    acl, transformer = by_name["gpustack-ip-acl"], by_name["transformer"]
    denied = wasm_filter(acl.module, configuration=acl.configuration, abi="higress").get(
        headers={"x-mse-consumer": "me"}
    )
    assert (denied.status, denied.is_local) == (403, True)
    passed = wasm_filter(transformer.module, configuration=transformer.configuration, abi="higress").get(
        headers={"x-gone": "1"}
    )
    assert passed.request_headers["x-added"] == "by-transformer"
    assert "x-gone" not in passed.request_headers


@pytest.mark.envoy
@pytest.mark.usefixtures("real")
def test_what_is_recorded_still_holds(tmp_path: Path) -> None:
    plugin = PLUGINS[-1]
    for what, module in (("refused", plugin.module), ("ran", under_the_other_marker(plugin.module))):
        case = plugin.case(tmp_path, module)
        comparison = case.compare(record(case).result, plugin.truth(what).result)
        assert comparison.identical, render(comparison)
