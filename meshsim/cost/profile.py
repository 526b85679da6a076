"""Measured costs of the real Envoy: one JSON file a profile, with where each number comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from meshsim.cost.estimate import Estimate
from meshsim.errors import ConfigError, MeshsimError

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


class MissingCoefficient(MeshsimError, KeyError):
    """A profile lacks what was asked for: the meshsim that measured it did not know it yet.

    Parameters
    ----------
    name : str
        The coefficient's, kept as ``name``; or how those of a kind begin.
    profile : str
        The profile's name.

    Examples
    --------
    >>> print(MissingCoefficient("wake_ns", "mine"))
    cost profile mine: lacks wake_ns; an earlier meshsim measured it
      -> calibrate again: meshsim calibrate --out FILE
    """

    def __init__(self, name: str, profile: str = "") -> None:
        super().__init__(
            f"lacks {name}; an earlier meshsim measured it",
            f"cost profile {profile}",
            "calibrate again: meshsim calibrate --out FILE",
        )
        self.name = name


@dataclass(frozen=True)
class Profile:
    """Coefficients by name, and their provenance.

    ``measured`` says when, where and with what: ``date``, ``envoy``, ``wasmtime``, ``cpu``, ``cores``, ``kernel``.

    Raises
    ------
    MissingCoefficient
        Whatever asks for a coefficient by name: the profile lacks it.

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
        return self.coefficient(name).value

    def coefficient(self, name: str) -> Coefficient:
        """Return a coefficient with its provenance."""
        try:
            return self.coefficients[name]
        except KeyError:
            raise MissingCoefficient(name, self.name) from None

    def estimate(self, name: str) -> Estimate:
        """Return a coefficient with its range."""
        each = self.coefficient(name)
        return Estimate(each.value, each.low, each.high)

    @classmethod
    def from_file(cls, path: str | Path) -> Profile:
        """Read a profile that ``meshsim calibrate --out`` has written.

        Raises
        ------
        ConfigError
            There is no such file, or it is no profile.
        """
        try:
            return cls.from_json(Path(path).read_bytes())
        except OSError as error:
            raise ConfigError(f"cannot read: {error.strerror}", str(path), "check the path") from error
        except ConfigError as error:
            raise ConfigError(error.what, str(path), error.remedy) from error

    @classmethod
    def from_json(cls, text: str | bytes) -> Profile:
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
