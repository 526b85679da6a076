"""The one place of this layer that reads files: topologies and modules."""

from __future__ import annotations

from pathlib import Path

from meshsim.errors import ConfigError
from meshsim.mesh.isotope import topology_of
from meshsim.mesh.places import yaml_values
from meshsim.mesh.topology import Topology


def load_isotope(source: str | Path) -> Topology:
    r"""Read an isotope topology: a path, or the YAML text itself.

    Raises
    ------
    ConfigError
        There is no such file, it is not YAML, or it is no topology.

    Examples
    --------
    >>> load_isotope("services:\n- name: a\n  script:\n  - call: b\n- name: b\n").entry.name
    'a'
    """
    if isinstance(source, str) and "\n" in source:
        return topology_of(yaml_values(source, "topology"), "topology")
    return topology_of(yaml_values(_text(Path(source)), str(source)), str(source))


def load_module(module: bytes | str | Path) -> tuple[bytes, str]:
    """Read a module, and make a name of its file's; bytes are the module itself.

    Raises
    ------
    ConfigError
        There is no such file.
    """
    if isinstance(module, bytes):
        return module, "filter"
    path = Path(module)
    try:
        return path.read_bytes(), path.stem
    except OSError as error:
        raise ConfigError(f"no module: {error.strerror}", str(path), "check the path") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text in UTF-8"
        raise ConfigError(f"no topology: {reason}", str(path), "check the path") from None
