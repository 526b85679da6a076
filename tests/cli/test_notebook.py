from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from meshsim.mesh.scenario_loader import load_scenario
from tests.cli.mesh_files import QUEUES, WRONG

Run = Callable[..., Any]


@pytest.fixture
def queues(tmp_path: Path) -> Path:
    path = tmp_path / "queues.yaml"
    path.write_text(QUEUES, encoding="utf-8")
    return path


@pytest.mark.filterwarnings("default")  # jupyter's own
def test_a_report_that_has_run(run: Run, queues: Path, tmp_path: Path) -> None:
    (tmp_path / "books").mkdir()
    out = tmp_path / "books" / "report.ipynb"
    done = run("notebook", queues, "-o", out)
    assert (done.status, done.err) == (0, "")
    book: Any = nbformat.read(out, as_version=4)  # type: ignore[no-untyped-call]
    nbformat.validate(book)
    assert book.cells[0].source == "# Two queues\n\nthe second queue"
    code = [cell for cell in book.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    shown = json.dumps([output for cell in code for output in cell.outputs])
    assert str(load_scenario(queues).run().latency) in shown
    assert shown.count('"image/png"') == 3
    assert "Services and calls. client to shop" in shown, "pictures have words"


def test_what_cannot_be_written_is_an_error(run: Run, queues: Path, tmp_path: Path) -> None:
    done = run("notebook", queues, "-o", tmp_path / "nowhere" / "x.ipynb")
    assert (done.status, "no such folder" in done.err) == (2, True)
    done = run("notebook", queues, "-o", tmp_path)
    assert (done.status, "is a folder" in done.err) == (2, True)
    queues.write_text(WRONG, encoding="utf-8")
    done = run("notebook", queues, "-o", tmp_path / "x.ipynb")
    assert (done.status, "load.open.rate" in done.err) == (2, True)
    assert not (tmp_path / "x.ipynb").exists()
