"""Means and how far to trust them: in one pass, over time, and from replications. All pure, no clock, no numpy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import atan, cos, exp, inf, lgamma, log, nan, pi, sin, sqrt
from statistics import NormalDist


class Moments:
    """Mean and variance in one pass (Welford 1962; merging by Chan, Golub and LeVeque 1979).

    Sums of squares lose all digits when the deviation is small beside the mean, as it is for times in ns since the
    start of a run; this does not.

    Examples
    --------
    >>> moments = Moments([2, 4, 4, 4, 5, 5, 7, 9])
    >>> moments.mean, round(moments.variance, 3)
    (5.0, 4.571)
    """

    __slots__ = ("_squares", "count", "mean")

    def __init__(self, values: Iterable[float] = ()) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0
        for value in values:
            self.add(value)

    def add(self, value: float) -> None:
        """Take one more value."""
        self.count += 1
        distance = value - self.mean
        self.mean += distance / self.count
        self._squares += distance * (value - self.mean)

    def merge(self, other: Moments) -> None:
        """Take all values that ``other`` took."""
        count = self.count + other.count
        if not count:
            return
        distance = other.mean - self.mean
        self.mean += distance * other.count / count
        self._squares += other._squares + distance * distance * self.count * other.count / count
        self.count = count

    @property
    def variance(self) -> float:
        """Sample variance (divided by n - 1); not a number below two values."""
        return self._squares / (self.count - 1) if self.count > 1 else nan

    @property
    def deviation(self) -> float:
        """Sample standard deviation."""
        return sqrt(self.variance)


class TimeAverage:
    """The mean over time of something that is constant between changes: a queue's length, VMs alive.

    Examples
    --------
    >>> queue = TimeAverage(start_ns=0, value=0)
    >>> queue.set(10, 4)
    >>> queue.set(20, 1)
    >>> queue.mean(40)
    1.5
    """

    __slots__ = ("_area", "_since_ns", "_start_ns", "greatest", "value")

    def __init__(self, start_ns: int = 0, value: float = 0) -> None:
        self.value = value
        self.greatest = value
        self._start_ns = self._since_ns = start_ns
        self._area: float = 0

    def set(self, now_ns: int, value: float) -> None:
        """Change to ``value`` at ``now_ns``.

        Raises
        ------
        ValueError
            When ``now_ns`` is before the last change.
        """
        self._area = self._area_until(now_ns)
        self._since_ns = now_ns
        self.value = value
        self.greatest = max(self.greatest, value)

    def mean(self, now_ns: int) -> float:
        """Mean from the start to ``now_ns``; at the start itself, the value."""
        elapsed_ns = now_ns - self._start_ns
        return self._area_until(now_ns) / elapsed_ns if elapsed_ns else self.value

    def _area_until(self, now_ns: int) -> float:
        if now_ns < self._since_ns:
            raise ValueError(f"{now_ns} ns is before the last change at {self._since_ns} ns")
        return self._area + self.value * (now_ns - self._since_ns)


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate of a mean: the true one is within ``mean`` ± ``half_width`` in ``level`` of all experiments."""

    mean: float
    half_width: float
    level: float
    count: int

    @property
    def low(self) -> float:
        """Lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """Upper end."""
        return self.mean + self.half_width

    def __contains__(self, value: float) -> bool:
        return self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{self.mean:.6g} ± {self.half_width:.2g} ({self.level:.0%}, n={self.count})"


def confidence_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """Estimate a mean from independent replications, one value each, by Student's t.

    Requests of one run are not independent (they waited in one queue): take the mean of each run, and the interval
    over runs. With a single value the interval is infinite.

    Examples
    --------
    >>> print(confidence_interval([9.8, 10.1, 10.3, 9.9, 10.0]))
    10.02 ± 0.24 (95%, n=5)
    """
    moments = Moments(values)
    if not moments.count:
        raise ValueError("no values, no confidence interval")
    half_width = inf
    if moments.count > 1:
        half_width = student_t(level, moments.count - 1) * moments.deviation / sqrt(moments.count)
    return Interval(moments.mean, half_width, level, moments.count)


def student_t(level: float, freedom: int) -> float:
    """Give the t for which a Student variable of ``freedom`` degrees is within -t..t with probability ``level``.

    Newton's method on the distribution's closed form. It starts at the normal quantile, which is below every t,
    and the distribution is concave there, so that each step comes nearer from below and none goes past.

    Raises
    ------
    ValueError
        When ``level`` is not inside 0..1 or ``freedom`` is below 1.

    Examples
    --------
    >>> round(student_t(0.95, 4), 3)
    2.776
    """
    if not 0 < level < 1 or freedom < 1:
        raise ValueError(f"no Student t for level {level} and {freedom} degrees of freedom")
    log_scale = lgamma((freedom + 1) / 2) - lgamma(freedom / 2) - log(freedom * pi) / 2
    t = NormalDist().inv_cdf((1 + level) / 2)
    while True:
        density = 2 * exp(log_scale - (freedom + 1) / 2 * log(1 + t * t / freedom))
        step = (level - student_probability(t, freedom)) / density
        t += step
        if step <= 1e-12 * t:
            return t


def student_probability(t: float, freedom: int) -> float:
    """Give the probability that a Student variable of ``freedom`` degrees is within -t..t.

    Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 (odd) and 26.7.4 (even): finite sums, exact
    for a whole number of degrees, one term for every two of them.
    """
    angle = atan(t / sqrt(freedom))
    square = cos(angle) ** 2
    odd = freedom % 2
    term = total = 0.0 if freedom == 1 else cos(angle) if odd else 1.0
    for k in range(2 + odd, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total
