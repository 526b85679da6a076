"""Measured costs of the real Envoy: one JSON file a profile, with where each number comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Profile:
    """Coefficients by name, and their provenance.

    Attributes
    ----------
    coefficients : mapping of str to float
        Times in ns, sizes in bytes.
    measured : mapping of str to str
        When, where and with what: ``date``, ``envoy``, ``machine``.
    """

    name: str
    coefficients: Mapping[str, float]
    measured: Mapping[str, str]

    def __getitem__(self, name: str) -> float:
        return self.coefficients[name]

    @classmethod
    def from_json(cls, text: str) -> Profile:
        """Read a profile."""
        data = json.loads(text)
        values = {name: entry["value"] for name, entry in data["coefficients"].items()}
        return cls(data["name"], values, data["measured"])


@cache
def default_profile() -> Profile:
    """Return the profile that ships with meshsim."""
    return Profile.from_json((files("meshsim.cost") / "profiles" / "default.json").read_text(encoding="utf-8"))
