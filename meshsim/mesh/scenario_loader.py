"""Scenarios from files, and those that come with meshsim: the one place of scenarios that reads files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

from meshsim.errors import ConfigError
from meshsim.mesh.places import Mistake, Mistakes
from meshsim.mesh.scenario import Change, Scenario, parse_scenario


@dataclass(frozen=True)
class Sources:
    """A scenario's text and every file that it names: all that another process needs to run it.

    Attributes
    ----------
    text, origin : str
        The scenario's file, and its name.
    files : dict of str to bytes
        By the names that the scenario has for them; grows as they are asked for.
    folder : Path or None
        Where names are looked up; None for what has been sent to another machine.
    """

    text: str
    origin: str
    files: dict[str, bytes] = field(default_factory=dict)
    folder: Path | None = None

    def read(self, name: str) -> bytes:
        """Return a file's bytes.

        Raises
        ------
        ConfigError
            It cannot be read.
        """
        if name not in self.files:
            if self.folder is None:
                raise ConfigError("was not sent along", name)
            self.files[name] = _bytes(self.folder / name)
        return self.files[name]

    def scenario(self, changes: Sequence[Change] = ()) -> Scenario:
        """Return the scenario, changed; see :func:`~meshsim.mesh.scenario.parse_scenario`."""
        return parse_scenario(self.text, self.origin, self.read, changes)

    def packed(self) -> Sources:
        """Return the same without a folder, with the files that were asked for so far."""
        return Sources(self.text, self.origin, dict(self.files))


def bundled() -> Mapping[str, Path]:
    """Return the scenarios that come with meshsim, by name.

    Examples
    --------
    >>> "normal" in bundled()
    True
    """
    folder = Path(str(files("meshsim"))) / "scenarios" / "mesh"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def sources_of(source: str | Path) -> Sources:
    """Return what a file holds, or what a bundled scenario of that name does.

    Raises
    ------
    ConfigError
        There is neither.
    """
    path = Path(source)
    if not path.is_file() and str(source) in bundled():  # a folder of that name is what ``--out`` has made
        path = bundled()[str(source)]
    try:
        text = _bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 at byte {error.start}", str(path), "save it as UTF-8") from None
    except ConfigError as error:
        raise ConfigError(error.what, error.where, f"check the path, or name one of {', '.join(bundled())}") from None
    return Sources(text, str(path), folder=path.parent)


def load_scenario(source: str | Path, changes: Sequence[Change] = ()) -> Scenario:
    """Return the scenario in a file, or the bundled one of that name.

    Raises
    ------
    Mistakes
        With all that is wrong, line by line.
    ConfigError
        It cannot be read, or is not YAML.

    Examples
    --------
    >>> load_scenario("normal").name
    'normal'
    """
    return sources_of(source).scenario(changes)


def check_scenario(source: str | Path) -> tuple[Mistake, ...]:
    """Return all that is wrong with a scenario, nothing when it is right."""
    try:
        load_scenario(source)
    except Mistakes as error:
        return error.mistakes
    except ConfigError as error:
        return (Mistake(0, "", str(error)),)
    return ()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read: {error.strerror}", str(path), "check the path") from None
