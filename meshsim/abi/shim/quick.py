"""The quick way into a VM, for who goes it a hundred thousand times: rides, with all on the way laid open.

Only what goes well goes this way to its end. Anything else (a trap, a doing that was not expected, something that
Python has to take note of) goes on from the same place as the plain way, :meth:`ProxyWasm.call`, would.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from meshsim.abi.shim.drivers import FINISH, Driver, Ran
from meshsim.abi.shim.layout import LAYOUT

if TYPE_CHECKING:
    from meshsim.abi.context import Context
    from meshsim.abi.proxy_wasm import ProxyWasm
    from meshsim.abi.shim.ride import Ride, Rider
    from meshsim.wasm import BareCall

_PENDING, _CALLS, _CLOCKS, _STEP, _ROOT, _DEPTH = (
    LAYOUT[name] // 4 for name in ("PENDING", "CALLS", "CLOCKS", "STEP", "ROOT", "DEPTH")
)
_WALL = LAYOUT["WALL"] // 8

RunRide = Callable[["Context", "Ride", "Texts", "Rider"], "Ran | None"]
RunFinish = Callable[["Context", "Rider"], "Ran | None"]


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
    """The quick way into one VM that has a shim.

    Attributes
    ----------
    ride : callable
        ``ride(context, ride, texts, rider)``: a ride of a stream context; None when all went as expected.
    finish : callable
        ``finish(context, rider)``: the callbacks of ``FINISH``; None when all have run and nothing is left to do.
    """

    def __init__(self, wasm: ProxyWasm) -> None:
        assert wasm.shim is not None
        self._wasm = wasm
        self.shim = wasm.shim
        self._settle = self._make_settle()
        self.ride = self._make_ride()
        self.finish = self._make_finish()

    def _make_settle(self) -> Callable[[int], None]:
        """Make what charges for a run that is over."""
        wasm, meter, words = self._wasm, self._wasm.host.meter, self.shim.words
        gauge = wasm.vm.bare_gauge(self.shim.longs, LAYOUT["OWN"] // 8)

        def settle(callbacks: int) -> None:
            calls, clocks = words[_CALLS], words[_CLOCKS]
            words[_CALLS] = 0
            if clocks:
                words[_CLOCKS] = 0
            if meter is not None:
                burnt = gauge()
                meter.run(burnt - wasm.burnt, callbacks, calls, clocks)
                wasm.burnt = burnt

        return settle

    def _make_ride(self) -> RunRide:
        wasm, shim, meter = self._wasm, self.shim, self._wasm.host.meter
        memory, words, longs, has_clock, laps = shim.memory, shim.words, shim.longs, shim.has_clock, shim.has_laps
        bare = shim.bare("ride")
        store, call, arguments, slots, trap = bare
        prepare, settle, nobody = wasm.vm.prepare_bare, self._settle, wasm.vm_context

        def ride(context: Context, ride: Ride, texts: Texts, rider: Rider) -> Ran | None:
            prepare()
            for place in ride.own:
                memory[place] = texts.own
            for place in ride.carried:
                memory[place] = texts.carried
            for place in ride.dated:
                memory[place] = texts.date
            parent = context.parent.id  # type: ignore[union-attr]  # a stream's
            slots[0], slots[4], slots[8], words[_ROOT] = ride.address, context.id, parent, parent
            if has_clock:
                longs[_WALL] = meter.wall_ns  # type: ignore[union-attr]  # a clock has a meter
            shim.rider, shim.mounted, shim.hidden = rider, ride.driver, ride.creates
            wasm.current = wasm.acting = context
            wasm.allowance.spent, wasm.calls, store.depth = 0, 1, 1
            try:
                error = call(*arguments)
            finally:
                store.depth = wasm.calls = 0
                wasm.current = wasm.acting = nobody
            if error or trap[0] or words[_PENDING] or slots[0] != ride.length:
                return self._look(context, ride.driver, bare, error)
            if laps:
                settle(shim.unpaid)
                shim.paid = 0
            else:
                settle(ride.charged)
            shim.rider = shim.mounted = None
            shim.hidden = False
            return None

        return ride

    def _make_finish(self) -> RunFinish:
        wasm, shim, meter = self._wasm, self.shim, self._wasm.host.meter
        words, longs, has_clock, laps = shim.words, shim.longs, shim.has_clock, shim.has_laps
        bare = shim.bare("finish")
        store, call, arguments, slots, trap = bare
        prepare, settle, nobody = wasm.vm.prepare_bare, self._settle, wasm.vm_context
        all_of_them = len(FINISH.callbacks)
        charged = sum(map(wasm.exports, FINISH.callbacks))

        def finish(context: Context, rider: Rider) -> Ran | None:
            prepare()
            slots[0] = context.id
            words[_ROOT] = context.parent.id  # type: ignore[union-attr]  # a stream's
            if has_clock:
                longs[_WALL] = meter.wall_ns  # type: ignore[union-attr]  # a clock has a meter
            shim.rider, shim.mounted, shim.hidden = rider, FINISH, False
            wasm.current = wasm.acting = context
            wasm.allowance.spent, wasm.calls, store.depth = 0, 1, 1
            try:
                error = call(*arguments)
            finally:
                store.depth = wasm.calls = 0
                wasm.current = wasm.acting = nobody
            if error or trap[0] or words[_PENDING] or words[_STEP] != all_of_them:
                return self._look(context, FINISH, bare, error)
            if laps:
                settle(shim.unpaid)
                shim.paid = 0
            else:
                settle(charged)
            shim.rider = shim.mounted = None
            return None

        return finish

    def _look(self, context: Context, driver: Driver, bare: BareCall, error: int) -> Ran:
        """Go on as the plain way does behind a call."""
        store, _, _, slots, trap = bare

        def conclude() -> int:
            if error or trap[0]:
                raise store.ended_badly(error)
            return slots[0]

        self.shim.words[_DEPTH] = 0
        return self._wasm.conclude(context, driver, conclude)
