"""Binding a module's imports to host functions, refusing what the host does not offer.

Nothing is bound that the module does not import. When crossings are wanted, each function is wrapped once, at
link time; without that the guest calls the Python method itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from meshsim.abi.constants import LogLevel, Status
from meshsim.abi.events import Crossing, Direction, Event
from meshsim.abi.hostcalls import HostCalls, Refusal
from meshsim.abi.signatures import WASI_MODULES, HostFunction, offered
from meshsim.abi.wasi import NOTCAPABLE, Wasi
from meshsim.errors import LinkError
from meshsim.wasm import FuncType, HostImport

if TYPE_CHECKING:
    from meshsim.abi.proxy_wasm import ProxyWasm

#: Kinds of imports that no host function stands for: the VM makes them.
_MADE_BY_VM = frozenset({"memory", "table"})

_CLOCKS = frozenset({"proxy_get_current_time_nanoseconds", "clock_time_get"})

HostCall = Callable[..., int | None]

_TYPE_WORDS = {"i": "i32", "I": "i64", "f": "f32", "F": "f64", "v": "v128", "r": "funcref", "x": "externref"}


def link(wasm: ProxyWasm) -> dict[tuple[str, str], HostImport]:
    """Return a host function for each import of the module; raise :class:`LinkError` in Envoy's words."""
    proxy, wasi = HostCalls(wasm), Wasi(wasm)
    available = offered(wasm.version)
    bound: dict[tuple[str, str], HostImport] = {}
    for wanted in wasm.code.compiled.facts.imports:
        if wanted.kind in _MADE_BY_VM:
            continue
        key = wanted.module, wanted.name
        function = available.get(key)
        if function is None or wanted.type is None:
            raise LinkError(f"Failed to load Wasm module due to a missing import: {wanted.module}.{wanted.name}")
        if function.type != wanted.type:
            raise LinkError(_mismatch(function, wanted.type))
        owner: object = wasi if wanted.module in WASI_MODULES else proxy
        bound[key] = HostImport(function.type, _bind(wasm, getattr(owner, wanted.name), function))
    return bound


def _mismatch(offer: HostFunction, wanted: FuncType) -> str:
    return (
        "Failed to load Wasm module due to an import type mismatch: "
        f"{offer.module}.{offer.name}, want: {type_words(wanted)}, but host exports: {type_words(offer.type)}"
    )


def type_words(type_: FuncType) -> str:
    """Write a type as Envoy does.

    Examples
    --------
    >>> type_words(FuncType("iI", ""))
    'i32 i64 -> void'
    """
    params, results = (" ".join(_TYPE_WORDS[letter] for letter in side) for side in (type_.params, type_.results))
    return f"{params or 'void'} -> {results or 'void'}"


def _bind(wasm: ProxyWasm, call: HostCall, function: HostFunction) -> HostCall:
    bound = _checked(wasm, call, function.name, len(function.type.params))
    return bound if wasm.host.record is None else _traced(bound, f"{function.module}.{function.name}", wasm.host.record)


def _checked(wasm: ProxyWasm, call: HostCall, name: str, arity: int) -> HostCall:
    """Trap where the function is not allowed now; turn a refusal into the status that the guest gets.

    The common numbers of arguments are written out: passing them on as a tuple costs as much as the rest of this.
    """
    if not wasm.may(name):
        return _denied(wasm, name)
    meter = wasm.host.meter
    # A clock charges for its readings itself.
    charge = meter.host_call if meter is not None and name not in _CLOCKS else None

    def three(a: int, b: int, c: int) -> int | None:
        if wasm.allowed is not None and name not in wasm.allowed:
            raise wasm.forbidden()
        if charge:
            charge()
        try:
            return call(a, b, c)
        except Refusal as refusal:
            return refusal.status

    def five(a: int, b: int, c: int, d: int, e: int) -> int | None:
        if wasm.allowed is not None and name not in wasm.allowed:
            raise wasm.forbidden()
        if charge:
            charge()
        try:
            return call(a, b, c, d, e)
        except Refusal as refusal:
            return refusal.status

    def many(*arguments: int) -> int | None:
        if wasm.allowed is not None and name not in wasm.allowed:
            raise wasm.forbidden()
        if charge:
            charge()
        try:
            return call(*arguments)
        except Refusal as refusal:
            return refusal.status

    shapes: dict[int, HostCall] = {3: three, 5: five}
    return shapes.get(arity, many)


def _denied(wasm: ProxyWasm, name: str) -> HostCall:
    """Stand for a function that the configuration withholds: it logs and refuses."""
    proxy = name.startswith("proxy_")
    kind = "proxy-wasm" if proxy else "WASI"
    answer = None if name == "proc_exit" else Status.INTERNAL_FAILURE if proxy else NOTCAPABLE

    def host_call(*_: int) -> int | None:
        wasm.host.report(LogLevel.ERROR, f"Attempted call to restricted {kind} capability: {name}")
        return answer

    return host_call


def _traced(call: HostCall, name: str, record: Callable[[Event], None]) -> HostCall:
    def host_call(*arguments: int) -> int | None:
        record(Crossing(Direction.VM_CALLS_HOST, name, arguments))
        result = call(*arguments)
        record(Crossing(Direction.HOST_RETURNS, name, () if result is None else (int(result),)))
        return result

    return host_call
