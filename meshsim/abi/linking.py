"""Binding a module's imports to host functions, refusing what the host does not offer.

Nothing is bound that the module does not call. When crossings are wanted, each function is wrapped once; without
that the guest calls the Python method itself, and later perhaps a function of the shim (:mod:`meshsim.abi.shim`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from meshsim.abi.allowance import AllowanceExceeded
from meshsim.abi.constants import LogLevel, Status
from meshsim.abi.contents import MOST_CALLS, Contents
from meshsim.abi.events import Crossing, Direction, Event
from meshsim.abi.hostcalls import HostCalls, Refusal
from meshsim.abi.signatures import BOARD, ENV, HOST_FUNCTIONS, SLOTS, WASI_MODULES, HostFunction
from meshsim.abi.traps import within
from meshsim.abi.wasi import NOTCAPABLE, Wasi
from meshsim.errors import LinkError, MeshsimError
from meshsim.wasm import FuncType, HostImport, Memory, Relayed

if TYPE_CHECKING:
    from meshsim.abi.proxy_wasm import ProxyWasm

_CLOCKS = frozenset({"proxy_get_current_time_nanoseconds", "clock_time_get"})

HostCall = Callable[..., int | None]


def link(wasm: ProxyWasm) -> Relayed | dict[tuple[str, str], HostImport]:
    """Return what stands for the module's imports; raise :class:`LinkError` where the host has nothing.

    Imports go through a table, which costs the guest no fuel of its own but burns some of the tank: where a call's
    fuel is limited, each is linked to its host function instead. So is a module with imports that no table has.
    """
    if wasm.code.refusal is not None:
        raise LinkError(wasm.code.refusal)
    bind, strangers = Binder(wasm), wasm.code.unimplemented
    if wasm.limits.fuel_per_call is None and not strangers:
        return Relayed(BOARD, bind)
    return {
        (wanted.module, wanted.name): HostImport(
            wanted.type,
            bind.stand_in(wanted.name, wanted.type)
            if wanted.name in strangers
            else bind(SLOTS[wanted.module, wanted.name]),
        )
        for wanted in wasm.code.compiled.facts.imports
        if wanted.type is not None
    }


class Binder:
    """Makes the host function of a slot."""

    def __init__(self, wasm: ProxyWasm) -> None:
        self._wasm = wasm
        self._proxy, self._wasi = HostCalls(wasm), Wasi(wasm)

    def __call__(self, slot: int) -> HostCall:
        function = HOST_FUNCTIONS[slot]
        owner: object = self._wasi if function.module in WASI_MODULES else self._proxy
        bound = _bind(self._wasm, getattr(owner, function.name), function)
        shim = self._wasm.shim
        return bound if shim is None else shim.synced(bound, function.name)

    def stand_in(self, name: str, type_: FuncType) -> HostCall:
        """Make the host function of an import that the host has not: it says so each time, and does nothing."""
        answer = Status.UNIMPLEMENTED if type_.results else None

        def host_call(*_: int) -> int | None:
            self._wasm.host.report(LogLevel.WARN, f"Call to an unimplemented host function: {name}")
            return answer

        record = self._wasm.record
        return host_call if record is None else _traced(self._wasm, host_call, f"{ENV}.{name}", record)


def _bind(wasm: ProxyWasm, call: HostCall, function: HostFunction) -> HostCall:
    host = wasm.host
    call = wasm.allowance.weighed(function.name, call)
    bound = _checked(wasm, call, function.name, len(function.type.params))
    if wasm.record is not None:
        bound = _traced(wasm, bound, f"{function.module}.{function.name}", wasm.record)
    return bound if host.hand_over is None else _in_turn(wasm, bound, host.hand_over)


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
        except MeshsimError as error:
            within(error, name)
            raise

    def five(a: int, b: int, c: int, d: int, e: int) -> int | None:
        if wasm.allowed is not None and name not in wasm.allowed:
            raise wasm.forbidden()
        if charge:
            charge()
        try:
            return call(a, b, c, d, e)
        except Refusal as refusal:
            return refusal.status
        except MeshsimError as error:
            within(error, name)
            raise

    def many(*arguments: int) -> int | None:
        if wasm.allowed is not None and name not in wasm.allowed:
            raise wasm.forbidden()
        if charge:
            charge()
        try:
            return call(*arguments)
        except Refusal as refusal:
            return refusal.status
        except MeshsimError as error:
            within(error, name)
            raise

    shapes: dict[int, HostCall] = {3: three, 5: five}
    return shapes.get(arity, many)


def _denied(wasm: ProxyWasm, name: str) -> HostCall:
    """Stand for a function that the configuration withholds: it logs and refuses, where it may be called at all."""
    proxy = name.startswith("proxy_")
    kind = "proxy-wasm" if proxy else "WASI"
    answer = None if name == "proc_exit" else Status.INTERNAL_FAILURE if proxy else NOTCAPABLE

    def host_call(*_: int) -> int | None:
        if wasm.allowed is not None and name not in wasm.allowed:
            raise wasm.forbidden()
        wasm.host.report(LogLevel.ERROR, f"Attempted call to restricted {kind} capability: {name}")
        return answer

    return host_call


def _in_turn(wasm: ProxyWasm, call: HostCall, hand_over: Callable[[], None]) -> HostCall:
    """Make a call only when everybody whose time is earlier has gone on, so that host calls happen in order of time."""

    def host_call(*arguments: int) -> int | None:
        wasm.charge_so_far()
        hand_over()
        return call(*arguments)

    return host_call


def _traced(wasm: ProxyWasm, call: HostCall, name: str, record: Callable[[Event], None]) -> HostCall:
    contents, keep = Contents(name), wasm.allowance.keep

    def host_call(*arguments: int) -> int | None:
        memory: Memory | None = getattr(wasm, "memory", None)  # none yet in a module's start section
        if wasm.shown_calls >= MOST_CALLS:
            memory = None
        wasm.shown_calls += 1
        try:
            given = contents.before(memory, arguments) if memory else ()
            keep(sum(len(content.data) for content in given))
            record(Crossing(Direction.VM_CALLS_HOST, name, arguments, given))
            result = call(*arguments)
            got = contents.after(memory, arguments, result) if memory else ()
            keep(sum(len(content.data) for content in got))
            record(Crossing(Direction.HOST_RETURNS, name, () if result is None else (int(result),), got))
        except AllowanceExceeded as error:
            if not error.where:
                within(error, name)
            raise
        return result

    return host_call
