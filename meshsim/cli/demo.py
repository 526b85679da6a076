"""``meshsim demo``: a real Wasm filter through Envoy's whole life, on the screen and in ``./meshsim-demo/``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meshsim.cli.console import examples, write_json
from meshsim.cli.output_folder import OutputFolder
from meshsim.cli.replay import DIFFERENT, verdict

if TYPE_CHECKING:
    from meshsim.lab.showing import Showing
    from meshsim.lab.tables import Table

EXAMPLES = examples(
    ("meshsim demo", "tables here; report, trace and notebook in ./meshsim-demo/"),
    ("meshsim demo --out /tmp/first-look", "somewhere else"),
    ("meshsim demo --json | jq .verdict", "for a script"),
)

#: Worker threads of the demo's Envoy.
WORKERS = 2


def demo(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go.")] = Path("meshsim-demo"),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Load a real Wasm filter into a simulated Envoy and into the real one, send requests, compare, report.

    Exit status:
    0  it ran, and the two are identical (or the real Envoy is not installed)
    1  they differ
    2  it could not run
    """
    from meshsim.lab.scenarios import scenario
    from meshsim.lab.showing import show

    folder = OutputFolder(out)
    bundled = scenario("first_filter")
    folder.claim([*(path.name for path in bundled.files), *MADE])
    for path in bundled.files:
        folder.write(path.name, path.read_bytes())
    showing = show(bundled.at(folder.path), concurrency=WORKERS)
    notes = write(showing, folder)
    if as_json:
        write_json(document(showing, folder, notes))
    else:
        from meshsim.cli.demo_screen import show_all

        show_all(showing, [(str(folder.path / name), what) for name, what in MADE.items()], notes)
    raise typer.Exit(0 if showing.identical else DIFFERENT)


#: What the demo makes, beside the scenario's own files.
MADE = {
    "report.html": "the same with pictures, one file, for any browser",
    "trace.json": "every thread's timeline in Chrome's trace format, for Perfetto or chrome://tracing",
    "demo.ipynb": "a notebook to look around in and to change",
}


def write(showing: Showing, folder: OutputFolder) -> list[str]:
    """Write report, trace and notebook; return what a person should know about them."""
    import json

    from meshsim.lab import notebook
    from meshsim.lab.report import report

    folder.write("report.html", report(showing).encode())
    folder.write("trace.json", f"{json.dumps(showing.seen.chrome_trace(), indent=1)}\n".encode())
    book = notebook.demo_notebook(WORKERS)
    notes = []
    if absent := notebook.missing():
        notes.append(f"demo.ipynb is not executed: {' and '.join(absent)} missing -> pip install 'meshsim[demo]'")
    else:
        notebook.execute(book, folder.path)
    folder.write("demo.ipynb", notebook.dumps(book).encode())
    return notes


def document(showing: Showing, folder: OutputFolder, notes: list[str]) -> dict[str, Any]:
    """Return what the demo shows, as plain values."""
    from meshsim.lab import tables

    seen, real = showing.seen, showing.real
    shown = [
        tables.loading(seen),
        tables.memory(seen),
        tables.answers(seen, showing.real_result),
        tables.counters(seen, showing.real_result, showing.scope),
    ]
    return {
        "scenario": showing.scenario.name,
        "workers": seen.concurrency,
        "verdict": showing.verdict,
        "identical": None if real is None else real.comparison.identical,
        "comparison": real and verdict(real.comparison),
        "origins": {origin.value: words for origin, words in showing.origins},
        "tables": {table.title: _plain(table) for table in shown},
        "files": [str(folder.path / name) for name in folder.written],
        "notes": [*notes, *([showing.missing] if showing.missing else [])],
    }


def _plain(table: Table) -> list[dict[str, str]]:
    names = [f"{column.name} ({column.origin.value})" if column.origin else column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.rows]
