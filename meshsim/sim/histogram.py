"""Quantiles, of lists and of histograms that keep a distribution in constant memory.

Quantiles are by nearest rank everywhere: the q-quantile of n values is the ``ceil(q n)``-th smallest, a value that
did occur. Definitions that interpolate give p99 values which no request ever had.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate
from math import ceil, nan
from typing import ClassVar, Final

_LIMIT_BITS: Final = 63
_LIMIT = (1 << _LIMIT_BITS) - 1


def nearest_rank(q: float, n: int) -> int:
    """Give the rank, 1 to ``n``, of the q-quantile of ``n`` values.

    ``q`` is read as the decimal number that was meant: 0.07 of 100 is rank 7, though 0.07 * 100 > 7 in floats.

    Raises
    ------
    ValueError
        When ``q`` is outside 0..1 or ``n`` is 0.

    Examples
    --------
    >>> nearest_rank(0.07, 100), nearest_rank(0.999, 100), nearest_rank(0, 100)
    (7, 100, 1)
    """
    if not 0 <= q <= 1:
        raise ValueError(f"a quantile is asked for by a number in 0..1, not {q}")
    if n < 1:
        raise ValueError("no values, no quantile")
    return max(1, ceil(Fraction(q).limit_denominator(10**9) * n))


def quantile(values: Sequence[float], q: float) -> float:
    """Give the q-quantile of ``values`` (any order) by nearest rank.

    Examples
    --------
    >>> quantile([15, 20, 35, 40, 50], 0.4)
    20
    """
    return sorted(values)[nearest_rank(q, len(values)) - 1]


class Histogram:
    """Counts of non-negative integers in buckets of equal relative width, in constant memory.

    Log-linear, after the idea of HdrHistogram: below ``2**precision`` each value has a bucket; above, each power
    of two is cut into ``2**(precision - 1)`` equal buckets. A reported value is off by at most ``relative_error``
    of the true one; count, total, least and greatest are exact.

    Parameters
    ----------
    precision : int
        Bits kept of each value; 8 is 0.4 % and 58 KiB.

    Examples
    --------
    >>> latency = Histogram()
    >>> for ns in range(1, 1_000_001, 100):
    ...     latency.add(ns)
    >>> latency.quantile(0.5), latency.relative_error
    (500735, 0.00390625)
    """

    __slots__ = ("_counts", "_mantissas", "count", "greatest", "least", "precision", "total")

    LIMIT: ClassVar[int] = _LIMIT
    """The greatest value that can be counted: 292 years in ns."""

    def __init__(self, precision: int = 8) -> None:
        if not 1 <= precision <= 16:
            raise ValueError(f"a histogram keeps 1 to 16 bits of a value, not {precision}")
        self.precision = precision
        self.count = 0
        self.total = 0
        self.least = self.LIMIT
        self.greatest = 0
        self._mantissas = 1 << (precision - 1)
        self._counts = [0] * (self._index(self.LIMIT) + 1)

    @property
    def relative_error(self) -> float:
        """Bound of ``|reported - true| / true`` of a quantile."""
        return 2.0**-self.precision

    @property
    def mean(self) -> float:
        """The exact mean; not a number when nothing was counted."""
        # As a fraction: in a compiled module a quotient of ints is one of floats, which have 53 bits.
        return float(Fraction(self.total, self.count)) if self.count else nan

    def add(self, value: int) -> None:
        """Count ``value``.

        Raises
        ------
        ValueError
            When it is negative or beyond ``LIMIT``.
        """
        bits = value.bit_length()
        if value < 0 or bits > _LIMIT_BITS:
            raise ValueError(f"a histogram counts 0..2**63-1, not {value}")
        # _index() laid open: of all calls in a run, this is one of the most frequent.
        shift = bits - self.precision
        self._counts[value if shift <= 0 else shift * self._mantissas + (value >> shift)] += 1
        self.count += 1
        self.total += value
        if value < self.least:
            self.least = value
        if value > self.greatest:
            self.greatest = value

    def merge(self, other: Histogram) -> None:
        """Add all that ``other`` counted, as if it had been counted here.

        Raises
        ------
        ValueError
            When the other one keeps another precision.
        """
        if other.precision != self.precision:
            raise ValueError(f"cannot merge histograms of {self.precision} and {other.precision} bits")
        for index, times in enumerate(other._counts):
            if times:
                self._counts[index] += times
        self.count += other.count
        self.total += other.total
        self.least = min(self.least, other.least)
        self.greatest = max(self.greatest, other.greatest)

    def quantile(self, q: float) -> int:
        """Give the q-quantile by nearest rank, to within ``relative_error``.

        Raises
        ------
        ValueError
            When nothing was counted, or ``q`` is outside 0..1.
        """
        rank = nearest_rank(q, self.count)
        if rank == self.count:
            return self.greatest
        low, width = self._bounds(bisect_left(list(accumulate(self._counts)), rank))
        return min(max(low + (width - 1) // 2, self.least), self.greatest)

    def buckets(self) -> Iterator[tuple[int, int, int]]:
        """Give ``(low, high, count)`` of each bucket that counted something, upwards, both ends included."""
        for index, times in enumerate(self._counts):
            if times:
                low, width = self._bounds(index)
                yield low, low + width - 1, times

    def _index(self, value: int) -> int:
        shift = value.bit_length() - self.precision
        return value if shift <= 0 else shift * self._mantissas + (value >> shift)

    def _bounds(self, index: int) -> tuple[int, int]:
        """Give the least value and the width of a bucket; the inverse of ``_index``."""
        shift = max(0, index // self._mantissas - 1)
        return (index - shift * self._mantissas) << shift, 1 << shift
