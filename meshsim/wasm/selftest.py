"""Does the installed wasmtime speak the C API that is declared here? Asked once, before the first VM is made."""

from __future__ import annotations

import functools
import importlib.metadata
from collections.abc import Callable

import wasmtime

from meshsim.errors import GuestTrap, MeshsimError
from meshsim.wasm import rawcall
from meshsim.wasm.capi import ImportTypes, engine_pointer, module_pointer
from meshsim.wasm.types import FuncType, HostImport

WASMTIME_MAJOR = 50

REMEDY = f"pip install 'wasmtime>={WASMTIME_MAJOR},<{WASMTIME_MAJOR + 1}'"

_SELF_TEST = """
(module
  (import "" "host" (func $host (param i32 i64 f64) (result i64)))
  (memory (export "memory") 1)
  (data (i32.const 8) "meshsim")
  (func (export "trap") unreachable)
  (func (export "run") (param i32 i64 f64) (result i64)
    (drop (memory.grow (i32.const 1)))
    (call $host (local.get 0) (local.get 1) (local.get 2))))
"""


def wasmtime_version() -> str:
    """The version of the installed wasmtime, which must be of the major version that is declared here.

    Raises
    ------
    MeshsimError
        It is of another one.
    """
    version = importlib.metadata.version("wasmtime")
    if version.partition(".")[0] != str(WASMTIME_MAJOR):
        raise MeshsimError(f"wasmtime {version} is installed, meshsim speaks to {WASMTIME_MAJOR}", remedy=REMEDY)
    return version


@functools.cache
def self_test() -> None:
    """Run the declarations of :mod:`meshsim.wasm.capi` once; the first VM of a process does it.

    Raises
    ------
    MeshsimError
        The installed ``wasmtime`` is of another version than the one whose C API is declared, or behaves otherwise.
    """
    version = wasmtime_version()
    for what, works in _results():
        if not works:
            raise MeshsimError(f"wasmtime {version} does not behave as expected: {what}", remedy=REMEDY)


def _results() -> list[tuple[str, bool]]:
    seen: list[object] = []
    boom = KeyError("boom")

    def host(a: int, b: int, c: float) -> int:
        seen.append((a, b, c))
        if a == 0:
            raise boom
        return -1

    engine = wasmtime.Engine()
    module = wasmtime.Module(engine, _SELF_TEST)
    type_ = FuncType("iIF", "I")
    store = rawcall.Store(engine_pointer(engine), 1 << 20, 3)
    types = ImportTypes(module)
    instance = store.instantiate(module_pointer(module), [store.host_function(types[0], HostImport(type_, host))])
    run = store.function(store.export(instance, "run"), type_)
    window, size = store.window(store.export(instance, "memory"))
    results = [("memory", (window[8:15], size) == (b"meshsim", 1 << 16))]
    results.append(("results", run(1 << 31, 1 << 63, -0.5) == (1 << 64) - 1))
    results.append(("arguments", seen == [(1 << 31, 1 << 63, -0.5)]))
    results.append(("memory.grow", store.window(store.export(instance, "memory"))[1] == 2 << 16))
    results.append(("exceptions of host functions", _raised(run, 0, 0, 0.0) is boom))
    trap = _raised(store.function(store.export(instance, "trap"), FuncType("", "")))
    results.append(("traps", isinstance(trap, GuestTrap) and trap.code == "unreachable" and len(trap.frames) == 1))
    store.close()
    return results


def _raised(call: Callable[..., object], *arguments: object) -> BaseException | None:
    try:
        call(*arguments)
    except (KeyError, GuestTrap) as error:
        return error
    return None
