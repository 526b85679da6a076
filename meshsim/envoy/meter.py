"""What running modules costs their thread."""

from __future__ import annotations

from typing import Final

from meshsim.cost import CostModel
from meshsim.envoy.threads import Thread

#: Nanoseconds are kept with so many bits behind the point.
_FRACTION: Final = 32
_PARTS: Final = (1 << 32) - 1


class Meter:
    """Charges what VMs do to their thread, by the cost profile.

    Parts of a nanosecond are carried over, so that the sum does not depend on how a run is cut into pieces.
    """

    def __init__(self, thread: Thread, costs: CostModel, epoch_ns: int) -> None:
        self._loop = thread
        self._epoch_ns = epoch_ns
        self._callback_ns = costs.callback_ns
        self._fuel_rate = round(costs.fuel_ns * (1 << _FRACTION))
        self._owed = 0
        self.host_call_ns = costs.host_call_ns
        self.clock_read_ns = costs.clock_read_ns

    def callback(self, fuel: int, callbacks: int = 1) -> None:
        """Charge for entering the module and coming back, and for the guest's own code."""
        self._loop.spend(self._callback_ns * callbacks)
        self.guest(fuel)

    def guest(self, fuel: int) -> None:
        """Charge for the guest's own code."""
        owed = self._owed + fuel * self._fuel_rate
        self._owed = owed & _PARTS
        self._loop.spend(owed >> _FRACTION)

    def host_call(self) -> None:
        """Charge for a host call."""
        self._loop.spend(self.host_call_ns)

    def host_calls(self, calls: int, readings: int) -> None:
        """Charge for host calls and readings of a clock."""
        self._loop.spend(calls * self.host_call_ns + readings * self.clock_read_ns)

    def run(self, fuel: int, callbacks: int, calls: int, readings: int) -> None:
        """Charge for a run of callbacks, with all that happened in it."""
        owed = self._owed + fuel * self._fuel_rate
        self._owed = owed & _PARTS
        self._loop.spent_ns += (
            (owed >> _FRACTION)
            + self._callback_ns * callbacks
            + calls * self.host_call_ns
            + readings * self.clock_read_ns
        )

    @property
    def wall_ns(self) -> int:
        """The wall clock."""
        return self._epoch_ns + self._loop.now_ns


class EntryMeter(Meter):
    """Tells its thread, too, that a guest is entered."""

    def callback(self, fuel: int, callbacks: int = 1) -> None:
        """Charge for it like any other, and for what the thread makes of it."""
        self._loop.enter()
        super().callback(fuel, callbacks)
