"""One guest: an instance of a module with its own memory, its host functions, its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from meshsim.errors import MeshsimError
from meshsim.wasm import rawcall
from meshsim.wasm.capi import NULL_KINDS
from meshsim.wasm.engine import Compiled
from meshsim.wasm.marshal import SCALARS
from meshsim.wasm.memory import Memory
from meshsim.wasm.selftest import self_test
from meshsim.wasm.types import FuncType, HostImport, Import, Limits, UnresolvedImport

FULL_TANK = 1 << 62
"""Fuel of a guest without a limit: centuries."""


class Vm:
    """A fresh instance of a compiled module, linked to host functions.

    A VM shares compiled code with other VMs of the module and nothing else. It belongs to one thread at a time. It is
    freed by :meth:`close` or when nobody refers to it, or to one of its functions, any more.

    Parameters
    ----------
    compiled : Compiled
        The module.
    imports : mapping of (str, str) to HostImport
        Module and name -> function; what the module does not ask for is ignored.
    limits : Limits
        How far the guest may go.

    Attributes
    ----------
    memory : Memory
        The memory that the host reads and writes: the last one that the module exports, under any name, or else the
        one that it imports (both seen in Envoy 1.40). Of size 0 when there is none, and until the VM is made.
    limits : Limits
        As given.
    instantiation_fuel : int
        Fuel that the start function and the initialisation of memory took.

    Raises
    ------
    UnresolvedImport
        The first import, in the module's order, that has no match. Functions must have the very type of the
        :class:`HostImport`. Imported memories and tables are made here, as Envoy makes them; imported globals and
        tags are refused.
    ModuleError
        The limits leave no room for the module's memory or tables.
    GuestTrap
        From the module's start function.
    MeshsimError
        This wasmtime cannot be driven; says which one can.

    Examples
    --------
    >>> import wasmtime
    >>> from meshsim.wasm import Engine
    >>> wat = '''(module (import "env" "twice" (func $twice (param i32) (result i32)))
    ...   (func (export "run") (param i32) (result i32) (call $twice (local.get 0))))'''
    >>> one_to_one = FuncType("i", "i")
    >>> twice = HostImport(one_to_one, lambda n: 2 * n)
    >>> vm = Vm(Engine().compile(wasmtime.wat2wasm(wat)), {("env", "twice"): twice})
    >>> vm.function("run", one_to_one)(21)
    42
    """

    def __init__(
        self, compiled: Compiled, imports: Mapping[tuple[str, str], HostImport], limits: Limits | None = None
    ) -> None:
        self_test()
        facts = compiled.facts
        hosts = [_resolve(wanted, imports) for wanted in facts.imports]
        self.limits = Limits() if limits is None else limits
        self._compiled = compiled
        self._native, module = compiled.native(interruptible=self.limits.deadline_s is not None)
        slots = max((len(host.type.params) for host in hosts if host is not None), default=0)
        store = self._store = rawcall.Store(self._native.engine, self.limits.memory_bytes, slots)
        self._types = {export.name: export.type for export in facts.exports if export.kind == "func"}
        self._functions: dict[str, Callable[..., Any]] = {}
        self._spent = 0
        self._tank = 0
        self.memory = Memory(store)
        self._prepare()
        externs = self._link(module, hosts)
        store.instantiate(module, externs)
        self.instantiation_fuel = self.fuel_used
        self._spent -= self.instantiation_fuel
        self._attach_memory(externs)

    def function(self, name: str, type: FuncType) -> Callable[..., Any] | None:
        """The exported function of that name and type; None when there is none, or one of another type.

        The callable takes ints (signed or unsigned; floats for f32 and f64), and returns an unsigned int, a float,
        or None when the type has no result. It raises what a host function raised, the very object;
        :class:`~meshsim.errors.GuestTrap`; :class:`~meshsim.errors.DeadlineExceeded`.
        """
        if self._types.get(name) != type or not _callable(type):
            return None
        function = self._functions.get(name)
        if function is None:
            function = self._store.function(self._store.export(name), type)
            if self.limits.fuel_per_call is not None or self.limits.deadline_s is not None:
                function = self._limited(function)
            self._functions[name] = function
        return function

    @property
    def fuel_used(self) -> int:
        """Fuel that the guest has burnt since it was made, without :attr:`instantiation_fuel`."""
        return self._spent if self._store.closed else self._spent + self._tank - self._store.fuel()

    def close(self) -> None:
        """Free the VM. Its memory then has size 0, its functions raise MeshsimError; closing twice is nothing."""
        if not self._store.closed:
            self._spent = self.fuel_used
            self._store.close()
            self.memory.detach()

    def _link(self, module: Any, hosts: list[HostImport | None]) -> list[Any]:
        """An extern for each import: the host's function, or a new memory or table."""
        with rawcall.import_types(module) as types:
            return [
                self._extern(wanted, host, type_)
                for wanted, host, type_ in zip(self._compiled.facts.imports, hosts, types, strict=True)
            ]

    def _extern(self, wanted: Import, host: HostImport | None, extern_type: Any) -> Any:
        if host is not None:
            return self._store.host_function(extern_type, host)
        if wanted.element is not None:
            return self._store.new_table(extern_type, wanted.element)
        return self._store.new_memory(extern_type)

    def _attach_memory(self, externs: list[Any]) -> None:
        facts = self._compiled.facts
        exported = [export.name for export in facts.exports if export.kind == "memory"]
        imported = [e for e, wanted in zip(externs, facts.imports, strict=True) if wanted.kind == "memory"]
        extern = self._store.export(exported[-1]) if exported else imported[-1] if imported else None
        reserved = self._native.settings.memory_reservation
        wide = any(memory.wide for memory in facts.memories)
        if extern is not None:
            self.memory.attach(extern, movable=wide or reserved < self.limits.memory_bytes)

    def _limited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` within the limits; a call from inside a call lives on the outer one's fuel and time."""
        store = self._store

        def call(*arguments: float) -> Any:
            if store.depth == 0:
                self._prepare()
            return function(*arguments)

        return call

    def _prepare(self) -> None:
        """Fill the tank and set the alarm, for one call from outside."""
        limits, store = self.limits, self._store
        self._spent = self.fuel_used
        self._tank = FULL_TANK if limits.fuel_per_call is None else limits.fuel_per_call
        store.set_fuel(self._tank)
        if limits.deadline_s is not None:
            store.set_epoch_deadline(self._native.watchdog.ticks(limits.deadline_s))


def _resolve(wanted: Import, imports: Mapping[tuple[str, str], HostImport]) -> HostImport | None:
    """The host's function for an import; None for what the VM makes itself."""
    if wanted.kind == "memory" or (wanted.element is not None and wanted.element in NULL_KINDS):
        return None
    host = imports.get((wanted.module, wanted.name)) if wanted.kind == "func" else None
    if host is None:
        raise UnresolvedImport(wanted)
    if host.type != wanted.type:
        raise UnresolvedImport(wanted, host.type)
    if not _callable(host.type):
        raise MeshsimError(f"a host function of type {host.type} is not possible", where=str(wanted))
    return host


def _callable(type_: FuncType) -> bool:
    """Values of this type can pass between Python and a guest."""
    return len(type_.results) <= 1 and SCALARS.issuperset(type_.params + type_.results)
