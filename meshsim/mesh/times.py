"""How long something takes: distributions of times, as values that can be compared, written and drawn from.

A text names one: ``10ms``, ``exponential(10ms)``, ``lognormal(10ms, 0.5)`` (median, sigma of the logarithm),
``uniform(1ms, 2ms)``, ``erlang(4, 10ms)`` (stages, mean of all), ``hyperexponential(0.1, 100ms, 1ms)`` (share and mean
of the slow, mean of the others), ``pareto(1ms, 2.5)`` (least, shape).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from math import exp, inf
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from meshsim.errors import ConfigError
from meshsim.sim import Streams

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

Draw: TypeAlias = Callable[[], int]
"""Gives the next time, in ns."""

_UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60 * 10**9, "h": 3600 * 10**9}
_SPAN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_CALL = re.compile(r"([a-z]+)\((.*)\)")


class Times(Protocol):
    """A distribution of times."""

    @property
    def mean_ns(self) -> float:
        """The mean, in ns."""

    def draws(self, streams: Streams, name: str) -> Draw:
        """Draw from the stream of this name."""


def duration_ns(text: str) -> int:
    """Read a duration as Go writes it.

    Raises
    ------
    ConfigError
        It is none.

    Examples
    --------
    >>> duration_ns("1.5ms"), duration_ns("1m30s"), duration_ns("0")
    (1500000, 90000000000, 0)
    """
    text = text.strip()
    if text == "0":
        return 0
    spans = list(_SPAN.finditer(text))
    if not spans or "".join(span.group() for span in spans) != text:
        raise ConfigError(f"{text!r} is no duration", remedy="a number and a unit: 10ms, 1.5s, 250us")
    return round(sum(float(span[1]) * _UNITS[span[2]] for span in spans))


@dataclass(frozen=True, slots=True)
class Constant:
    """Always the same time."""

    ns: int = 0

    @property
    def mean_ns(self) -> float:
        """The mean."""
        return float(self.ns)

    def draws(self, streams: Streams, name: str) -> Draw:
        """Give the time again and again; nothing is drawn."""
        ns = self.ns
        return lambda: ns


AT_ONCE = Constant(0)


@dataclass(frozen=True, slots=True)
class Exponential:
    """Without memory."""

    ns: float

    @property
    def mean_ns(self) -> float:
        """The mean."""
        return self.ns

    def draws(self, streams: Streams, name: str) -> Draw:
        """Draw."""
        return _next(streams.exponential_ns(name, self.ns))


@dataclass(frozen=True, slots=True)
class LogNormal:
    """With a tail; ``sigma`` is that of the logarithm."""

    median_ns: float
    sigma: float

    @property
    def mean_ns(self) -> float:
        """The mean."""
        return self.median_ns * exp(self.sigma**2 / 2)

    def draws(self, streams: Streams, name: str) -> Draw:
        """Draw."""
        return _next(streams.lognormal_ns(name, self.median_ns, self.sigma))


@dataclass(frozen=True, slots=True)
class Uniform:
    """Equally likely between two times, both included."""

    low_ns: int
    high_ns: int

    @property
    def mean_ns(self) -> float:
        """The mean."""
        return (self.low_ns + self.high_ns) / 2

    def draws(self, streams: Streams, name: str) -> Draw:
        """Draw."""
        return _next(streams.uniform_ns(name, self.low_ns, self.high_ns))


@dataclass(frozen=True, slots=True)
class Erlang:
    """The sum of equal exponential stages; more regular than one of them."""

    stages: int
    ns: float

    @property
    def mean_ns(self) -> float:
        """The mean of the sum."""
        return self.ns

    def draws(self, streams: Streams, name: str) -> Draw:
        """Draw."""
        stages, each_ns = self.stages, self.ns / self.stages
        return _next(streams.variates(name, lambda generator, n: _whole(generator.gamma(stages, each_ns, n))))


@dataclass(frozen=True, slots=True)
class HyperExponential:
    """Exponential with one of two means: ``share`` of the times are of ``slow_ns``."""

    share: float
    slow_ns: float
    fast_ns: float

    @property
    def mean_ns(self) -> float:
        """The mean of all."""
        return self.share * self.slow_ns + (1 - self.share) * self.fast_ns

    def draws(self, streams: Streams, name: str) -> Draw:
        """Draw."""
        return _next(streams.variates(name, partial(_mixed, self.share, self.slow_ns, self.fast_ns)))


@dataclass(frozen=True, slots=True)
class Pareto:
    """A power law from ``least_ns`` on; the mean is finite for a ``shape`` above 1."""

    least_ns: float
    shape: float

    @property
    def mean_ns(self) -> float:
        """The mean."""
        return self.least_ns * self.shape / (self.shape - 1) if self.shape > 1 else inf

    def draws(self, streams: Streams, name: str) -> Draw:
        """Draw."""
        least_ns, shape = self.least_ns, self.shape
        return _next(streams.variates(name, lambda generator, n: _whole(least_ns * (1 + generator.pareto(shape, n)))))


@dataclass(frozen=True, slots=True)
class Observed:
    """One of some times that were measured, equally likely."""

    values_ns: tuple[int, ...]

    @property
    def mean_ns(self) -> float:
        """The mean."""
        return sum(self.values_ns) / len(self.values_ns)

    def draws(self, streams: Streams, name: str) -> Draw:
        """Draw."""
        values = self.values_ns
        places = streams.variates(name, lambda generator, n: generator.integers(0, len(values), n))
        return lambda: values[next(places)]


def times(given: Times | str | int) -> Times:
    """Make a distribution of a text, or of a number of ns.

    Raises
    ------
    ConfigError
        The text names none.

    Examples
    --------
    >>> times("exponential(10ms)")
    Exponential(ns=10000000)
    >>> times("250us").mean_ns
    250000.0
    """
    if isinstance(given, int):
        return Constant(given)
    if not isinstance(given, str):
        return given
    found = _CALL.fullmatch(given.strip())
    if found is None:
        return Constant(duration_ns(given))
    name, arguments = found[1], [argument.strip() for argument in found[2].split(",")]
    if name not in _BY_NAME:
        raise ConfigError(f"no distribution {name!r}", remedy=f"one of {', '.join(_BY_NAME)}, or a duration")
    make, readers = _BY_NAME[name]
    if len(arguments) != len(readers):
        raise ConfigError(f"{given!r}: {name} takes {len(readers)} values", remedy="see meshsim.mesh.times")
    return make(*(_read(reader, argument, given) for reader, argument in zip(readers, arguments, strict=True)))


def _read(reader: Callable[[str], Any], argument: str, whole: str) -> Any:
    try:
        return reader(argument)
    except ValueError:
        raise ConfigError(f"{whole!r}: {argument!r} is no number") from None


_BY_NAME: dict[str, tuple[Callable[..., Times], tuple[Callable[[str], Any], ...]]] = {
    "exponential": (Exponential, (duration_ns,)),
    "lognormal": (LogNormal, (duration_ns, float)),
    "uniform": (Uniform, (duration_ns, duration_ns)),
    "erlang": (Erlang, (int, duration_ns)),
    "hyperexponential": (HyperExponential, (float, duration_ns, duration_ns)),
    "pareto": (Pareto, (duration_ns, float)),
}


def _next(iterator: Iterator[int]) -> Draw:
    return iterator.__next__


def _whole(values: NDArray[Any]) -> NDArray[Any]:
    return values.round().astype("int64")


def _mixed(share: float, slow_ns: float, fast_ns: float, generator: Generator, n: int) -> NDArray[Any]:
    slow = generator.random(n) < share
    drawn = generator.standard_exponential(n)
    return _whole(drawn * (slow * slow_ns + ~slow * fast_ns))
