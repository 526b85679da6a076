"""What becomes time of what a VM does: a class and no Protocol, because each crossing charges by it."""

from __future__ import annotations


class Meter:
    """Turns what a VM does into time.

    Attributes
    ----------
    host_call_ns, clock_read_ns : int
        What a host call, and a reading of a clock, take.
    """

    host_call_ns: int
    clock_read_ns: int

    def callback(self, fuel: int, callbacks: int = 1) -> None:
        """Calls into the module are over, one or several; the guest has burnt ``fuel`` in them.

        How a number of units of fuel is split between calls does not change the time that they take together.
        """
        raise NotImplementedError

    def guest(self, fuel: int) -> None:
        """The guest has burnt ``fuel``, and its callback goes on."""
        raise NotImplementedError

    def host_call(self) -> None:
        """The module has called the host."""
        raise NotImplementedError

    def host_calls(self, calls: int, readings: int) -> None:
        """The module has called the host so often, and has read a clock so often besides."""
        raise NotImplementedError

    def run(self, fuel: int, callbacks: int, calls: int, readings: int) -> None:
        """All of these at once."""
        raise NotImplementedError

    @property
    def wall_ns(self) -> int:
        """The virtual wall clock, in ns since 1970; to look at it takes no time."""
        raise NotImplementedError
