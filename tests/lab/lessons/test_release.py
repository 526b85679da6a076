from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from meshsim.lab.lessons.release import learner, main, tidy


def notebook(*sources: str, tags: tuple[str, ...] = ()) -> Any:
    cells = [nbformat.v4.new_code_cell(source, metadata={"tags": [*tags]}) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


SOLVED = """### BEGIN SOLUTION
[by_hand] = [3]
answer = by_hand * 2
### END SOLUTION
ms.check("04.2", answer)"""


def test_a_solution_becomes_the_names_that_it_binds() -> None:
    assert learner(notebook(SOLVED)).cells[0].source.splitlines() == [
        "by_hand = ...  # YOUR CODE HERE",
        "answer = ...  # YOUR CODE HERE",
        'ms.check("04.2", answer)',
    ]


def test_in_other_languages_it_becomes_a_comment() -> None:
    wat = "%%wat guard\n(func\n  ;; ### BEGIN SOLUTION\n  (nop)\n  ;; ### END SOLUTION\n)"
    assert learner(notebook(wat)).cells[0].source.splitlines()[2] == "  ;; YOUR CODE HERE"


def test_what_binds_nothing_becomes_a_comment() -> None:
    source = "if True:\n    ### BEGIN SOLUTION\n    print(1)\n    ### END SOLUTION\n    pass"
    assert learner(notebook(source)).cells[0].source.splitlines()[1] == "    # YOUR CODE HERE"


def test_cells_get_nbgraders_metadata_and_keep_the_tag_of_parameters() -> None:
    made = tidy(notebook(SOLVED, "workers = 2", tags=("parameters", "scratch")))
    nbformat.validate(made)
    assert made.cells[0].metadata["nbgrader"]["grade_id"] == "exercise-04-2"
    assert made.cells[0].metadata["nbgrader"]["points"] == 1
    assert made.cells[1].metadata == {"tags": ["parameters"]}


@pytest.mark.parametrize("source", ["### BEGIN SOLUTION", "### END SOLUTION", "### BEGIN SOLUTION\n### BEGIN SOLUTION"])
def test_markers_that_do_not_pair_are_refused(source: str) -> None:
    with pytest.raises(ValueError, match="a solution"):
        learner(notebook(source))


def test_the_command_writes_what_is_stale_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "solutions").mkdir()
    nbformat.write(notebook(SOLVED), tmp_path / "solutions" / "04_x.ipynb")
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    assert not (tmp_path / "04_x.ipynb").exists()
    assert main(["--folder", str(tmp_path)]) == 0
    assert main(["--check", "--folder", str(tmp_path)]) == 0
    assert "BEGIN" not in (tmp_path / "04_x.ipynb").read_text()
    assert capsys.readouterr().out.count("written") == 2
