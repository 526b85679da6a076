"""Every lesson runs from top to bottom, prints what is committed, and its exercises can be solved."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from IPython.utils.capture import capture_output

from tests.lab.shells import ipython

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
NAMES = sorted(path.name for path in FOLDER.glob("*.ipynb"))

Cells = list[dict[str, Any]]
RunCell = Callable[[str], str]


@pytest.fixture
def run_cell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunCell]:
    """Run a cell as a notebook does, in this process; give what it printed."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with ipython() as shell:

        def run(source: str) -> str:
            with capture_output() as captured:
                done = shell.run_cell(source)
            done.raise_error()
            return str(captured.stdout)

        yield run


def code_of(name: str) -> Cells:
    notebook = nbformat.read(FOLDER / name, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: dict[str, Any]) -> str:
    return "".join(output["text"] for output in cell["outputs"] if output["output_type"] == "stream")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_valid_and_free_of_what_changes(name: str) -> None:
    notebook = nbformat.read(FOLDER / name, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec"}
    assert not re.search(r"/tmp/|/home/", nbformat.writes(notebook))
    for cell in code_of(name):
        assert not cell["metadata"]
        assert not [output for output in cell["outputs"] if output["output_type"] == "error"]


@pytest.mark.parametrize("name", NAMES)
def test_it_prints_what_is_committed(name: str, run_cell: RunCell) -> None:
    for cell in code_of(name):
        assert run_cell(cell["source"]) == printed(cell), cell["id"]


def test_the_exercises_of_the_first_lesson_can_be_solved(run_cell: RunCell) -> None:
    notebook = nbformat.read(FOLDER / "00_first_filter.ipynb", as_version=4)
    [solution] = [
        found[1]
        for cell in notebook.cells
        if cell.cell_type == "markdown" and (found := re.search(r"```wat\n(.*?)```", cell.source, re.DOTALL))
    ]
    out = ""
    for cell in code_of("00_first_filter.ipynb"):
        source = cell["source"].replace("answer = None", "answer = 6")
        if source.startswith("%%wat guard"):
            source = source.replace("stop the request\n", f"stop the request\n{solution}")
        out += run_cell(source)
    assert [line[:4] for line in out.splitlines() if re.match(r"yes |no  |todo", line)] == ["yes "] * 3
