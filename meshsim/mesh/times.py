"""How long something takes: distributions of times, as values that can be compared, written and drawn from.

A text names one: ``10ms``, ``exponential(10ms)``, ``lognormal(10ms, 0.5)`` (median, sigma of the logarithm),
``uniform(1ms, 2ms)``, ``erlang(4, 10ms)`` (stages, mean of all), ``hyperexponential(0.1, 100ms, 1ms)`` (share and mean
of the slow, mean of the others), ``pareto(1ms, 2.5)`` (least, shape).
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import partial
from itertools import repeat
from math import exp, inf
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from meshsim.errors import ConfigError
from meshsim.mesh.ranges import LONGEST_NS, within
from meshsim.sim import Streams
from meshsim.sim.random import whole_ns

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

Draw: TypeAlias = Callable[[], int]
"""Gives the next time, in ns."""

_UNITS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60 * 10**9, "h": 3600 * 10**9}
_SPAN = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_CALL = re.compile(r"([a-z]+)\((.*)\)")

#: What parameters may be that are no times; with a larger sigma or a smaller shape the tail alone is left.
_RANGES: Mapping[str, tuple[float, float]] = {
    "share": (0, 1),
    "stages": (1, inf),
    "sigma": (0, 10),
    "shape": (0.1, inf),
}


class Times(ABC):
    """A distribution of times.

    Raises
    ------
    ConfigError
        A parameter is out of its range.
    """

    __slots__ = ()
    __dataclass_fields__: ClassVar[dict[str, Any]]  # each distribution is a dataclass; its fields are its parameters

    def __post_init__(self) -> None:
        within(self, **{each.name: _RANGES.get(each.name, (0, LONGEST_NS)) for each in fields(self)})

    @property
    @abstractmethod
    def mean_ns(self) -> float:
        """The mean, in ns."""

    @abstractmethod
    def without_end(self, streams: Streams, name: str) -> Iterator[int]:
        """Give times in ns, drawn from the stream of this name."""

    def draws(self, streams: Streams, name: str) -> Draw:
        """Draw from the stream of this name."""
        return self.without_end(streams, name).__next__


def duration_ns(text: str) -> int:
    """Read a duration as Go writes it.

    Raises
    ------
    ConfigError
        It is none, or longer than there are numbers for.

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
    whole_ns = sum(float(span[1]) * _UNITS[span[2]] for span in spans)
    if whole_ns > LONGEST_NS:
        raise ConfigError(f"{text!r} is too long", remedy="at most two years")
    return round(whole_ns)


@dataclass(frozen=True, slots=True)
class Constant(Times):
    """Always the same time."""

    ns: int = 0

    @property
    def mean_ns(self) -> float:
        return float(self.ns)

    def without_end(self, streams: Streams, name: str) -> Iterator[int]:
        return repeat(self.ns)


AT_ONCE = Constant(0)


@dataclass(frozen=True, slots=True)
class Exponential(Times):
    """Without memory."""

    ns: float

    @property
    def mean_ns(self) -> float:
        return self.ns

    def without_end(self, streams: Streams, name: str) -> Iterator[int]:
        return streams.exponential_ns(name, self.ns)


@dataclass(frozen=True, slots=True)
class LogNormal(Times):
    """With a tail; ``sigma`` is that of the logarithm."""

    median_ns: float
    sigma: float

    @property
    def mean_ns(self) -> float:
        return self.median_ns * exp(self.sigma**2 / 2)

    def without_end(self, streams: Streams, name: str) -> Iterator[int]:
        return streams.lognormal_ns(name, self.median_ns, self.sigma)


@dataclass(frozen=True, slots=True)
class Uniform(Times):
    """Equally likely between two times, both included."""

    low_ns: int
    high_ns: int

    def __post_init__(self) -> None:
        within(self, low_ns=(0, LONGEST_NS), high_ns=(self.low_ns, LONGEST_NS))

    @property
    def mean_ns(self) -> float:
        return (self.low_ns + self.high_ns) / 2

    def without_end(self, streams: Streams, name: str) -> Iterator[int]:
        return streams.uniform_ns(name, self.low_ns, self.high_ns)


