"""Which runs a sweep has: points of a grid or of a list, each with some replications, each with a key of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from typing import Any

from meshsim.errors import ConfigError
from meshsim.mesh.places import yaml_values
from meshsim.mesh.scenario import Change
from meshsim.mesh.scenario_loader import Sources

Point = tuple[Change, ...]
"""What is changed, together."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a sweep.

    Attributes
    ----------
    number : int
        Its place in the plan.
    changes : tuple of (path, value)
        What is changed.
    replication : int
        From 0.
    seed : int
        The k-th replication of every point has the same seed: what differs between points is then the change and
        not chance (common random numbers).
    key : str
        Of the scenario, all files that it names, the changes and the seed: the same run has the same key, everywhere.
    """

    number: int
    changes: Point
    replication: int
    seed: int
    key: str


@dataclass(frozen=True)
class Plan:
    r"""All runs of a sweep.

    Parameters
    ----------
    sources : Sources
        The scenario.
    points : sequence of Point
        What is changed, point by point.
    replications : int
        Runs of each point.
    seed : int, optional
        Of the first replication; the scenario's own if left out.

    Raises
    ------
    ConfigError
        A point makes a scenario that is not right; nothing has run then.

    Examples
    --------
    >>> text = "topology: {services: [{name: shop}]}\nproxies: none\nload: {open: {rate: 10}}"
    >>> plan = Plan(Sources(text, "shop.yaml"), grid({"load.open.rate": [10, 20]}), replications=2)
    >>> [(cell.changes, cell.seed) for cell in plan.cells][1:3]
    [((('load.open.rate', 10),), 1), ((('load.open.rate', 20),), 0)]
    """

    sources: Sources
    points: Sequence[Point]
    replications: int = 1
    seed: int | None = None

    def __post_init__(self) -> None:
        if self.replications < 1:
            raise ConfigError(f"{self.replications} replications", remedy="ask for 1 or more")
        if not self.points or len(set(map(_canonical, self.points))) < len(self.points):
            what = "the same changes are there twice" if self.points else "a sweep of nothing"
            raise ConfigError(what, remedy="give each path values that differ")
        if "seed" in self.paths:
            raise ConfigError("a seed is not varied: it would change chance alone", "seed", "ask for replications")
        seeds = [_checked(self.sources, point) for point in self.points]
        if self.seed is None:
            object.__setattr__(self, "seed", seeds[0])

    @property
    def paths(self) -> tuple[str, ...]:
        """What is changed somewhere, in order."""
        return tuple(dict.fromkeys(path for point in self.points for path, _ in point))

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Every run, point by point."""
        return tuple(self._cells())

    @property
    def digest(self) -> str:
        """A hash of everything: two plans with one digest have the same runs."""
        return sha256("\n".join(cell.key for cell in self.cells).encode()).hexdigest()

    def _cells(self) -> Iterator[Cell]:
        scenario = self._fingerprint()
        first = self.seed or 0
        for place, (point, replication) in enumerate(product(self.points, range(self.replications))):
            seed = first + replication
            key = sha256(f"{scenario} {_canonical(point)} {seed}".encode()).hexdigest()[:20]
            yield Cell(place, point, replication, seed, key)

    def _fingerprint(self) -> str:
        """Hash the scenario's text and its files; every point has been read by now, and so has every file."""
        digest = sha256(self.sources.text.encode())
        for name, data in sorted(self.sources.files.items()):
            digest.update(f"\0{name}\0{len(data)}\0".encode() + data)
        return digest.hexdigest()


def grid(vary: Mapping[str, Iterable[Any]]) -> list[Point]:
    """Return every combination of values.

    Examples
    --------
    >>> grid({"a": [1, 2], "b": ["x"]})
    [(('a', 1), ('b', 'x')), (('a', 2), ('b', 'x'))]
    """
    axes = [[(path, value) for value in values] for path, values in vary.items()]
    return [tuple(point) for point in product(*axes)]


def paired(vary: Mapping[str, Sequence[Any]]) -> list[Point]:
    """Return the first values together, the second together, and so on.

    Raises
    ------
    ConfigError
        There are more of one than of another.
    """
    lengths = {path: len(values) for path, values in vary.items()}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{path} has {length}" for path, length in lengths.items())
        raise ConfigError(f"values that go in pairs must be as many: {counts}", "--paired", "give each as many values")
    return [tuple(zip(vary, values, strict=True)) for values in zip(*vary.values(), strict=True)]


def read_vary(text: str, option: str = "--vary") -> tuple[str, list[Any]]:
    """Read ``PATH=V1,V2``; each value as YAML has it, commas in brackets are part of it.

    Parameters
    ----------
    text : str
        What was given.
    option : str
        Where, for errors.

    Raises
    ------
    ConfigError
        It is not of that form.

    Examples
    --------
    >>> read_vary("load.open.rate=100,200")
    ('load.open.rate', [100, 200])
    >>> read_vary("services.a.service_time=lognormal(2ms, 0.5),10ms")
    ('services.a.service_time', ['lognormal(2ms, 0.5)', '10ms'])
    """
    path, equals, values = text.partition("=")
    if not path.strip() or not equals or not values.strip():
        raise ConfigError(f"{text!r} changes nothing", option, "write it as load.open.rate=100,200,400")
    return path.strip(), [_value(part, option) for part in _split(values)]


def _value(text: str, option: str) -> Any:
    try:
        return yaml_values(text, option)
    except ConfigError:
        raise ConfigError(f"{text!r} is no value", option, "quote it as in YAML") from None


def _split(text: str) -> Iterator[str]:
    """Cut at commas outside of brackets and quotes."""
    depth, quote, begin = 0, "", 0
    for place, c in enumerate(text):
        if quote:
            quote = "" if c == quote else quote
        elif c in "'\"":
            quote = c
        elif c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth == 0:
            yield text[begin:place].strip()
            begin = place + 1
    yield text[begin:].strip()


def _canonical(point: Point) -> str:
    return json.dumps([list(change) for change in point], sort_keys=True, default=str)


def _checked(sources: Sources, point: Point) -> int:
    try:
        return sources.scenario(point).seed
    except ConfigError as error:
        changed = ", ".join(f"{path}={value}" for path, value in point)
        raise ConfigError(str(error), f"with {changed}" if changed else "") from None
