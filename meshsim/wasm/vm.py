"""One guest: an instance of a module with its own memory, its host functions, its limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from meshsim.errors import MeshsimError
from meshsim.wasm import rawcall
from meshsim.wasm.capi import NULL_KINDS
from meshsim.wasm.engine import Compiled
from meshsim.wasm.exchange import MAX_PARAMS, Board, Call, Exchange, relay_text
from meshsim.wasm.marshal import SCALARS
from meshsim.wasm.memory import Memory
from meshsim.wasm.selftest import self_test
from meshsim.wasm.tally import Tally
from meshsim.wasm.types import FuncType, HostImport, Import, Limits, UnresolvedImport

FULL_TANK = 1 << 62
"""Fuel of a guest without a limit: centuries."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """Imports that go through a table: ``bind`` gives the Python function of a slot of ``board`` when it is called."""

    board: Board
    bind: Callable[[int], Call]


class Vm:
    """A fresh instance of a compiled module, linked to host functions.

    A VM shares compiled code with other VMs of the module and nothing else. It belongs to one thread at a time. It is
    freed by :meth:`close` or when nobody refers to it, or to one of its functions, any more.

    Parameters
    ----------
    compiled : Compiled
        The module.
    imports : mapping of (str, str) to HostImport, or Relayed
        Module and name -> function; what the module does not ask for is ignored. Or a way to reach functions that
        are made when they are called (:mod:`meshsim.wasm.exchange`); then all that the module imports must be there.
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
        self,
        compiled: Compiled,
        imports: Mapping[tuple[str, str], HostImport] | Relayed,
        limits: Limits | None = None,
    ) -> None:
        self_test()
        self.limits = Limits() if limits is None else limits
        self._compiled = compiled
        self._interruptible = self.limits.deadline_s is not None
        self._native = compiled.native(self._interruptible)[0]
        self._beats = self._native.watchdog.beats
        hosts: list[HostImport | None] = []
        slots = MAX_PARAMS + 1
        if not isinstance(imports, Relayed):
            hosts = [_resolve(wanted, imports) for wanted in compiled.facts.imports]
            slots = max((len(host.type.params) for host in hosts if host is not None), default=0)
        self._store = rawcall.Store(self._native.pointer, self.limits.memory_bytes, slots)
        self._spent = 0
        self._tank = 0
        self._armed = -1
        self._overheads: list[Callable[[], int]] = []
        self._exchange: Exchange | None = None
        self._relayed = Tally()
        self.memory = Memory(self._store)
        self._prepare()
        externs = self._relay(imports) if isinstance(imports, Relayed) else self._link(hosts)
        self._instance = self._store.instantiate(compiled.pointer(self._interruptible), externs)
        self.instantiation_fuel = self.fuel_used
        self._spent -= self.instantiation_fuel
        self._memory_extern = self._find_memory(externs)
        self._attach_memory()

    def function(self, name: str, type: FuncType) -> Callable[..., Any] | None:
        """The exported function of that name and type; None when there is none, or one of another type.

        The callable takes ints (signed or unsigned; floats for f32 and f64), and returns an unsigned int, a float,
        or None when the type has no result. It raises what a host function raised, the very object;
        :class:`~meshsim.errors.GuestTrap`; :class:`~meshsim.errors.DeadlineExceeded`.
        """
        if self._compiled.functions.get(name) != type or not _callable(type):
            return None
        return self._entrance(self._instance, name, type)

    @property
    def fuel_used(self) -> int:
        """Fuel that the guest has burnt since it was made, without :attr:`instantiation_fuel`.

        What stands between guest and host burns fuel of the same tank; it is not in here.
        """
        if self._store.closed:
            return self._spent
        fuel: int = self._spent + self._tank - self._store.fuel()
        for overhead in self._overheads:
            fuel -= overhead()
        return fuel - self._relayed.count

    def close(self) -> None:
        """Free the VM. Its memory then has size 0, its functions raise MeshsimError; closing twice is nothing."""
        if not self._store.closed:
            self._spent = self.fuel_used
            self._store.close()
            self.memory.detach()

    # --- what stands between guest and host --------------------------------------------------------------------------

    def extend(self, name: str, text: Callable[[], str]) -> Extension:
        """Put another module into this VM that was made with :class:`Relayed` imports; see :class:`Extension`.

        Raises
        ------
        ModuleError
            The limits leave no room for it.
        """
        assert self._exchange is not None
        compiled = self._compiled.companion(name, text, self._interruptible)
        offered = {"table": self._table, "call": self._host, "guest": self._memory_extern}
        externs = [offered[wanted.name] for wanted in compiled.facts.imports]
        if not self._store.depth:
            self._prepare()  # the alarm of the last call from outside may be long past
        before = self.fuel_used
        instance = self._store.instantiate(compiled.pointer(self._interruptible), externs)
        self._spent -= self.fuel_used - before
        return Extension(self, compiled, instance)

    def plug(self, slot: int, name: str) -> None:
        """Put a function that the guest exports into a slot of the table."""
        self._store.plug(self._table, slot, self._store.export(self._instance, name))

    @property
    def exchange(self) -> Exchange:
        """Where calls of a guest with :class:`Relayed` imports arrive."""
        assert self._exchange is not None
        return self._exchange

    def _relay(self, relayed: Relayed) -> list[Any]:
        """An extern for each import: a relay, or a new memory or table."""
        wanted, board = self._compiled.facts.imports, relayed.board
        slots = self._compiled.slots(board)
        text = lambda: relay_text(slots, board.size)  # noqa: E731  # made when it is first wanted
        relays = self._compiled.companion("relay", text, self._interruptible)
        store = self._store
        self._exchange = Exchange(slots, relayed.bind)
        self._relayed = self._exchange.burnt
        host_type = relays.import_types(self._interruptible)[0]
        self._host = store.exchange(host_type, self._exchange)
        instance = store.instantiate(relays.pointer(self._interruptible), [self._host])
        self._table = store.export_at(instance, len(slots))
        relay_of = {slot: store.export_at(instance, place) for place, slot in enumerate(slots)}
        types = self._compiled.import_types(self._interruptible)
        return [
            self._extern(each, _resolve(each, {}), type_)
            if each.type is None
            else relay_of[board.slots[each.module, each.name]]
            for each, type_ in zip(wanted, types, strict=True)
        ]

    # --- linking -----------------------------------------------------------------------------------------------------

    def _link(self, hosts: list[HostImport | None]) -> list[Any]:
        """An extern for each import: the host's function, or a new memory or table."""
        types = self._compiled.import_types(self._interruptible)
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

    def _find_memory(self, externs: list[Any]) -> Any:
        facts = self._compiled.facts
        exported = [export.name for export in facts.exports if export.kind == "memory"]
        if exported:
            return self._store.export(self._instance, exported[-1])
        imported = [e for e, wanted in zip(externs, facts.imports, strict=True) if wanted.kind == "memory"]
        return imported[-1] if imported else None

    def _attach_memory(self) -> None:
        if self._memory_extern is not None:
            wide = any(memory.wide for memory in self._compiled.facts.memories)
            reserved = self._native.settings.memory_reservation
            self.memory.attach(self._memory_extern, movable=wide or reserved < self.limits.memory_bytes)

    # --- calls -------------------------------------------------------------------------------------------------------

    def _entrance(self, instance: Any, name: str, type_: FuncType, *first: int) -> Callable[..., Any]:
        function = self._store.function(self._store.export(instance, name), type_, *first)
        limited = self.limits.fuel_per_call is not None or self._interruptible
        return self._limited(function) if limited else function

    def _limited(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function`` within the limits; a call from inside a call lives on the outer one's fuel and time."""
        store = self._store

        def call(*arguments: float) -> Any:
            if store.depth == 0:
                self._prepare()
            return function(*arguments)

        return call

    def bare_fuel(self, left: int) -> int:
        """:attr:`fuel_used` behind a bare call that has left so much."""
        return self._spent + self._tank - left - self._relayed.count

    def prepare_bare(self) -> None:
        """Before a bare call: set the alarm, if the last tick was not so long ago that it is set."""
        if self._interruptible and self._beats.count != self._armed:
            self._prepare()

    def _prepare(self) -> None:
        """Fill the tank and set the alarm, for one call from outside."""
        limits, store = self.limits, self._store
        if limits.fuel_per_call is not None or not self._tank:
            self._spent += self._tank - store.fuel() if self._tank else 0
            self._tank = FULL_TANK if limits.fuel_per_call is None else limits.fuel_per_call
            store.set_fuel(self._tank)
        if limits.deadline_s is not None:
            watchdog = self._native.watchdog
            if self._beats.count != self._armed or watchdog.asleep:
                ticks = watchdog.ticks(limits.deadline_s)
                self._armed = self._beats.count
                store.set_epoch_deadline(ticks)


class Extension:
    """A module of the host's own, in the VM of a guest.

    It may import, from the module ``meshsim``: the ``table`` of relays, the memory of the guest as ``guest``, and the
    exchange as ``call``.
    """

    __slots__ = ("_compiled", "_instance", "_vm")

    def __init__(self, vm: Vm, compiled: Compiled, instance: Any) -> None:
        self._vm = vm
        self._compiled = compiled
        self._instance = instance

    def function(self, name: str, *first: int) -> Callable[..., Any]:
        """An exported function, as :meth:`Vm.function` gives it; ``first`` is its first argument, if that is fixed."""
        return self._vm._entrance(self._instance, name, self._compiled.functions[name], *first)

    def bare(self, name: str, overhead: memoryview) -> rawcall.BareCall:
        """An exported function, laid open; :meth:`Vm.prepare_bare` comes before each call.

        ``overhead`` is the unsigned long where the module keeps what it has burnt itself (:meth:`charge`). Only for
        guests whose tank is not filled anew for each call.
        """
        vm = self._vm
        return vm._store.bare(vm._store.export(self._instance, name), self._compiled.functions[name], overhead)

    def memory(self, name: str) -> Any:
        """The bytes of an exported memory, as a buffer; valid until it grows."""
        return self._vm._store.window(self._vm._store.export(self._instance, name))[0]

    def grow(self, name: str, pages: int) -> None:
        """Make an exported memory larger by pages of 64 KiB."""
        self._vm._store.grow(self._vm._store.export(self._instance, name), pages)

    def charge(self, overhead: Callable[[], int]) -> None:
        """Tell what the module has burnt so far of the fuel, so that nobody takes it for the guest's."""
        self._vm._overheads.append(overhead)


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
