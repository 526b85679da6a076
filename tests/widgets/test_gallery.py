"""The gallery shows each widget in three lines, as stills that need no kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from meshsim.lab.notebook import leave_stills
from tests.browser.widgets import WIDGETS, Row

GALLERY = Path(__file__).resolve().parents[2] / "notebooks" / "gallery.ipynb"


@pytest.fixture(scope="module")
def cells() -> list[Any]:
    notebook = nbformat.read(GALLERY, as_version=4)
    nbformat.validate(notebook)
    assert set(notebook.metadata) == {"kernelspec"}  # GitHub refuses notebooks with half a widget state
    return list(notebook.cells)


@pytest.mark.parametrize("row", WIDGETS, ids=lambda row: row.name)
def test_each_widget_is_there_in_three_lines_and_as_a_still(row: Row, cells: list[Any]) -> None:
    making = [cell for cell in cells if cell.cell_type == "code" and f"ms.{row.name}(" in cell.source]
    assert making
    for cell in making:
        assert len([line for line in cell.source.splitlines() if line]) <= 3
        [shown] = [output["data"] for output in cell.outputs if "data" in output]
        assert set(shown) == {"text/html", "text/plain"}
        assert 'src="data:image/svg+xml;base64,' in shown["text/html"]


def test_no_cell_has_failed(cells: list[Any]) -> None:
    outputs = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    assert {output["output_type"] for output in outputs} == {"execute_result", "stream"}


def test_live_widgets_are_left_out_of_what_is_committed() -> None:
    live = "application/vnd.jupyter.widget-view+json"
    output = {"output_type": "display_data", "data": {live: {"model_id": "1"}, "text/plain": "still"}, "metadata": {}}
    notebook = {"cells": [{"cell_type": "code", "outputs": [output]}, {"cell_type": "markdown"}]}
    leave_stills(notebook)
    assert output["data"] == {"text/plain": "still"}