@dataclass(frozen=True, slots=True)
class Erlang(Times):
    """The sum of equal exponential stages, of ``ns`` on average; more regular than one of them."""

    stages: int
    ns: float

    @property
    def mean_ns(self) -> float:
        return self.ns

    def without_end(self, streams: Streams, name: str) -> Iterator[int]:
        stages, each_ns = self.stages, self.ns / self.stages
        return streams.variates(name, lambda generator, n: whole_ns(generator.gamma(stages, each_ns, n)))


@dataclass(frozen=True, slots=True)
class HyperExponential(Times):
    """Exponential with one of two means: ``share`` of the times are of ``slow_ns``."""

    share: float
    slow_ns: float
    fast_ns: float

    @property
    def mean_ns(self) -> float:
        return self.share * self.slow_ns + (1 - self.share) * self.fast_ns

    def without_end(self, streams: Streams, name: str) -> Iterator[int]:
        return streams.variates(name, partial(_mixed, self.share, self.slow_ns, self.fast_ns))


@dataclass(frozen=True, slots=True)
class Pareto(Times):
    """A power law from ``least_ns`` on; the mean is finite for a ``shape`` above 1."""

    least_ns: float
    shape: float

    @property
    def mean_ns(self) -> float:
        return self.least_ns * self.shape / (self.shape - 1) if self.shape > 1 else inf

    def without_end(self, streams: Streams, name: str) -> Iterator[int]:
        least_ns, shape = self.least_ns, self.shape
        return streams.variates(name, lambda generator, n: whole_ns(least_ns * (1 + generator.pareto(shape, n))))


@dataclass(frozen=True, slots=True)
class Observed(Times):
    """One of some times that were measured, equally likely."""

    values_ns: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.values_ns or min(self.values_ns) < 0:
            raise ConfigError("no times, or one below 0", "Observed", "give what was measured, in ns")

    @property
    def mean_ns(self) -> float:
        return sum(self.values_ns) / len(self.values_ns)

    def without_end(self, streams: Streams, name: str) -> Iterator[int]:
        values = self.values_ns
        return map(
            values.__getitem__, streams.variates(name, lambda generator, n: generator.integers(0, len(values), n))
        )


def times(given: Times | str | int) -> Times:
    """Make a distribution of a text, or of a number of ns.

    Raises
    ------
    ConfigError
        It is neither; or the text names none, or one that cannot be.

    Examples
    --------
    >>> times("exponential(10ms)")
    Exponential(ns=10000000)
    >>> times("250us").mean_ns
    250000.0
    """
    if isinstance(given, int):
        return Constant(given)
    if isinstance(given, Times):
        return given
    if not isinstance(given, str):
        raise ConfigError(f"{given!r} is no time", remedy="a text with a unit: 10ms, exponential(10ms)")
    found = _CALL.fullmatch(given.strip())
    if found is None:
        return Constant(duration_ns(given))
    name, arguments = found[1], [argument.strip() for argument in found[2].split(",")]
    if name not in _BY_NAME:
        raise ConfigError(f"no distribution {name!r}", remedy=f"one of {', '.join(_BY_NAME)}, or a duration")
    make, readers = _BY_NAME[name]
    if len(arguments) != len(readers):
        raise ConfigError(f"{given!r}: {name} takes {len(readers)} values", remedy="see meshsim.mesh.times")
    values = [_read(reader, argument, given) for reader, argument in zip(readers, arguments, strict=True)]
    try:
        return make(*values)
    except ConfigError as error:
        raise ConfigError(error.what, given, error.remedy) from None


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


def _mixed(share: float, slow_ns: float, fast_ns: float, generator: Generator, n: int) -> NDArray[Any]:
    slow = generator.random(n) < share
    drawn = generator.standard_exponential(n)
    return whole_ns(drawn * (slow * slow_ns + ~slow * fast_ns))
