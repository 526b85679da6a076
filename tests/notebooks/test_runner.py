"""The runner of lessons finds what it is for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebooks import __main__ as runner
from tests.notebooks.kernels import Run, with_parameters

CELL = nbformat.v4.new_code_cell


def _ran(cell: Any, busy_s: float = 0.1, **others: Any) -> Run:
    facts: dict[str, Any] = {"took_s": 1.0, "peak_bytes": 100_000_000, "passed": frozenset()}
    return Run([cell], [busy_s], **{**facts, **others})


def _output(kind: str, **fields: Any) -> Any:
    return CELL("1", outputs=[nbformat.v4.new_output(kind, **fields)])


JOB = runner.Job("a lesson", Path("x.ipynb"))


@pytest.mark.parametrize(
    ("ran", "fault"),
    [
        (_ran(_output("error", ename="KeyError", evalue="'x'", traceback=[])), "KeyError: 'x'"),
        (_ran(_output("stream", name="stderr", text="a warning")), "stderr: a warning"),
        (_ran(_output("stream", name="stdout", text=f"{Path.home()}/x")), "a path of this machine"),
        (_ran(CELL("1"), 4.0), "takes 4.0 s and does not say so"),
        (_ran(CELL("1"), took_s=61.0), "more than 60"),
        (_ran(CELL("1"), peak_bytes=701_000_000), "more than 700"),
        (_ran(CELL("1"), passed=frozenset({"04.1"})), "passed without a solution: 04.1"),
    ],
)
def test_a_fault_is_found(ran: Run, fault: str) -> None:
    [found] = runner.faults(JOB, ran)
    assert fault in found


def test_a_check_that_was_not_passed_is_a_fault() -> None:
    job = runner.Job("a lesson", Path("x.ipynb"), "04", solves=frozenset({"04.1"}))
    assert [*runner.faults(job, _ran(CELL("1")))] == ["not passed: 04.1"]


def test_what_is_well_has_none() -> None:
    assert [*runner.faults(JOB, _ran(CELL("# takes about 5 s"), 5.0))] == []


@pytest.mark.parametrize(
    ("files", "numbers"),
    [
        (["notebooks/solutions/04_loading.ipynb", "README.md"], ["04"]),
        (["meshsim/lab/lessons/lesson_07.py", "meshsim/lab/lessons/files/09/envoy.yaml"], ["07", "09"]),
        (["meshsim/envoy/proxy.py"], []),
        (["notebooks/04_loading.ipynb", "meshsim/lab/lessons/answers.py"], None),
    ],
)
def test_changed_lessons_are_known_by_their_files(
    files: list[str], numbers: list[str] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Done:
        returncode = 0
        stdout = "\n".join(files)

    monkeypatch.setattr(runner.subprocess, "run", lambda *_, **__: Done)
    assert runner.changed("HEAD~1") == numbers


def test_parameters_are_put_behind_those_of_the_lesson() -> None:
    tagged = CELL("workers = 2", metadata={"tags": ["parameters"]})
    made = with_parameters(nbformat.v4.new_notebook(cells=[tagged, CELL("workers")]), {"workers": 5})
    assert [cell.source for cell in made.cells] == ["workers = 2", "workers = 5", "workers"]
