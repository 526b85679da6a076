from __future__ import annotations

import pytest
import wasmtime

from meshsim.abi.code import Code
from meshsim.abi.constants import AbiVersion
from meshsim.abi.dialect import VERSIONS, Dialect, stands_in
from meshsim.errors import ModuleError
from meshsim.wasm import FuncType, parse_module

_MARKED = parse_module(bytes(wasmtime.wat2wasm('(module (func (export "proxy_abi_version_0_2_100")))')))


def test_a_marker_of_higress_is_abi_0_2_1() -> None:
    assert Code.check_version(_MARKED, Dialect.HIGRESS) is AbiVersion.V0_2_1
    with pytest.raises(ModuleError, match="Missing or unknown Proxy-Wasm ABI version"):
        Code.check_version(_MARKED)


def test_every_dialect_knows_envoys_versions() -> None:
    assert all(set(VERSIONS[Dialect.ENVOY]) <= set(VERSIONS[dialect]) for dialect in Dialect)


@pytest.mark.parametrize(
    ("dialect", "module", "type_", "expected"),
    [
        (Dialect.HIGRESS, "env", FuncType("ii", "i"), True),
        (Dialect.HIGRESS, "env", FuncType("ii", ""), True),
        (Dialect.HIGRESS, "env", FuncType("", "I"), False),  # no status
        (Dialect.HIGRESS, "wasi_snapshot_preview1", FuncType("", "i"), False),
        (Dialect.HIGRESS, "env", None, False),  # no function
        (Dialect.ENVOY, "env", FuncType("ii", "i"), False),
    ],
)
def test_what_is_stood_in_for(dialect: Dialect, module: str, type_: FuncType | None, expected: bool) -> None:
    assert stands_in(dialect, module, type_) is expected
