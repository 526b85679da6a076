from __future__ import annotations

from collections import Counter

import pytest

from meshsim.abi.constants import AbiVersion
from meshsim.abi.hostcalls import HostCalls
from meshsim.abi.signatures import (
    ALLOCATING,
    CALLBACKS,
    HOST_FUNCTIONS,
    STARTING,
    WASI_MODULES,
    Callback,
    HostFunction,
    callbacks,
    func_type,
    offered,
)
from meshsim.abi.wasi import Wasi


@pytest.mark.parametrize("version", AbiVersion)
def test_a_version_has_each_function_once(version: AbiVersion) -> None:
    functions = Counter((f.module, f.name) for f in HOST_FUNCTIONS if version in f.versions)
    assert max(functions.values()) == 1
    assert offered(version).keys() == functions.keys()
    called = Counter(c.name for c in CALLBACKS if version in c.versions)
    assert max(called.values()) == 1
    assert callbacks(version).keys() == called.keys()


@pytest.mark.parametrize("function", [*HOST_FUNCTIONS, *CALLBACKS], ids=lambda f: f.name)
def test_an_entry_is_whole(function: HostFunction | Callback) -> None:
    assert set(function.type.params) <= set("iI")
    assert function.type.results in ("", "i")
    assert function.versions
    assert function.meaning


@pytest.mark.parametrize("function", HOST_FUNCTIONS, ids=lambda f: f"{f.module}.{f.name}")
def test_a_host_function_takes_what_the_table_says(function: HostFunction) -> None:
    method = vars(Wasi).get(function.name) if function.module in WASI_MODULES else getattr(HostCalls, function.name)
    if method is not None:
        assert method.__code__.co_argcount - 1 == len(function.type.params)
    else:
        assert function.module in WASI_MODULES, "what Envoy refuses in WASI has one answer for all"


def test_every_public_method_is_an_import() -> None:
    names = {f.name for f in HOST_FUNCTIONS}
    for owner in (HostCalls, Wasi):
        assert {name for name in dir(owner) if not name.startswith("_")} <= names


def test_what_a_starting_or_allocating_module_may_call_exists() -> None:
    names = {f.name for f in HOST_FUNCTIONS}
    assert names >= STARTING
    assert ALLOCATING < STARTING


@pytest.mark.parametrize(
    ("name", "versions"),
    [
        ("proxy_get_configuration", {"0_1_0"}),
        ("proxy_continue_request", {"0_1_0"}),
        ("proxy_continue_response", {"0_1_0"}),
        ("proxy_clear_route_cache", {"0_1_0"}),
        ("proxy_continue_stream", {"0_2_0", "0_2_1"}),
        ("proxy_close_stream", {"0_2_0", "0_2_1"}),
        ("proxy_get_log_level", {"0_2_1"}),
        ("proxy_log", {"0_1_0", "0_2_0", "0_2_1"}),
    ],
)
def test_what_changed_between_versions(name: str, versions: set[str]) -> None:
    assert {version.value for version in AbiVersion if ("env", name) in offered(version)} == versions


def test_headers_callbacks_learnt_of_the_streams_end_in_0_2_0() -> None:
    for name in ("proxy_on_request_headers", "proxy_on_response_headers"):
        types = [callbacks(version)[name].type for version in AbiVersion]
        assert types == [func_type("ii>i"), func_type("iii>i"), func_type("iii>i")]


def test_wasi_is_the_same_under_both_names() -> None:
    first, second = ({f.name: f.type for f in HOST_FUNCTIONS if f.module == module} for module in WASI_MODULES)
    assert first == second
