"""How long requests took: quantiles, and how far to trust them.

Requests of one run are not independent: they waited in the same queues. So the interval of a quantile is made of
*batches*: the run is cut, in order of time, into pieces long enough to forget each other, each gives its own quantile,
and Student's t is taken over those (A. F. Seila, "A batching approach to quantile estimation in regenerative
simulations", Management Science 28, 1982; A. M. Law, Simulation Modeling and Analysis, 9.5). A piece must hold the
tail that is asked for: ten values beyond the quantile. A run too short for four such pieces has no interval, and says
so by an infinite one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import TYPE_CHECKING

from meshsim.sim import Histogram, Interval, Moments
from meshsim.sim.histogram import nearest_rank
from meshsim.sim.measure import student_t

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: Pieces of a run for an interval: at most, and at least.
_MOST, _LEAST = 20, 4

#: Values beyond the quantile that each piece must be able to hold.
_BEYOND = 10


class Latency(ABC):
    """A distribution of times in ns. A quantile is by nearest rank, a time that did occur; 0 when nothing came."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many."""

    @property
    @abstractmethod
    def mean(self) -> float:
        """The mean in ns; not a number when there are none."""

    @abstractmethod
    def quantile(self, q: float) -> int:
        """Return the q-quantile in ns."""

    def interval(self, q: float, level: float = 0.95) -> Interval:
        """Return the q-quantile with its confidence interval; infinite where the run was too short for one."""
        return Interval(self.quantile(q), inf, level, 0)

    @property
    def p50(self) -> int:
        """The median in ns."""
        return self.quantile(0.5)

    @property
    def p90(self) -> int:
        """In ns: nine of ten took no longer."""
        return self.quantile(0.9)

    @property
    def p99(self) -> int:
        """In ns: 99 of 100 took no longer."""
        return self.quantile(0.99)

    @property
    def p999(self) -> int:
        """In ns: 999 of 1000 took no longer."""
        return self.quantile(0.999)

    @property
    def greatest(self) -> int:
        """The longest, in ns."""
        return self.quantile(1.0)

    def summary(self) -> dict[str, float]:
        """Return count, mean and the usual quantiles, by name; times in ns."""
        mean = self.mean if self.count else 0.0
        quantiles = {f"{name}_ns": getattr(self, name) for name in ("p50", "p90", "p99", "p999", "greatest")}
        return {"count": self.count, "mean_ns": round(mean, 1), **quantiles}

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {getattr(self, name) / 1e6:.3f} ms" for name in ("p50", "p90", "p99", "p999"))
        return f"{self.count} requests: {shown}"


@dataclass(frozen=True)
class RowsLatency(Latency):
    """Of rows: every time is there.

    Parameters
    ----------
    starts_ns, took_ns : array of int64, one value a request
        When each began, and how long it took.

    Examples
    --------
    >>> import numpy as np
    >>> took = RowsLatency(np.arange(4000), np.tile([1_000_000, 2_000_000], 2000))
    >>> took.p50, took.p99, took.interval(0.5).half_width
    (1000000, 2000000, 0.0)
    """

    starts_ns: NDArray[np.int64]
    took_ns: NDArray[np.int64]

    @property
    def count(self) -> int:
        return len(self.took_ns)

    @property
    def mean(self) -> float:
        return float(self.took_ns.mean()) if self.count else nan

    def quantile(self, q: float) -> int:
        return _quantile(self.took_ns, q)

    def interval(self, q: float, level: float = 0.95) -> Interval:
        import numpy as np

        needed = _BEYOND / min(q, 1 - q) if 0 < q < 1 else inf
        pieces = min(_MOST, int(self.count / needed))
        if pieces < _LEAST:
            return Interval(self.quantile(q), inf, level, pieces)
        in_order = self.took_ns[np.argsort(self.starts_ns, kind="stable")]
        moments = Moments(float(_quantile(piece, q)) for piece in np.array_split(in_order, pieces))
        half_width = student_t(level, pieces - 1) * moments.deviation / sqrt(pieces)
        return Interval(self.quantile(q), half_width, level, pieces)


@dataclass(frozen=True)
class HistogramLatency(Latency):
    """Of a histogram, which is what a run without rows keeps; off by at most its ``relative_error``.

    Examples
    --------
    >>> HistogramLatency(Histogram()).p99
    0
    """

    histogram: Histogram

    @property
    def count(self) -> int:
        return self.histogram.count

    @property
    def mean(self) -> float:
        return self.histogram.mean

    def quantile(self, q: float) -> int:
        return self.histogram.quantile(q) if self.count else 0


def _quantile(values: NDArray[np.int64], q: float) -> int:
    if not len(values):
        return 0
    import numpy as np

    rank = nearest_rank(q, len(values)) - 1
    return int(np.partition(values, rank)[rank])
