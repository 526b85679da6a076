"""A number with its range, and the little arithmetic that ranges need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value between ``low`` and ``high``, in the unit of its context (ns, bytes).

    The range of a sum is the sum of the ranges, as if all errors went the same way: wider than chance would have it.

    Examples
    --------
    >>> 2 * Estimate(10.0, 9.0, 12.0) + Estimate(1.0, 1.0, 1.0)
    Estimate(value=21.0, low=19.0, high=25.0)
    >>> 21.0 in Estimate(20.0, 19.0, 22.0)
    True
    """

    value: float
    low: float
    high: float

    def __add__(self, other: Estimate) -> Estimate:
        return Estimate(self.value + other.value, self.low + other.low, self.high + other.high)

    def __rmul__(self, amount: float) -> Estimate:
        """Return it so many times; ``amount`` is not negative."""
        return Estimate(amount * self.value, amount * self.low, amount * self.high)

    def by(self, factor: Estimate) -> Estimate:
        """Return it times a factor that has a range itself, and is not negative."""
        ends = [one * other for one in (self.low, self.high) for other in (factor.low, factor.high)]
        return Estimate(self.value * factor.value, min(ends), max(ends))

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high


NOTHING = Estimate(0.0, 0.0, 0.0)


def total(parts: Iterable[Estimate]) -> Estimate:
    """Return the sum.

    >>> total([])
    Estimate(value=0.0, low=0.0, high=0.0)
    """
    return sum(parts, start=NOTHING)
