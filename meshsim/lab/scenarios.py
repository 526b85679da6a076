"""The scenarios that come with meshsim: folders with a bootstrap, requests and the modules that they need."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from meshsim.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Scenario:
    """A bundled scenario: ``envoy.yaml``, ``requests.json`` and modules, in one folder.

    Examples
    --------
    >>> scenario("first_filter").bootstrap.name
    'envoy.yaml'
    """

    name: str
    folder: Path

    @property
    def bootstrap(self) -> Path:
        """The bootstrap."""
        return self.folder / "envoy.yaml"

    @property
    def requests(self) -> Path:
        """What is sent."""
        return self.folder / "requests.json"

    def at(self, folder: Path) -> Scenario:
        """Return the same scenario, copied to another folder."""
        return replace(self, folder=folder)

    @property
    def files(self) -> tuple[Path, ...]:
        """All files, by name."""
        return tuple(sorted(path for path in self.folder.iterdir() if path.is_file()))


def scenario(name: str = "first_filter") -> Scenario:
    """Return a bundled scenario.

    Raises
    ------
    ConfigError
        There is none of that name.
    """
    folder = _all()
    if not (folder / name).is_dir():
        names = ", ".join(sorted(path.name for path in folder.iterdir() if path.is_dir()))
        raise ConfigError(f"no scenario {name!r}", remedy=f"there are: {names}")
    return Scenario(name, folder / name)


def _all() -> Path:
    return Path(str(files("meshsim") / "scenarios"))
