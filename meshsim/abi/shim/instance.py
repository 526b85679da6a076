"""One VM's shim: its memory, what of the stream lies in it, and how that comes and goes.

Everything that the shim has done since Python looked last is in its memory, and :meth:`Shim.take_note` brings it to
the objects that it stands for: lines of the log, changed maps and bodies, metrics, calls to charge. That happens when a
run of the guest is over, and before a Python host function has its turn (:meth:`Shim.synced`), which therefore finds
all as if it had done everything itself. Behind it nothing is known any more of maps and bodies: they are asked for
again.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from meshsim.abi.codec import encode_value, split_path
from meshsim.abi.constants import BufferType, HeaderMapType, LogLevel
from meshsim.abi.shim.blocks import MapRules
from meshsim.abi.shim.drivers import BATCH, DRIVERS, OPEN, RESPOND, Driver, Ran
from meshsim.abi.shim.layout import LAYOUT, MAX_MAPS, MAX_PROPERTIES, NUMBERS
from meshsim.abi.shim.module import caller, shim_text
from meshsim.abi.shim.ride import RIDE, Rider, Rides
from meshsim.abi.signatures import ALLOCATING, GUEST_SLOTS, callbacks
from meshsim.wasm.types import PAGE_BYTES

if TYPE_CHECKING:
    from meshsim.abi.context import Context
    from meshsim.abi.proxy_wasm import ProxyWasm
    from meshsim.wasm import BareCall

HostCall = Callable[..., "int | None"]
Step = Callable[[], None]

_W = {name: offset // 4 for name, offset in LAYOUT.items()}
_OWN, _WALL = LAYOUT["OWN"] // 8, LAYOUT["WALL"] // 8
_PENDING, _CALLS, _CLOCKS, _DEPTH = _W["PENDING"], _W["CALLS"], _W["CLOCKS"], _W["DEPTH"]
_ALLOCATING, _BREAK, _STEP, _TRUSTED = _W["ALLOCATING"], _W["BREAK"], _W["STEP"], _W["TRUSTED"]
_HEAP, _MAP_COUNT, _PACKED, _CHANGED = _W["HEAP"], _W["MAP_COUNT"], _W["PACKED"], _W["CHANGED"]
_HEAP_START = LAYOUT["HEAP_START"]
_MAPS, _MAP_SIZE, _HEAP_END = LAYOUT["MAPS"], LAYOUT["MAP_SIZE"], NUMBERS["HEAP_END"]
_READ, _WRITE, _BODIES, _ROOT = _W["READ"], _W["WRITE"], _W["BODIES"], _W["ROOT"]
_SECOND, _MISSING = _W["SECOND"], NUMBERS["MISSING"]
_PRESET, _PRESET_END = LAYOUT["PRESET"], LAYOUT["PRESET"] + LAYOUT["STATES_SIZE"]
_STATES, _STATES_END = LAYOUT["STATES"], LAYOUT["STATES"] + LAYOUT["STATES_SIZE"]
_COUNTS = LAYOUT["COUNTS"] // 8
_ABSENT, _ABSENT_LOGGING, _FOREIGN = NUMBERS["ABSENT"], NUMBERS["ABSENT_LOGGING"], NUMBERS["FOREIGN"]
_DIRTY, _CONSTANT = NUMBERS["DIRTY"], NUMBERS["CONSTANT"]
_P_LOG, _P_MAPS, _P_BODIES = NUMBERS["P_LOG"], NUMBERS["P_MAPS"], NUMBERS["P_BODIES"]
_P_OPS, _P_COUNTS = NUMBERS["P_OPS"], NUMBERS["P_COUNTS"]

_UNKNOWN_STATES = bytes(LAYOUT["STATES_SIZE"])
#: Before the module has been shown anything of a stream: no message, empty bodies; the rest is not known.
_HIDDEN_STATES = struct.pack("<18I", *[_ABSENT] * 4, *[0] * 4, *[_ABSENT] * 4, *[0] * 4, *[_ABSENT] * 2)

_DESCRIPTOR = struct.Struct("<8I")
_BLOCK_HEAD = _BUFFER = struct.Struct("<3I")
_PROPERTY = struct.Struct("<5I")
_RECORD = struct.Struct("<2I")
_OPERATION = struct.Struct("<2IQ")
_BLOCK_MAX = NUMBERS["VALUE_MAX"]

_HEADER_MAPS, _BUFFERS, _LEVELS = tuple(HeaderMapType), tuple(BufferType), tuple(LogLevel)

_CLOCK = ("env", "proxy_get_current_time_nanoseconds")
#: Imports through which a module can find out the time, or do something at a time: between the callbacks of a phase
#: time has to pass for these, which costs a crossing.
_TIMED = frozenset(
    {
        "proxy_get_current_time_nanoseconds",
        "clock_time_get",
        "proxy_set_tick_period_milliseconds",
        "proxy_http_call",
        "proxy_grpc_call",
        "proxy_grpc_stream",
        "proxy_grpc_send",
        "proxy_grpc_close",
        "proxy_grpc_cancel",
        "proxy_enqueue_shared_queue",
        "proxy_call_foreign_function",
        "envoy_resolve_dns",
    }
)
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


class Shim:
    """The hot host functions of one VM, in Wasm.

    Raises
    ------
    ModuleError
        The VM's limits leave no room for it.
    """

    def __init__(self, wasm: ProxyWasm) -> None:
        self._wasm = wasm
        self._meter = wasm.host.meter
        self._metric_values = wasm.host.metric_values
        vm = wasm.vm
        self._extension = vm.extend("shim", shim_text)
        memory = self._extension.memory("memory")
        self._bytes = memoryview(memory).cast("B")
        self._words = self._bytes.cast("I")
        self._longs = self._bytes.cast("Q")
        self._maps: list[Any] = []
        self._bodies: dict[int, Any] = {}
        # By identity: to hash a set of names takes longer than all the rest of placing a map.
        self._rules: dict[int, tuple[int, int, MapRules]] = {}
        self._rules_end = LAYOUT["RULES"]
        self._strings_end = LAYOUT["STRINGS"]
        #: The callbacks of the run, who rides, and whether nothing of the stream is shown yet; set before a run by who
        #: begins one, and taken back behind it.
        self.mounted: Driver | None = None
        self._steps: Sequence[Step] = ()
        self._step = self.paid = 0
        self._trapped = self.hidden = self._closed = False
        self._metrics_seen = -1
        self._counting = False
        self._pack = self._extension.function("pack")
        self._run_batch = self._extension.function("batch")
        self._rides: Rides | None = None
        self.rider: Rider | None = None
        self._log_sink: Callable[[bytes], None] | None = None
        names = {wanted.name for wanted in wasm.code.compiled.facts.imports}
        self._clock = self._meter is not None and _CLOCK[1] in names
        self._set_up(timed=self._meter is not None and bool(names & _TIMED))
        self._see_metrics()
        self._plug_in()

    def _set_up(self, timed: bool) -> None:
        wasm, words, longs = self._wasm, self._words, self._longs
        words[_W["LOG_END"]] = LAYOUT["LOG"]
        words[_W["OPS_END"]] = LAYOUT["OPS"]
        words[_HEAP] = LAYOUT["HEAP_START"]
        words[_W["LOGS"]] = wasm.host.keeps_logs
        words[_W["LOG_LEVEL"]] = wasm.host.log_level
        words[_W["OLD"]] = wasm.is_old
        words[_W["LAPS"]] = timed
        words[_TRUSTED] = wasm.has_allocated
        facts = wasm.code.compiled.facts
        declared = [memory.maximum for memory in facts.memories if memory.maximum is not None]
        most = min([wasm.limits.memory_bytes // PAGE_BYTES, *declared])
        words[_W["GUARD_PAGES"]] = most - most // 8
        if self._meter is not None:
            longs[LAYOUT["HOST_CALL_NS"] // 8] = self._meter.host_call_ns
            longs[LAYOUT["CLOCK_NS"] // 8] = self._meter.clock_read_ns

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
        return self._longs[_OWN]

    def entrance(self, name: str) -> Callable[..., Any]:
        """The callback of that name, to be called with its arguments: one run."""
        slot = GUEST_SLOTS[name]
        return self._extension.function(caller(callbacks(self._wasm.version)[name].type), slot)

    def driver(self, driver: Driver) -> Callable[..., Any]:
        """What runs the callbacks of a driver."""
        return self._drivers[driver.name]

    # -- a run ---

    def prepare(self, context: Context) -> int:
        """Before a run for a context; how many runs are under way already."""
        words = self._words
        root = context.parent or context
        if words[_ROOT] != root.id:
            words[_ROOT] = root.id
        if self._clock:
            self._longs[_WALL] = self._meter.wall_ns  # type: ignore[union-attr]  # a clock has a meter
        return words[_DEPTH]

    @property
    def _on_foot(self) -> bool:
        """Whether who rode has dismounted, so that the ride ends with this callback."""
        driver = self.mounted
        return driver is not None and driver.name in (RIDE, BATCH.name) and self.rider is None

    def in_phase(self, driver: Driver, steps: Sequence[Step]) -> None:
        """Before a run of several callbacks: what is to be done on the host's side after each of them."""
        self.mounted, self._steps = driver, steps
        self._step = self.paid = 0
        self._trapped, self.hidden = False, driver is OPEN

    def ran(self, result: int | None) -> Ran:
        """What came of it; the host's side has caught up."""
        self.catch_up()
        over = self._words[_STEP]
        second = self._words[_SECOND] if self.mounted is RESPOND and over == len(RESPOND.callbacks) else None
        return Ran(over, self._trapped, None if result == _MISSING else result, None if second == _MISSING else second)

    def out_of_phase(self) -> None:
        """After it, however it has ended."""
        self.mounted, self._steps, self.hidden, self.rider = None, (), False, None
        self.paid, self._trapped = 0, False

    def catch_up(self) -> None:
        """Do what is due on the host's side for the callbacks of the phase that are over."""
        if self.mounted is not None:
            over = self._words[_STEP]
            if over:
                self.hidden = False
            while self._step < over and self._step < len(self._steps):
                step = self._steps[self._step]
                self._step += 1
                step()

    # -- rides ---

    @property
    def rides(self) -> Rides:
        """What can be ridden."""
        if self._rides is None:
            self._rides = Rides(self._bytes, self._rules_at, self._wasm.exports)
        return self._rides

    # -- for the quick way ---

    @property
    def memory(self) -> memoryview:
        """The shim's memory."""
        return self._bytes

    @property
    def words(self) -> memoryview:
        """The same, by words of 32 bits."""
        return self._words

    @property
    def longs(self) -> memoryview:
        """The same, by words of 64 bits."""
        return self._longs

    @property
    def has_clock(self) -> bool:
        """Whether the module can read the wall clock here."""
        return self._clock

    @property
    def has_laps(self) -> bool:
        """Whether time passes between the callbacks of one run."""
        return bool(self._words[_W["LAPS"]])

    def bare(self, driver: str) -> BareCall:
        """A driver, laid open."""
        return self._extension.bare(driver)

    # -- batches ---

    def grow(self, pages: int) -> memoryview:
        """Make the memory longer by pages of 64 KiB, and give all of it."""
        self._extension.grow("memory", pages)
        memory = memoryview(self._extension.memory("memory")).cast("B")
        self._bytes, self._words, self._longs = memory, memory.cast("I"), memory.cast("Q")
        return memory

    def map_rules(self, rules: MapRules) -> tuple[int, int]:
        """Where rules are, and the flags of a map that has them."""
        known = self._rules.get(id(rules))
        return known[:2] if known else self._place_rules(rules)

    @property
    def row(self) -> int:
        """The row of a batch that runs."""
        return self._words[_W["ROW"]]

    def begin_batch(self, rider: Rider, log_sink: Callable[[bytes], None]) -> Callable[..., Any]:
        """Before a batch: who knows its rows, and takes the records of their lines; what runs it."""
        self.in_phase(BATCH, ())
        self.rider, self._log_sink = rider, log_sink
        self._words[_W["LOGGED"]] = 0
        return self._run_batch

    def out_of_ride(self, gone: int | None) -> Ran:
        """After it: how many steps went as expected (None: it has trapped), and what the last callback returned."""
        over, result = self._words[_STEP], self._words[_SECOND]
        trapped = self._trapped
        self.mounted, self.hidden, self.rider, self._log_sink = None, False, None, None
        self.paid, self._trapped = 0, False
        return Ran(over, trapped, gone, None if result == _MISSING or trapped else result)

    def _dismount(self) -> None:
        """Have Python know what the module is being shown."""
        rider, self.rider = self.rider, None
        words = self._words
        words[_BREAK] = 1
        if rider is not None:
            is_over = not words[_DEPTH] and not self._trapped
            piece = rider.dismount(words[_STEP] - is_over)
            if piece is not None and hasattr(piece, "block"):
                self._maps = [piece]
            elif piece is not None:
                self._bodies = dict.fromkeys((0, 1), piece)

    @property
    def unpaid(self) -> int:
        """Callbacks that have run and have not been charged yet; from now on they have."""
        driver = self.mounted
        if driver is None:
            return 1
        ran = self._words[_STEP] + self._trapped
        unpaid = sum(self._wasm.exports(name) for name in driver.callbacks[self.paid : ran])
        self.paid = ran
        return unpaid

    def recover(self, depth: int, name: str | Driver) -> str:
        """After a trap: the run is over, and those inside it; the callback that it was."""
        words = self._words
        words[_ALLOCATING] = 0
        words[_DEPTH] = depth
        words[_W["BODY_PRESET"]] = 0
        self._bytes[_PRESET:_PRESET_END] = _UNKNOWN_STATES
        if isinstance(name, Driver):
            self._trapped = True
            return name.callbacks[words[_STEP]]
        return name

    def show(self, kind: HeaderMapType, header_map: Any) -> None:
        """Put a map where the next run finds it, for reading and writing, without asking for it."""
        state = self.place(header_map)
        place = _PRESET // 4 + kind
        self._words[place] = self._words[place + 8] = state

    def take_note(self) -> None:
        """Bring what the shim has done to the objects that it stands for."""
        words = self._words
        if words[_CALLS] or words[_CLOCKS]:
            self._charge()
        pending = words[_PENDING]
        if pending:
            if self.rider is not None and pending & (_P_MAPS | _P_BODIES):
                self._dismount()
            words[_PENDING] = 0
            if pending & _P_LOG:
                self._take_logs()
            if pending & _P_MAPS:
                self._take_maps()
            if pending & _P_BODIES:
                self._take_bodies()
            if pending & _P_OPS:
                self._take_operations()
            if pending & _P_COUNTS and not self._counting:
                self._counting = True
                self._metric_values.pending.append(self.count)
        if self._maps or self._bodies:
            self._maps.clear()
            self._bodies.clear()
            words[_MAP_COUNT] = 0
        if not words[_DEPTH]:
            words[_HEAP] = _HEAP_START

    def _charge(self) -> None:
        words = self._words
        if self._meter is not None:
            self._meter.host_calls(words[_CALLS], words[_CLOCKS])
        words[_CALLS] = words[_CLOCKS] = 0

    def _take_logs(self) -> None:
        words, host = self._words, self._wasm.host
        at, end = LAYOUT["LOG"], words[_W["LOG_END"]]
        words[_W["LOG_END"]] = at
        if self._log_sink is not None:
            words[_W["LOGGED"]] += end - at
            self._log_sink(self._bytes[at:end].tobytes())
            return
        prefix = f"wasm log{self._wasm.acting.log_prefix}: "
        lines = self._bytes[at:end].tobytes()
        at = 0
        while at < len(lines):
            level, size = _RECORD.unpack_from(lines, at)
            at += 8 + size
            host.log(_LEVELS[level], prefix + lines[at - size : at].decode("utf-8", "surrogateescape"))

    def _take_maps(self) -> None:
        words = self._words
        if not words[_PACKED]:  # in the middle of a run, or a run that has trapped
            self._pack()
        words[_PACKED] = 0
        at = _MAPS // 4
        for header_map in self._maps:
            if words[at + 7] & _DIRTY:
                start = words[at]
                header_map.adopt(self._bytes[start : start + words[at + 1]].tobytes())
            at += _MAP_SIZE // 4
        changed, words[_CHANGED] = words[_CHANGED], 0
        host = self._wasm.acting.host
        while changed:
            kind = changed.bit_length() - 1
            changed ^= 1 << kind
            host.headers_changed(_HEADER_MAPS[kind])

    def _take_bodies(self) -> None:
        for kind, body in self._bodies.items():
            start, size, flags = _BUFFER.unpack_from(self._bytes, LAYOUT["BUFFERS"] + LAYOUT["BUFFER_SIZE"] * kind)
            if flags & _DIRTY:
                body.data[:] = self._bytes[start : start + size]

    def _take_operations(self) -> None:
        words = self._words
        start, end = LAYOUT["OPS"], words[_W["OPS_END"]]
        words[_W["OPS_END"]] = start
        metrics = self._wasm.metrics
        for metric, adds, value in _OPERATION.iter_unpack(self._bytes[start:end].tobytes()):
            (metrics.increment if adds else metrics.record)(metric, value)

    def close(self) -> None:
        """Before the VM is freed: leave nothing in it."""
        self.count()
        self._closed = True

    def count(self) -> None:
        """Bring what counters have to go up to where everybody sees it."""
        if self._closed:
            return
        longs, metrics = self._longs, self._wasm.metrics
        self._counting = False
        for metric in metrics.counters():
            place = _COUNTS + (metric >> 2)
            if metric >> 2 < NUMBERS["COUNTERS"] and longs[place]:
                delta, longs[place] = longs[place], 0
                metrics.count(metric, delta)

    # -- a Python host function has its turn ---

    def synced(self, call: HostCall, name: str) -> HostCall:
        """A host function that finds everything as if the shim were not there."""

        def host_call(*arguments: int) -> int | None:
            words = self._words
            if words[_ALLOCATING]:
                return self._while_allocating(call, arguments)
            if self.rider is not None:
                self._dismount()
            self.take_note()
            self.catch_up()
            step = words[_STEP]  # other runs may come in between
            try:
                return call(*arguments)
            finally:
                words[_STEP] = step
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
        count, start = words[_W["PROPERTIES"]], self._strings_end
        behind = start + len(path) + 8  # names are compared eight bytes at a time
        end = behind + len(value)
        if count < MAX_PROPERTIES and end <= LAYOUT["LOG"] and len(path) <= NUMBERS["PATH_MAX"]:
            self._bytes[start : start + len(path)] = path
            self._bytes[behind:end] = value
            known = LAYOUT["KNOWN"] + 32 * count
            _PROPERTY.pack_into(self._bytes, known, words[_ROOT], start, len(path), behind, len(value))
            words[_W["PROPERTIES"]] = count + 1
            self._strings_end = end

    def _while_allocating(self, call: HostCall, arguments: Sequence[int]) -> int | None:
        """The allocator calls the host: for the VM's own context, as far as that may; maps stay where they are."""
        wasm, words = self._wasm, self._words
        self._partial_note()
        if wasm.allowed is not None:  # Python has called the allocator and knows
            return call(*arguments)
        saved = wasm.current, wasm.acting
        wasm.current = wasm.acting = wasm.vm_context
        wasm.allowed = ALLOCATING
        words[_ALLOCATING] = 0
        try:
            return call(*arguments)
        finally:
            words[_ALLOCATING] = 1
            wasm.allowed = None
            wasm.current, wasm.acting = saved
            self._partial_go_on()

    def _partial_note(self) -> None:
        words = self._words
        if words[_CALLS] or words[_CLOCKS]:
            self._charge()
        if words[_PENDING] & _P_LOG:
            words[_PENDING] &= ~_P_LOG
            self._take_logs()

    def _partial_go_on(self) -> None:
        if self._clock:
            self._longs[_WALL] = self._meter.wall_ns  # type: ignore[union-attr]  # a clock has a meter

    def _go_on(self) -> None:
        """The guest goes on after a Python host function: nothing is known of maps and bodies."""
        wasm, words = self._wasm, self._words
        self._bytes[_STATES:_STATES_END] = _HIDDEN_STATES if self.hidden else _UNKNOWN_STATES
        self.prepare(wasm.acting)
        if wasm.metrics.defined != self._metrics_seen:
            self._see_metrics()
        if wasm.is_asked or self._on_foot:
            words[_BREAK] = 1

    def _see_metrics(self) -> None:
        metrics = self._wasm.metrics
        self._metrics_seen = metrics.defined
        for kind, following in enumerate(metrics.following()):
            self._words[_W["NEXT_COUNTER"] + kind] = following

    # -- what the shim asks ---

    def _load(self, kind: int, writable: int) -> int:
        if self.rider is not None:
            self._dismount()
        self.catch_up()
        host = self._wasm.acting.host
        map_type = _HEADER_MAPS[kind]
        header_map: Any = host.mutable_header_map(map_type) if writable else host.header_map(map_type)
        if header_map is not None:
            state = self.place(header_map)
        else:
            state = _ABSENT_LOGGING if not writable and host.in_access_log else _ABSENT
        self._words[(_WRITE if writable else _READ) + kind] = state
        return state

    def place(self, header_map: Any) -> int:
        """Put a map into the shim's memory, unless it is there; the address of its descriptor, or that it cannot be."""
        for place, known in enumerate(self._maps):
            if known is header_map:
                return _MAPS + _MAP_SIZE * place
        make_block = getattr(header_map, "block", None)
        block = None if make_block is None or len(self._maps) == MAX_MAPS else make_block()
        words = self._words
        at = words[_HEAP]
        if block is None or len(block) > _BLOCK_MAX or at + len(block) + 16 > _HEAP_END:
            return _FOREIGN
        self._maps.append(header_map)
        return self.place_block(block, header_map.rules)

    def place_block(self, block: bytes, rules: MapRules) -> int:
        """Put a map's block into the next descriptor and give its address."""
        words, place = self._words, self._words[_MAP_COUNT]
        at = words[_HEAP] + 7 & ~7  # strings come to lie anywhere
        end = at + len(block)
        self._bytes[at:end] = block
        words[_HEAP] = end + 8
        words[_MAP_COUNT] = place + 1
        descriptor = _MAPS + _MAP_SIZE * place
        count, pseudo, size = _BLOCK_HEAD.unpack_from(block)
        known, flags = self.map_rules(rules)
        _DESCRIPTOR.pack_into(self._bytes, descriptor, at, at + 16, count, count, pseudo, size, known, flags)
        return descriptor

    def _rules_at(self, rules: MapRules) -> int:
        return self.map_rules(rules)[0]

    def _place_rules(self, rules: MapRules) -> tuple[int, int]:
        names = sorted(rules.once)
        start = self._rules_end
        at = start + 4 + 8 * len(names)
        words = [len(names)]
        for name in names:
            words += (at, len(name))
            at += len(name)
        data = struct.pack(f"<{len(words)}I", *words) + b"".join(names)
        self._bytes[start : start + len(data)] = data
        self._rules_end = start + (len(data) + 15 & ~7)
        assert self._rules_end <= LAYOUT["STRINGS"]
        flags = NUMBERS["HOST_IS_AUTHORITY"] if rules.host_is_authority else 0
        self._rules[id(rules)] = start, flags, rules
        return start, flags

    def _load_body(self, kind: int, _: int) -> int:
        if self.rider is not None:
            self._dismount()
        self.catch_up()
        body: Any = self._wasm.acting.host.buffer(_BUFFERS[kind])
        state = self._words[_BODIES + kind] = self.place_body(kind, body)
        return state

    def place_body(self, kind: int, body: Any) -> int:
        """Put a body into the shim's memory; the address of its descriptor, or that it cannot be there."""
        constant = getattr(body, "constant", None)
        words = self._words
        at = words[_HEAP]
        if constant is None or body.size() > _BLOCK_MAX or at + body.size() + 8 > NUMBERS["HEAP_END"]:
            return _FOREIGN
        descriptor = LAYOUT["BUFFERS"] + LAYOUT["BUFFER_SIZE"] * kind
        size = body.size()
        self._bytes[at : at + size] = body.data
        words[_HEAP] = at + size + 8
        _BUFFER.pack_into(self._bytes, descriptor, at, size, _CONSTANT if constant else 0)
        self._bodies[kind] = body
        return descriptor

    def _allocate(self, size: int, _: int) -> int:
        """Call the allocator with a net; what lies in the shim's memory stays there."""
        self._partial_note()
        address = self._wasm.allocate(size)
        self._partial_go_on()
        if self._wasm.fail_state:
            self._words[_BREAK] = 1
        return address

    def trust(self) -> None:
        """The allocator has answered: it may be called directly."""
        self._words[_TRUSTED] = 1

    def allocating(self, now: bool) -> bool:
        """Say that the guest allocates because Python asked it to; what was said before."""
        before = bool(self._words[_ALLOCATING])
        self._words[_ALLOCATING] = now
        return before

    def _lap(self, _a: int, _b: int) -> int:
        """Between two callbacks of a phase: let the time of the first one pass."""
        self._partial_note()
        self._wasm.lap(self.unpaid)
        self._partial_go_on()
        return 0
