"""``meshsim notebook``: a scenario's report as a notebook, executed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from meshsim.cli.console import examples, say, write_json
from meshsim.errors import MeshsimError

EXAMPLES = examples(
    ("meshsim notebook normal -o normal.ipynb", "a bundled scenario: run, drawn, with what to look for"),
    ("meshsim notebook mesh.yaml -o report.ipynb --seed 7", "your own"),
)


def notebook(
    scenario: Annotated[
        str,
        typer.Argument(metavar="SCENARIO.yaml", help="A scenario, or the name of a bundled one.", show_default=False),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="X.ipynb", help="The notebook.", show_default=False)],
    seed: Annotated[int | None, typer.Option(help="In place of the scenario's own.", show_default=False)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a report of a scenario as a notebook, and run it from top to bottom.

    Exit status:
    0  it is there, with its outputs
    2  it could not be made: the scenario is not right, a cell failed, or what runs notebooks is missing
    """
    from meshsim.lab.mesh_notebook import scenario_notebook
    from meshsim.lab.notebook import dumps, execute

    if not out.parent.is_dir():
        raise MeshsimError("no such folder", str(out.parent), "make it first, or name another one with -o")
    if out.is_dir():  # before the run, not after it
        raise MeshsimError("is a folder", str(out), "name a file in it with -o")
    made = scenario_notebook(scenario, out.parent, seed)
    execute(made, out.parent)
    try:
        out.write_text(dumps(made), encoding="utf-8")
    except OSError as error:
        raise MeshsimError(f"cannot write: {error.strerror}", str(out), "name another file with -o") from error
    if as_json:
        write_json({"notebook": str(out), "cells": len(made["cells"])})
    else:
        say(f"{out}: {len(made['cells'])} cells, run from top to bottom; open it with jupyter lab {out}")
