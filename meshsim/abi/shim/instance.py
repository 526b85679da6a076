"""One VM's shim: its memory, what of the stream lies in it, and how that comes and goes.

Everything that the shim has done since Python looked last is in its memory, and :meth:`Shim.take_note` brings it to
the objects that it stands for: lines of the log, changed maps and bodies, metrics, calls to charge. That happens when a
run of the guest is over, and before a Python host function has its turn (:meth:`Shim.synced`), which therefore finds
all as if it had done everything itself. Behind it nothing is known any more of maps and bodies: they are asked for
again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from meshsim.abi.codec import encode_value, split_path
from meshsim.abi.shim.drivers import DRIVERS, Driver
from meshsim.abi.shim.layout import LAYOUT, MAX_PROPERTIES, NUMBERS
from meshsim.abi.shim.module import caller
from meshsim.abi.shim.notes import Notes
from meshsim.abi.shim.words import (
    ABSENT,
    ABSENT_LOGGING,
    ALLOCATING,
    BODIES,
    BREAK,
    BUFFERS,
    HEADER_MAPS,
    HIDDEN_STATES,
    OWN,
    PROPERTY,
    READ,
    ROOT,
    STATES,
    STATES_END,
    STEP,
    TRUSTED,
    UNKNOWN_STATES,
    WRITE,
    W,
)
from meshsim.abi.signatures import ALLOCATING as MAY_WHILE_ALLOCATING
from meshsim.abi.signatures import GUEST_SLOTS, callbacks
from meshsim.wasm.types import PAGE_BYTES

if TYPE_CHECKING:
    from meshsim.abi.proxy_wasm import ProxyWasm

HostCall = Callable[..., "int | None"]

#: Properties that never change while a plugin lives (Envoy's attributes, "Wasm attributes" and ``xds.node``).
_CONSTANT_PROPERTIES = frozenset({b"plugin_name", b"plugin_root_id", b"plugin_vm_id"})
_NODE = b"xds\0node\0"


def suits(wasm: ProxyWasm) -> bool:
    """Whether the shim can do what the Python host functions would do for this VM.

    It cannot where crossings are recorded, callbacks hand over to other threads, the configuration withholds
    functions, fuel is limited, imports are stood in for, or the guest's memory is none or of an unusual kind.
    """
    facts, host = wasm.code.compiled.facts, wasm.host
    plain = not any(memory.wide or memory.own_pages or memory.shared for memory in facts.memories)
    plain = plain and not wasm.code.unimplemented
    free = host.record is None and host.hand_over is None and wasm.capabilities is None
    return free and plain and wasm.limits.fuel_per_call is None and wasm.memory.size > 0 and bool(wasm.allocator)


class Shim(Notes):
    """The hot host functions of one VM, in Wasm.

    Raises
    ------
    ModuleError
        The VM's limits leave no room for it.
    """

    def __init__(self, wasm: ProxyWasm) -> None:
        super().__init__(wasm)
        words = self._words
        words[W["OLD"]] = wasm.is_old
        words[TRUSTED] = wasm.has_allocated
        declared = [memory.maximum for memory in wasm.code.compiled.facts.memories if memory.maximum is not None]
        most = min([wasm.limits.memory_bytes // PAGE_BYTES, *declared])
        words[W["GUARD_PAGES"]] = most - most // 8
        self._strings_end = LAYOUT["STRINGS"]
        self._plug_in()

    def _plug_in(self) -> None:
        wasm, vm = self._wasm, self._wasm.vm
        vm.plug(GUEST_SLOTS[""], wasm.allocator)
        for callback in callbacks(wasm.version).values():
            if wasm.exports(callback.name):
                slot = GUEST_SLOTS[callback.name]
                vm.plug(slot, callback.name)
        self._drivers = {driver.name: self._extension.function(driver.name) for driver in DRIVERS}
        exchange = vm.exchange
        exchange.clear()  # what was bound before does not tell the shim
        exchange.answer(NUMBERS["PY_LOAD"], "ii", self._load)
        exchange.answer(NUMBERS["PY_LOAD_BODY"], "ii", self._load_body)
        exchange.answer(NUMBERS["PY_ALLOCATE"], "ii", self._allocate)
        exchange.answer(NUMBERS["PY_LAP"], "ii", self._lap)
        self._extension.charge(self._own_fuel)

    def _own_fuel(self) -> int:
        return self._longs[OWN]

    def entrance(self, name: str) -> Callable[..., Any]:
        """The callback of that name, to be called with its arguments: one run."""
        slot = GUEST_SLOTS[name]
        return self._extension.function(caller(callbacks(self._wasm.version)[name].type), slot)

    def driver(self, driver: Driver) -> Callable[..., Any]:
        """What runs the callbacks of a driver."""
        return self._drivers[driver.name]

    def synced(self, call: HostCall, name: str) -> HostCall:
        """A host function that finds everything as if the shim were not there."""

        def host_call(*arguments: int) -> int | None:
            words = self._words
            if words[ALLOCATING]:
                return self._while_allocating(call, arguments)
            if self.rider is not None:
                self._dismount()
            self.take_note()
            self.catch_up()
            step = words[STEP]  # other runs may come in between
            try:
                return call(*arguments)
            finally:
                words[STEP] = step
                self._go_on()

        return self._keeping(host_call) if name == "proxy_get_property" else host_call

    def _keeping(self, get_property: HostCall) -> HostCall:
        """The host function, which also keeps what never changes."""

        def host_call(*arguments: int) -> int | None:
            path = self._wasm.memory.read(arguments[0], arguments[1]) or b""
            status = get_property(*arguments)
            if status == 0 and (path in _CONSTANT_PROPERTIES or path.startswith(_NODE)):
                self._keep_property(path)
            return status

        return host_call

    def _keep_property(self, path: bytes) -> None:
        words = self._words
        value = encode_value(self._wasm.acting.host.get_property(split_path(path)))
        count, start = words[W["PROPERTIES"]], self._strings_end
        behind = start + len(path) + 8  # names are compared eight bytes at a time
        end = behind + len(value)
        if count < MAX_PROPERTIES and end <= LAYOUT["LOG"] and len(path) <= NUMBERS["PATH_MAX"]:
            self._bytes[start : start + len(path)] = path
            self._bytes[behind:end] = value
            known = LAYOUT["KNOWN"] + 32 * count
            PROPERTY.pack_into(self._bytes, known, words[ROOT], start, len(path), behind, len(value))
            words[W["PROPERTIES"]] = count + 1
            self._strings_end = end

    def _while_allocating(self, call: HostCall, arguments: Sequence[int]) -> int | None:
        """The allocator calls the host: for the VM's own context, as far as that may; maps stay where they are."""
        wasm, words = self._wasm, self._words
        self._partial_note()
        if wasm.allowed is not None:  # Python has called the allocator and knows
            return call(*arguments)
        saved = wasm.current, wasm.acting
        wasm.current = wasm.acting = wasm.vm_context
        wasm.allowed = MAY_WHILE_ALLOCATING
        words[ALLOCATING] = 0
        try:
            return call(*arguments)
        finally:
            words[ALLOCATING] = 1
            wasm.allowed = None
            wasm.current, wasm.acting = saved
            self._partial_go_on()

    def _go_on(self) -> None:
        """The guest goes on after a Python host function: nothing is known of maps and bodies."""
        wasm, words = self._wasm, self._words
        self._bytes[STATES:STATES_END] = HIDDEN_STATES if self.hidden else UNKNOWN_STATES
        self.prepare(wasm.acting)
        if wasm.metrics.defined != self._metrics_seen:
            self._see_metrics()
        if wasm.is_asked or self._on_foot:
            words[BREAK] = 1

    def _load(self, kind: int, writable: int) -> int:
        if self.rider is not None:
            self._dismount()
        self.catch_up()
        host = self._wasm.acting.host
        map_type = HEADER_MAPS[kind]
        header_map: Any = host.mutable_header_map(map_type) if writable else host.header_map(map_type)
        if header_map is not None:
            state = self.place(header_map)
        else:
            state = ABSENT_LOGGING if not writable and host.in_access_log else ABSENT
        self._words[(WRITE if writable else READ) + kind] = state
        return state

    def _load_body(self, kind: int, _: int) -> int:
        if self.rider is not None:
            self._dismount()
        self.catch_up()
        body: Any = self._wasm.acting.host.buffer(BUFFERS[kind])
        state = self._words[BODIES + kind] = self.place_body(kind, body)
        return state

    def _allocate(self, size: int, _: int) -> int:
        """Call the allocator with a net; what lies in the shim's memory stays there."""
        self._partial_note()
        address = self._wasm.allocate(size)
        self._partial_go_on()
        if self._wasm.fail_state:
            self._words[BREAK] = 1
        return address

    def trust(self) -> None:
        """The allocator has answered: it may be called directly."""
        self._words[TRUSTED] = 1

    def allocating(self, now: bool) -> bool:
        """Say that the guest allocates because Python asked it to; what was said before."""
        before = bool(self._words[ALLOCATING])
        self._words[ALLOCATING] = now
        return before

    def _lap(self, _a: int, _b: int) -> int:
        """Between two callbacks of a phase: let the time of the first one pass."""
        self._partial_note()
        self._wasm.lap(self.unpaid)
        self._partial_go_on()
        return 0
