"""The quick way into a VM, for who goes it a hundred thousand times: rides, with all on the way laid open.

Only what goes well goes this way to its end. Anything else (a trap, a doing that was not expected, something that
Python has to take note of) goes on from the same place as the plain way, :meth:`ProxyWasm.call`, would.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from meshsim.abi.shim.drivers import FINISH, Driver, Ran
from meshsim.abi.shim.layout import LAYOUT

if TYPE_CHECKING:
    from meshsim.abi.context import Context
    from meshsim.abi.proxy_wasm import ProxyWasm
    from meshsim.abi.shim.ride import Ride, Rider
    from meshsim.wasm import BareCall

# Each by itself: a compiled module reads what is Final without looking for its name.
_PENDING: Final = LAYOUT["PENDING"] // 4
_CALLS: Final = LAYOUT["CALLS"] // 4
_CLOCKS: Final = LAYOUT["CLOCKS"] // 4
_STEP: Final = LAYOUT["STEP"] // 4
_ROOT: Final = LAYOUT["ROOT"] // 4
_DEPTH: Final = LAYOUT["DEPTH"] // 4
_WALL: Final = LAYOUT["WALL"] // 8


class Texts(Protocol):
    """What stands in one stream's messages where a ride has marks."""

    @property
    def own(self) -> bytes:
        """In place of the first mark."""

    @property
    def carried(self) -> bytes:
        """In place of the second."""

    @property
    def date(self) -> bytes:
        """In place of the third."""


class Quick:
    """The quick way into one VM that has a shim."""

    def __init__(self, wasm: ProxyWasm) -> None:
        assert wasm.shim is not None
        self._wasm = wasm
        self.shim = shim = wasm.shim
        self._vm = wasm.vm
        self._meter = wasm.host.meter
        self._memory, self._words, self._longs = shim.memory, shim.words, shim.longs
        self._has_clock, self._has_laps = shim.has_clock, shim.has_laps
        self._of_ride, self._of_finish = shim.bare("ride"), shim.bare("finish")
        self._ends = len(FINISH.callbacks)
        self._ends_charged = sum(map(wasm.exports, FINISH.callbacks))

    def ride(self, context: Context, ride: Ride, texts: Texts, rider: Rider) -> Ran | None:
        """Take a ride with a stream context; None when all went as expected."""
        memory, bare = self._memory, self._of_ride
        for place in ride.own:
            memory[place] = texts.own
        for place in ride.carried:
            memory[place] = texts.carried
        for place in ride.dated:
            memory[place] = texts.date
        slots, parent = bare.words, context.parent.id  # type: ignore[union-attr]  # a stream's
        slots[0], slots[4], slots[8], self._words[_ROOT] = ride.address, context.id, parent, parent
        shim = self.shim
        shim.hidden = ride.creates
        left = self._run(bare, context, ride.driver, rider)
        if left < 0 or self._words[_PENDING] or slots[0] != ride.length:
            return self._look(context, ride.driver, bare)
        self._settle(left, ride.charged)
        shim.hidden = False
        return None

    def finish(self, context: Context, rider: Rider) -> Ran | None:
        """Run the callbacks of ``FINISH`` for a stream context; None when nothing is left to do."""
        bare, words = self._of_finish, self._words
        bare.words[0] = context.id
        words[_ROOT] = context.parent.id  # type: ignore[union-attr]  # a stream's
        self.shim.hidden = False
        left = self._run(bare, context, FINISH, rider)
        if left < 0 or words[_PENDING] or words[_STEP] != self._ends:
            return self._look(context, FINISH, bare)
        self._settle(left, self._ends_charged)
        return None

    def _run(self, bare: BareCall, context: Context, driver: Driver, rider: Rider) -> int:
        """Make the call, on behalf of a context; give the fuel that is left, less than 0 when it ended badly."""
        wasm, shim = self._wasm, self.shim
        self._vm.prepare_bare()
        if self._has_clock:
            self._longs[_WALL] = self._meter.wall_ns  # type: ignore[union-attr]  # a clock has a meter
        shim.rider, shim.mounted = rider, driver
        wasm.current = wasm.acting = context
        wasm.allowance.spent = 0
        wasm.calls = 1
        try:
            return bare.call()
        finally:
            wasm.calls = 0
            wasm.current = wasm.acting = wasm.vm_context

    def _settle(self, left: int, charged: int) -> None:
        """Charge for a run that is over and has left so much fuel, of so many callbacks that are charged for."""
        wasm, shim, words, meter = self._wasm, self.shim, self._words, self._meter
        calls, clocks = words[_CALLS], words[_CLOCKS]
        words[_CALLS] = 0
        if clocks:
            words[_CLOCKS] = 0
        if self._has_laps:
            charged, shim.paid = shim.unpaid, 0
        if meter is not None:
            burnt = self._vm.bare_fuel(left)
            meter.run(burnt - wasm.burnt, charged, calls, clocks)
            wasm.burnt = burnt
        shim.rider = shim.mounted = None

    def _look(self, context: Context, driver: Driver, bare: BareCall) -> Ran:
        """Go on as the plain way does behind a call."""
        self.shim.words[_DEPTH] = 0
        return self._wasm.conclude(context, driver, bare.result)
