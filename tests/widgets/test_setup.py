"""What if: bootstraps with other filters and broken modules, as Envoy would see them."""

from __future__ import annotations

from pathlib import Path

import pytest

import meshsim
from meshsim.abi.constants import AbiVersion
from meshsim.abi.signatures import offered
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.loader import load_bootstrap, parse_bootstrap
from meshsim.wasm import parse_module
from meshsim.widgets._setup import Setup, misspelt_import, mistyped_callback, plugin_configs

FOLDER = Path(meshsim.__file__).parent / "scenarios" / "first_filter"
HELLO = (FOLDER / "hello.wasm").read_bytes()


@pytest.fixture(scope="module")
def bootstrap() -> Bootstrap:
    return load_bootstrap(FOLDER / "envoy.yaml")


def _names(bootstrap: Bootstrap) -> list[str]:
    return [config.name for config in plugin_configs(bootstrap)]


def test_a_bootstrap_as_it_is(bootstrap: Bootstrap) -> None:
    setup = Setup.of(bootstrap, 2)
    assert setup.plugins == 1
    assert setup.changed == bootstrap


def test_more_filters_are_copies_of_the_last_before_the_router(bootstrap: Bootstrap) -> None:
    changed = Setup.of(bootstrap, 2).changed_to(plugins=3).changed
    assert _names(changed) == ["my-filter", "my-filter-2", "my-filter-3"]
    [manager] = [f.typed_config for f in changed.static_resources.listeners[0].filter_chains[0].filters]
    assert [each.name for each in manager.http_filters][-1] == "envoy.filters.http.router"  # type: ignore[union-attr]


def test_copies_share_the_vm_or_have_their_own(bootstrap: Bootstrap) -> None:
    setup = Setup.of(bootstrap, 2).changed_to(plugins=2)
    for own, ids in ((False, ["test-vm", "test-vm"]), (True, ["test-vm", "test-vm-2"])):
        configs = plugin_configs(setup.changed_to(own_vms=own).changed)
        assert [config.vm_config and config.vm_config.vm_id for config in configs] == ids


def test_fewer_filters_are_the_first_ones(bootstrap: Bootstrap) -> None:
    three = Setup.of(bootstrap, 1).changed_to(plugins=3).changed
    assert Setup.of(three, 1).plugins == 3
    assert _names(Setup.of(three, 1).changed_to(plugins=2).changed) == ["my-filter", "my-filter-2"]
    assert _names(Setup.of(three, 1).changed_to(plugins=0).changed) == []


def test_a_bootstrap_without_wasm_stays_as_it_is() -> None:
    empty = parse_bootstrap("node: {id: x}")
    setup = Setup.of(empty, 1).changed_to(plugins=3)
    assert setup.changed == empty
    assert setup.faults == ("none",)


def test_a_misspelt_import_is_the_only_one_that_the_host_has_not() -> None:
    code = misspelt_import(HELLO)
    assert code is not None
    known = {name for _, name in offered(AbiVersion.V0_2_1)}
    imports = [each.name for each in parse_module(code).imports]
    assert [name for name in imports if name not in known] == ["proxy_add_header_map_valus"]


def test_a_mistyped_callback_is_the_same_each_time() -> None:
    code = mistyped_callback(HELLO)
    assert code is not None
    assert code == mistyped_callback(HELLO)
    exports = {each.name: str(each.type) for each in parse_module(code).exports}
    assert exports["proxy_on_tick"] == "(i32) -> i32"  # Envoy wants it without a result
    assert "proxy_on_done" not in exports


@pytest.mark.parametrize("code", [b"", b"no module", b"\0asm\1\0\0\0"])
def test_what_cannot_be_broken_is_not_offered(code: bytes) -> None:
    assert misspelt_import(code) is None
    assert mistyped_callback(code) is None
