"""Bootstraps from files: the one place of this layer that reads files and environment variables.

All that a configuration names is read here, before the model starts, and carried in ``Bootstrap.sources``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.config.examine import Examination, Wanted, rediscovered
from meshsim.envoy.config.sources import Sources
from meshsim.envoy.discovery import Discovered
from meshsim.errors import ConfigError

Severity = Literal["refused", "not modelled", "unusable", "inert"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know about a bootstrap.

    Attributes
    ----------
    severity : str
        ``refused``: Envoy refuses it. ``not modelled``: Envoy takes it, meshsim does not. ``unusable``: it cannot be
        read. ``inert``: accepted, and it changes nothing that meshsim shows.
    path : str
        YAML path.
    line : int
        Counted from 1; 0 when there is no line to name.
    """

    severity: Severity
    message: str
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Report:
    """All findings about one file."""

    file: str
    findings: tuple[Finding, ...]

    @property
    def usable(self) -> bool:
        """Whether a replay would run."""
        return all(finding.severity == "inert" for finding in self.findings)


def load_bootstrap(
    path: str | Path, *, ignore_unmodelled: bool = False, environment: Mapping[str, str] | None = None
) -> Bootstrap:
    """Return the bootstrap in a file.

    Parameters
    ----------
    path : str or Path
        A YAML or JSON file. Files that it names are looked for beside it, then in the working folder.
    ignore_unmodelled : bool
        Leave out what meshsim does not model, and list it in ``Bootstrap.ignored``.
    environment : mapping of str to str, optional
        Envoy's environment; that of this process when it is left out.

    Raises
    ------
    ConfigRefused
        Envoy refuses the configuration; the error says what Envoy says.
    UnmodelledField
        Envoy knows a field that meshsim does not model.
    ConfigError
        The file is missing or not YAML.
    """
    return parse_bootstrap(
        _text(Path(path)),
        str(path),
        Path(path).parent,
        ignore_unmodelled=ignore_unmodelled,
        environment=environment,
    )


def parse_bootstrap(
    text: str,
    origin: str = "bootstrap",
    base_dir: str | Path = ".",
    *,
    ignore_unmodelled: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Bootstrap:
    """Return the bootstrap in a text; see :func:`load_bootstrap`.

    Examples
    --------
    >>> parse_bootstrap("node: {id: sidecar}").node.id
    'sidecar'
    """
    examination = Examination(text, origin)
    sources = _all_sources(examination, Path(base_dir), environment)
    return examination.bootstrap(sources, ignore_unmodelled=ignore_unmodelled)


def load_discovered(path: str, source: str, base_dir: Path) -> Discovered:
    """Return what a file that extensions are discovered in holds, when its content is that of ``source``.

    Raises
    ------
    ConfigError
        There is no such file.
    """
    content = _content(source, base_dir)
    if content is None:
        raise ConfigError("no such file", source, "an update's source lies beside the bootstrap")
    extensions, wanted = rediscovered(content, path)
    return Discovered(path, extensions, read_sources(wanted, base_dir))


def check_bootstrap(path: str | Path, *, environment: Mapping[str, str] | None = None) -> Report:
    """Return all that is to be known about a bootstrap: what is wrong with it, and what meshsim leaves out."""
    try:
        examination = Examination(_text(Path(path)), str(path))
    except ConfigError as error:
        return Report(str(path), (Finding("unusable", str(error)),))
    sources = _all_sources(examination, Path(path).parent, environment)
    findings = [
        Finding("refused", problem.envoy_says, problem.place.path, problem.place.line)
        for problem in examination.problems(sources)
    ]
    bootstrap, left_out = examination.build(sources)
    findings += [Finding("not modelled", item.what, item.place.path, item.place.line) for item in left_out]
    findings += [Finding("inert", "changes nothing here", inert) for inert in bootstrap.inert]
    return Report(str(path), tuple(findings))


def _all_sources(examination: Examination, base_dir: Path, environment: Mapping[str, str] | None) -> Sources:
    """Read what a configuration names, and what the files name that filters are discovered in."""
    sources = read_sources(examination.wanted, base_dir, environment)
    return sources.joined(read_sources(examination.discover(sources), base_dir, environment))


def read_sources(wanted: Wanted, base_dir: Path, environment: Mapping[str, str] | None = None) -> Sources:
    """Read what a configuration names; what is not there is left out."""
    variables = os.environ if environment is None else environment
    files = {name: content for name in wanted.files if (content := _content(name, base_dir)) is not None}
    return Sources(files, {name: variables[name] for name in wanted.variables if name in variables})


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError("no such file", str(path), "check the path") from None
    except UnicodeDecodeError:
        raise ConfigError("not text in UTF-8", str(path), "give a YAML file") from None
    except OSError as error:
        remedy = "check the path and its permissions"
        raise ConfigError(f"cannot be read: {error.strerror}", str(path), remedy) from None


def _content(name: str, base_dir: Path) -> bytes | None:
    """Return a file's bytes; None when there is no such file, nothing for a folder, as for Envoy."""
    for path in (base_dir / name, Path(name)):
        try:
            if path.is_file():
                return path.read_bytes()
            if path.is_dir():
                return b""
        except (OSError, ValueError):
            continue  # a name that no file can have, or a file that is not for us
    return None
