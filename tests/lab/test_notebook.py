from __future__ import annotations

import json

import nbformat
import pytest

from meshsim.errors import MeshsimError
from meshsim.lab import notebook


def test_it_is_a_valid_notebook_with_steady_ids() -> None:
    text = notebook.dumps(notebook.demo_notebook(2))
    assert text == notebook.dumps(notebook.demo_notebook(2))
    nbformat.validate(json.loads(text))
    assert "{concurrency}" not in text


def test_its_cells_can_be_compiled() -> None:
    for cell in notebook.demo_notebook(3)["cells"]:
        if cell["cell_type"] == "code":
            compile(cell["source"], cell["id"], "exec")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    from pathlib import Path

    monkeypatch.setattr(notebook, "find_spec", lambda name: None)
    assert notebook.missing() == ["nbclient", "ipykernel"]
    with pytest.raises(MeshsimError, match=r"meshsim\[demo\]"):
        notebook.execute(notebook.demo_notebook(1), Path(str(tmp_path)))
