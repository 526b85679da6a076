"""The lessons' notebooks: what is generated is up to date, what is solved is right (kernels: `make test-notebooks`)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from meshsim.errors import ReferenceUnavailable
from meshsim.lab.lessons import lesson as lesson_module
from meshsim.lab.lessons import real
from meshsim.lab.lessons.lesson import numbers, plan_of
from meshsim.lab.lessons.release import BEGIN, read, sources, stale
from tests.lab.shells import ipython

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
SOURCES = sources(FOLDER)
#: What every lesson has, in the words of all of them.
PARTS = (
    "**Questions**",
    "**You will be able to**",
    "**You need to know**",
    "**Predict before",
    "## Key points",
    "## Challenge",
)

each = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.name[:2])


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """An empty desk in an empty folder, where the real Envoy is not installed."""

    def nowhere() -> str:
        raise ReferenceUnavailable("the real Envoy is not installed here")

    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lesson_module, "_DESK", {})
    monkeypatch.setattr(real, "find_envoy", nowhere)
    with ipython() as made:
        yield made


def test_every_lesson_has_a_notebook_and_a_plan() -> None:
    assert [path.name[:2] for path in SOURCES] == numbers()
    assert "00" in numbers()


@each
def test_the_learner_version_is_up_to_date(source: Path) -> None:
    assert list(stale(source)) == [], "write it: make lessons"


@each
def test_every_exercise_of_the_plan_is_in_the_notebook_once(source: Path) -> None:
    code = "\n".join(cell.source for cell in read(source).cells if cell.cell_type == "code")
    plan = plan_of(source.name[:2])
    assert re.findall(r'\bcheck\("([\d.]+)"', code) == [exercise.number for exercise in plan.exercises]
    assert len(plan.exercises) >= 3
    assert len(plan.variants) >= 2


@each
def test_it_has_all_that_a_lesson_has(source: Path) -> None:
    cells = read(source).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    plan = plan_of(source.name[:2])
    for part in (f"**{plan.minutes} minutes.**", *PARTS):
        assert part in text, part
    assert text.startswith(f"# {plan.number} ")
    assert any("lesson.real()" in cell.source for cell in cells if cell.cell_type == "code")


@each
def test_the_learner_version_gives_nothing_away(source: Path) -> None:
    learner = read(FOLDER / source.name)
    assert BEGIN not in nbformat.writes(learner)
    assert "YOUR CODE HERE" in nbformat.writes(learner)
    assert not any(cell.outputs for cell in learner.cells if cell.cell_type == "code")


@each
def test_the_solution_passes_every_check_without_the_real_envoy(source: Path, shell: InteractiveShell) -> None:
    number = source.name[:2]
    said = ""
    for cell in read(source).cells:
        if cell.cell_type == "code" and not cell.source.startswith("%run"):
            with capture_output() as captured:
                shell.run_cell(cell.source).raise_error()
            said += str(captured)
    assert shell.user_ns["lesson"].passed == {exercise.number for exercise in plan_of(number).exercises}
    assert os.listdir(".")  # the lesson's files, in the learner's own folder
