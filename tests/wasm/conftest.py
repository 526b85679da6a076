"""Tiny guests in the text format."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import wasmtime

from meshsim.wasm import Engine, FuncType, HostImport, Limits, Vm


@pytest.fixture(scope="session")
def engine() -> Engine:
    return Engine()


@pytest.fixture(scope="session")
def make_vm(engine: Engine) -> Callable[..., Vm]:
    """Make a VM from text and from host functions by ``name:params->results``, all imported from ``env``."""

    def make(wat: str, hosts: Mapping[str, Callable[..., object]] | None = None, limits: Limits | None = None) -> Vm:
        imports = {}
        for signature, fn in (hosts or {}).items():
            name, _, type_ = signature.partition(":")
            params, _, results = type_.partition("->")
            imports["env", name] = HostImport(FuncType(params, results), fn)  # type: ignore[arg-type]
        return Vm(engine.compile(bytes(wasmtime.wat2wasm(wat))), imports, limits)

    return make
