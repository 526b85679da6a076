"""Runs of a guest through the shim: single callbacks, phases, rides, batches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from meshsim.abi.shim.drivers import BATCH, OPEN, Driver, Ran
from meshsim.abi.shim.holdings import Holdings
from meshsim.abi.shim.layout import LAYOUT
from meshsim.abi.shim.ride import RIDE, Rider, Rides
from meshsim.abi.shim.words import (
    ALLOCATING,
    BREAK,
    DEPTH,
    MISSING,
    OWN,
    PRESET,
    PRESET_END,
    ROOT,
    SECOND,
    STEP,
    UNKNOWN_STATES,
    WALL,
    W,
)

if TYPE_CHECKING:
    from meshsim.abi.context import Context
    from meshsim.abi.proxy_wasm import ProxyWasm
    from meshsim.wasm import BareCall

Step = Callable[[], None]

_LOGGED = W["LOGGED"]

_CLOCK = "proxy_get_current_time_nanoseconds"
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


class Runs(Holdings):
    """What run is under way: its callbacks, who rides, and whether anything of the stream is shown yet."""

    def __init__(self, wasm: ProxyWasm) -> None:
        super().__init__(wasm)
        self._meter = wasm.host.meter
        #: The callbacks of the run, who rides, and whether nothing of the stream is shown yet; set before a run by who
        #: begins one, and taken back behind it.
        self.mounted: Driver | None = None
        self.rider: Rider | None = None
        self.hidden = False
        self.paid = 0
        self._steps: Sequence[Step] = ()
        self._step = 0
        self._trapped = False
        self._rides: Rides | None = None
        self._log_sink: Callable[[bytes], None] | None = None
        names = {wanted.name for wanted in wasm.code.compiled.facts.imports}
        self._clock = self._meter is not None and _CLOCK in names
        self._words[W["LAPS"]] = self._meter is not None and bool(names & _TIMED)
        if self._meter is not None:
            self._longs[LAYOUT["HOST_CALL_NS"] // 8] = self._meter.host_call_ns
            self._longs[LAYOUT["CLOCK_NS"] // 8] = self._meter.clock_read_ns

    @property
    def has_clock(self) -> bool:
        """Whether the module can read the wall clock here."""
        return self._clock

    @property
    def has_laps(self) -> bool:
        """Whether time passes between the callbacks of one run."""
        return bool(self._words[W["LAPS"]])

    def bare(self, driver: str) -> BareCall:
        """A driver, laid open."""
        return self._extension.bare(driver, self._longs[OWN : OWN + 1])

    def prepare(self, context: Context) -> int:
        """Before a run for a context; how many runs are under way already."""
        words = self._words
        root = context.parent or context
        if words[ROOT] != root.id:
            words[ROOT] = root.id
        if self._clock:
            self._longs[WALL] = self._meter.wall_ns  # type: ignore[union-attr]  # a clock has a meter
        return words[DEPTH]

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
        return Ran(self._words[STEP], self._trapped, None if result == MISSING else result, None)

    def out_of_phase(self) -> None:
        """After it, however it has ended."""
        self.mounted, self._steps, self.hidden, self.rider = None, (), False, None
        self.paid, self._trapped = 0, False

    def catch_up(self) -> None:
        """Do what is due on the host's side for the callbacks of the phase that are over."""
        if self.mounted is not None:
            over = self._words[STEP]
            if over:
                self.hidden = False
            while self._step < over and self._step < len(self._steps):
                step = self._steps[self._step]
                self._step += 1
                step()

    @property
    def rides(self) -> Rides:
        """What can be ridden."""
        if self._rides is None:
            self._rides = Rides(self._bytes, self._rules_at, self._wasm.exports)
        return self._rides

    def begin_batch(self, rider: Rider, log_sink: Callable[[bytes], None]) -> None:
        """Before a batch: who knows its rows, and takes the records of their lines."""
        self.mounted, self.rider, self._log_sink = BATCH, rider, log_sink
        self._trapped = self.hidden = False
        self._words[_LOGGED] = 0

    def end_batch(self) -> None:
        """After one all of whose rows came to their end."""
        self.mounted = self.rider = self._log_sink = None

    def out_of_ride(self, gone: int | None) -> Ran:
        """After it: how many steps went as expected (None: it has trapped), and what the last callback returned."""
        over, result = self._words[STEP], self._words[SECOND]
        trapped = self._trapped
        self.mounted, self.hidden, self.rider, self._log_sink = None, False, None, None
        self.paid, self._trapped = 0, False
        return Ran(over, trapped, gone, None if result == MISSING or trapped else result)

    def _dismount(self) -> None:
        """Have Python know what the module is being shown."""
        rider, self.rider = self.rider, None
        words = self._words
        words[BREAK] = 1
        if rider is not None:
            is_over = not words[DEPTH] and not self._trapped
            piece = rider.dismount(words[STEP] - is_over)
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
        ran = self._words[STEP] + self._trapped
        unpaid = sum(self._wasm.exports(name) for name in driver.callbacks[self.paid : ran])
        self.paid = ran
        return unpaid

    def recover(self, depth: int, name: str | Driver) -> str:
        """After a trap: the run is over, and those inside it; the callback that it was."""
        words = self._words
        words[ALLOCATING] = 0
        words[DEPTH] = depth
        self._bytes[PRESET:PRESET_END] = UNKNOWN_STATES
        if isinstance(name, Driver):
            self._trapped = True
            return name.callbacks[words[STEP]]
        return name
