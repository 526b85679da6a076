"""Learner versions of the lessons' notebooks, out of their sources.

A source is a notebook in ``notebooks/solutions/``, with the solutions between nbgrader's markers::

    ### BEGIN SOLUTION
    answer = workers + 2
    ### END SOLUTION
    ms.check("04.2", answer)

What a region binds becomes ``answer = ...  # YOUR CODE HERE``; a region that binds nothing, or is not Python, one
comment. Learner versions have no outputs: the answers would be in them.

``python -m meshsim.lab.lessons.release [--check] [NN...]``
"""

from __future__ import annotations

import argparse
import ast
import re
import sys
import textwrap
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat

from meshsim.lab.notebook import dumps

#: Where the notebooks are, seen from the root of the repository.
NOTEBOOKS = Path("notebooks")
BEGIN, END, STUB = "### BEGIN SOLUTION", "### END SOLUTION", "YOUR CODE HERE"
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
#: Tags of cells that mean something here: papermill's, for the cell with the parameters.
KEPT_TAGS = frozenset({"parameters"})

_NBFORMAT: Any = nbformat
_CHECK = re.compile(r"""\bcheck\(["'](\d\d\.\w+)""")


def sources(folder: Path = NOTEBOOKS) -> list[Path]:
    """Return the sources, by name."""
    return sorted((folder / "solutions").glob("[0-9][0-9]_*.ipynb"))


def read(path: Path) -> Any:
    """Read a notebook."""
    return _NBFORMAT.read(path, as_version=4)


def tidy(notebook: Any) -> Any:
    """Return a source as it is kept: steady ids, nbgrader's metadata where a solution is, no outputs."""
    made = deepcopy(notebook)
    made["metadata"] = {"kernelspec": dict(KERNEL)}
    made["nbformat_minor"] = 5  # ids of cells came with it
    for place, cell in enumerate(made["cells"], 1):
        cell["id"] = f"cell-{place:02}"
        cell["source"] = cell["source"].rstrip()
        cell["metadata"] = _metadata(cell, place)
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return made


def _metadata(cell: Any, place: int) -> dict[str, Any]:
    tags = [tag for tag in cell["metadata"].get("tags", []) if tag in KEPT_TAGS]
    metadata: dict[str, Any] = {"tags": tags} if tags else {}
    if BEGIN in cell["source"]:
        checked = _CHECK.search(cell["source"])
        metadata["nbgrader"] = {
            "schema_version": 3,
            "grade_id": f"exercise-{checked[1].replace('.', '-')}" if checked else f"solution-{place:02}",
            "grade": bool(checked),
            "solution": True,
            "locked": False,
            "task": False,
            **({"points": 1} if checked else {}),
        }
    return metadata


def learner(source: Any) -> Any:
    """Return the learner version of a source."""
    made = tidy(source)
    for cell in made["cells"]:
        if cell["cell_type"] == "code":
            cell["source"] = "\n".join(_without_solutions(cell["source"]))
    return made


def _without_solutions(source: str) -> Iterator[str]:
    """The lines of a cell, each region with a solution replaced by its stub."""
    comment = ";;" if source.startswith("%%wat") else "#"
    region: list[str] | None = None
    for line in source.splitlines():
        if BEGIN in line:
            if region is not None:
                raise ValueError(f"a solution begins in a solution: {line!r}")
            region = []
        elif END in line:
            if region is None:
                raise ValueError(f"a solution ends that did not begin: {line!r}")
            yield from stub(region, comment)
            region = None
        elif region is not None:
            region.append(line)
        else:
            yield line
    if region is not None:
        raise ValueError(f"a solution does not end: {region[:1]}")


def stub(region: Sequence[str], comment: str = "#") -> list[str]:
    """Return what stands for a solution in the learner version.

    Examples
    --------
    >>> stub(["answer = 2 * 3"])
    ['answer = ...  # YOUR CODE HERE']
    >>> stub(["    (return (i32.const 1))"], ";;")
    ['    ;; YOUR CODE HERE']
    """
    indent = re.match(r"\s*", region[0])[0] if region else ""  # type: ignore[index]
    try:
        body = ast.parse(textwrap.dedent("\n".join(region))).body if comment == "#" else []
    except SyntaxError:
        body = []
    names = [
        node.id
        for statement in body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        for node in ast.walk(target)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]
    if not names:
        return [f"{indent}{comment} {STUB}"]
    return [f"{indent}{name} = ...  {comment} {STUB}" for name in dict.fromkeys(names)]


def stale(path: Path) -> dict[Path, str]:
    """Return what has to be written for a source: its tidy self and its learner version, where they differ."""
    source = read(path)
    wanted = {path: dumps(tidy(source)), path.parent.parent / path.name: dumps(learner(source))}
    return {
        file: text for file, text in wanted.items() if not file.exists() or file.read_text(encoding="utf-8") != text
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; with ``--check`` it writes nothing, and is 1 when it would."""
    parser = argparse.ArgumentParser(
        prog="python -m meshsim.lab.lessons.release", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("number", nargs="*", help="of a lesson; without: all")
    parser.add_argument("--check", action="store_true", help="say what would be written, and write nothing")
    parser.add_argument("--folder", type=Path, default=NOTEBOOKS, help=f"of the notebooks ({NOTEBOOKS})")
    options = parser.parse_args(arguments)
    found = False
    for path in sources(options.folder):
        if options.number and path.name[:2] not in options.number:
            continue
        for file, text in stale(path).items():
            found = True
            print(f"{'stale' if options.check else 'written'}: {file}")
            if not options.check:
                file.write_text(text, encoding="utf-8")
    return int(found and options.check)


if __name__ == "__main__":
    sys.exit(main())
