"""Dialects of Proxy-Wasm: modules of other hosts, which Envoy itself refuses.

Higress is a gateway made of Envoy with a host of its own. Its modules carry the marker ``proxy_abi_version_0_2_100``:
the ABI 0.2.1, and functions that only that host has (``proxy_redis_call``). Run as that dialect, such a function is
there, does nothing, and answers UNIMPLEMENTED.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

from meshsim.abi.constants import AbiVersion

if TYPE_CHECKING:
    from meshsim.wasm import FuncType


class Dialect(StrEnum):
    """Whose modules are taken."""

    ENVOY = "envoy"
    HIGRESS = "higress"


#: By dialect: the versions that markers name, and the ABI version that each is here.
VERSIONS: Mapping[Dialect, Mapping[str, AbiVersion]] = {
    Dialect.ENVOY: {version.value: version for version in AbiVersion},
    Dialect.HIGRESS: {version.value: version for version in AbiVersion} | {"0_2_100": AbiVersion.V0_2_1},
}


def stands_in(dialect: Dialect, module: str, type_: FuncType | None) -> bool:
    """Whether something stands for an import that the host has not: a function of ``env`` that can say so."""
    return dialect is not Dialect.ENVOY and module == "env" and type_ is not None and type_.results in ("", "i")
