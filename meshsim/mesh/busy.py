"""How busy something is, as a sum and by time."""

from __future__ import annotations

from meshsim.mesh.result import BIN_NS, Usage


class Busy:
    """Adds up spans of work; several at once add up too.

    Examples
    --------
    >>> busy = Busy("reviews-0", "app", "", 1)
    >>> busy.add(50_000_000, 150_000_000)
    >>> busy.usage(0, 200_000_000).bins
    (50000000, 50000000)
    """

    __slots__ = ("_pod", "_track", "_zone", "bins", "capacity")

    def __init__(self, pod: str, track: str, zone: str, capacity: int) -> None:
        self._pod, self._track, self._zone = pod, track, zone
        self.capacity = capacity
        #: The sum of each bin since virtual time 0, by its number.
        self.bins: dict[int, int] = {}

    def add(self, from_ns: int, until_ns: int) -> None:
        """Add a span of the kernel's time."""
        bins, place, last = self.bins, from_ns // BIN_NS, until_ns // BIN_NS
        while place < last:
            bins[place] = bins.get(place, 0) + (place + 1) * BIN_NS - from_ns
            place += 1
            from_ns = place * BIN_NS
        bins[place] = bins.get(place, 0) + until_ns - from_ns

    def usage(self, start_ns: int, end_ns: int) -> Usage:
        """What there was from ``start_ns``, a multiple of a bin, to ``end_ns``."""
        first = start_ns // BIN_NS
        count = -(-(end_ns - start_ns) // BIN_NS)
        bins = tuple(self.bins.get(first + k, 0) for k in range(count))
        return Usage(self._pod, self._track, self._zone, self.capacity, sum(bins), end_ns - start_ns, bins)
