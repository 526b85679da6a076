"""The package as a whole: what importing it costs, its names, its version."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

import meshsim as ms

HEAVY = {"anywidget", "ipywidgets", "matplotlib", "nbformat", "networkx", "numpy", "pydantic", "wasmtime", "yaml"}


def _loaded(code: str) -> set[str]:
    """The top-level modules that are loaded after ``code`` ran in a Python of its own."""
    script = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-I", "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert not _loaded("import meshsim as ms; dir(ms)") & HEAVY


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    assert not _loaded("import meshsim.cli.app") & HEAVY


def test_heavy_modules_would_be_seen() -> None:
    assert "wasmtime" in _loaded("import wasmtime")


def test_every_name_of_the_flat_namespace_is_there() -> None:
    assert [name for name in ms.__all__ if getattr(ms, name, None) is None] == []


def test_the_stub_names_each_thing_once_and_as_itself() -> None:
    stub = ast.parse(Path(ms.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    aliases = [alias for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert all(alias.asname == alias.name for alias in aliases)
    assert sorted(alias.name for alias in aliases) == sorted(ms.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = ms.no_such_thing  # type: ignore[attr-defined]


def test_the_installed_version_is_the_one_in_the_source() -> None:
    assert metadata.version("meshsim") == ms.__version__


def test_every_dependency_says_why_it_is_there(repository: Path) -> None:
    text = (repository / "pyproject.toml").read_text(encoding="utf-8")
    lines = text[text.index("dependencies = [") : text.index("[project.scripts]")].splitlines()
    silent = [line for line in lines if re.search(r'">|"[\w-]+(\[\w+\])?[=<>]', line) and "#" not in line]
    assert silent == []


def test_the_layers_contract_names_every_package(repository: Path) -> None:
    contracts = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = set(re.findall(r"\w+", " ".join(next(c for c in contracts if c["id"] == "layers")["layers"])))
    files = [path.relative_to(repository / "meshsim") for path in (repository / "meshsim").rglob("*.py")]
    assert {Path(file.parts[0]).stem for file in files} - named == {"__init__", "__main__"}
