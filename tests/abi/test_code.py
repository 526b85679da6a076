from __future__ import annotations

import pytest
import wasmtime

from meshsim.abi.code import Code
from meshsim.abi.constants import AbiVersion
from meshsim.errors import ModuleError
from meshsim.wasm import ModuleFacts, parse_module
from tests.abi.conftest import module


def facts(text: str) -> ModuleFacts:
    return parse_module(bytes(wasmtime.wat2wasm(text)))


@pytest.mark.parametrize("version", AbiVersion)
def test_the_marker_says_the_version(version: AbiVersion) -> None:
    assert Code.check_version(facts(module(version=version))) is version


def test_the_first_marker_counts() -> None:
    text = module('(func (export "proxy_abi_version_0_1_0"))', version="0_2_0")
    assert Code.check_version(facts(text)) is AbiVersion.V0_2_0


@pytest.mark.parametrize("text", ["(module)", '(module (func (export "proxy_abi_version_0_3_0")))'])
def test_a_module_without_a_known_marker_is_refused(text: str) -> None:
    with pytest.raises(ModuleError, match="Missing or unknown Proxy-Wasm ABI version"):
        Code.check_version(facts(text))
