"""Measured costs of the real Envoy: one JSON file a profile, with where each number comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

from meshsim.cost.estimate import Estimate
from meshsim.errors import ConfigError

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A measured number and where it comes from.

    Attributes
    ----------
    value, low, high : float
        The number, and the range that most measurements of it fall into.
    unit : str
        ``ns``, ``ns/byte``, ``bytes``...
    how : str
        A sentence: what was measured, and what it leaves out.
    points : mapping of str to tuple
        What was measured, by what it was measured on: for each round, its points (amount, ns or bytes).
    """

    value: float
    unit: str
    low: float
    high: float
    how: str
    points: Mapping[str, tuple[tuple[Point, ...], ...]]


@dataclass(frozen=True)
class Profile:
    """Coefficients by name, and their provenance.

    ``measured`` says when, where and with what: ``date``, ``envoy``, ``wasmtime``, ``cpu``, ``cores``, ``kernel``.

    Examples
    --------
    >>> profile = default_profile()
    >>> fuel = profile.coefficients["fuel_ns"]
    >>> fuel.low <= profile["fuel_ns"] <= fuel.high
    True
    """

    name: str
    coefficients: Mapping[str, Coefficient]
    measured: Mapping[str, str]

    def __getitem__(self, name: str) -> float:
        return self.coefficients[name].value

    def estimate(self, name: str) -> Estimate:
        """Return a coefficient with its range."""
        each = self.coefficients[name]
        return Estimate(each.value, each.low, each.high)

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Read a profile.

        Raises
        ------
        ConfigError
            Not JSON, or no profile.
        """
        try:
            data = json.loads(text)
            coefficients = {name: _coefficient(**entry) for name, entry in data["coefficients"].items()}
            return cls(data["name"], coefficients, data["measured"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ConfigError(f"not a cost profile: {error}", remedy="meshsim calibrate writes one") from error

    def to_json(self) -> str:
        """Write a profile: a line for each round of measuring."""
        head = {"name": self.name, "measured": dict(self.measured)}
        entries = ",\n".join(f'  "{name}": {_entry(entry)}' for name, entry in self.coefficients.items())
        return f'{json.dumps(head, indent=1)[:-2]},\n "coefficients": {{\n{entries}\n }}\n}}\n'


@cache
def default_profile() -> Profile:
    """Return the profile that ships with meshsim."""
    return Profile.from_json((files("meshsim.cost") / "profiles" / "default.json").read_text(encoding="utf-8"))


def _coefficient(points: Mapping[str, list[list[list[float]]]], **entry: float | str) -> Coefficient:
    frozen = {name: tuple(tuple((x, y) for x, y in each) for each in rounds) for name, rounds in points.items()}
    return Coefficient(points=frozen, **entry)  # type: ignore[arg-type]


def _entry(coefficient: Coefficient) -> str:
    fields = asdict(coefficient)
    points = fields.pop("points")
    kinds = (
        f'     "{name}": [\n      ' + ",\n      ".join(map(json.dumps, rounds)) + "]" for name, rounds in points.items()
    )
    lines = [f'   "{key}": {json.dumps(value)}' for key, value in fields.items()]
    return "{\n" + ",\n".join([*lines, '   "points": {\n' + ",\n".join(kinds) + "}"]) + "}"
