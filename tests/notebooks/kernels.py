"""A notebook, run in a kernel of its own: what came out of it, how long each cell took, how big the kernel became."""

from __future__ import annotations

import ast
import contextlib
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from traitlets.config import Config

if TYPE_CHECKING:
    from nbclient import NotebookClient

CELL_TIMEOUT_S = 60
_TICKS = 100  # of the clock that /proc/PID/stat counts in; Linux has had 100 a second for ever


@dataclass(frozen=True, slots=True)
class Run:
    """A notebook that was run.

    Attributes
    ----------
    cells : list
        With their outputs; ``busy_s`` has the seconds of processor time that the kernel took for each.
    peak_bytes : int
        The most memory that the kernel had (resident).
    passed : frozenset of str
        The exercises that were solved.
    """

    cells: list[Any]
    busy_s: list[float]
    took_s: float
    peak_bytes: int
    passed: frozenset[str]


def with_parameters(notebook: Any, parameters: Mapping[str, Any]) -> Any:
    """Put a cell with parameters behind the one that is tagged so, as papermill does."""
    made = deepcopy(notebook)
    [place] = [i for i, cell in enumerate(made.cells) if "parameters" in cell.metadata.get("tags", [])]
    injected = deepcopy(made.cells[place])
    injected["id"], injected["metadata"] = "injected", {"tags": ["injected-parameters"]}
    injected["source"] = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    made.cells.insert(place + 1, injected)
    return made


def run(notebook: Any, lesson: str | None = None) -> Run:
    """Run all cells in an empty folder; an error in a cell is an output like any other.

    Parameters
    ----------
    lesson : str, optional
        The number of the lesson whose solved exercises are wanted.
    """
    made = deepcopy(notebook)
    with tempfile.TemporaryDirectory(prefix="meshsim-lesson-") as folder, _kernel(made, Path(folder)) as client:
        began, busy = time.monotonic(), []
        pid = client.km.provisioner.pid
        for place, cell in enumerate(made.cells):
            before = _busy_s(pid)
            client.execute_cell(cell, place)
            busy.append(_busy_s(pid) - before)
        took_s = time.monotonic() - began
        peak = _peak_bytes(pid)
        return Run(made.cells, busy, took_s, peak, _passed(client, made, lesson) if lesson else frozenset())


@contextlib.contextmanager
def _kernel(notebook: Any, folder: Path) -> Iterator[NotebookClient]:
    from nbclient import NotebookClient  # of the extra `lab`: the quick tests do without

    with tempfile.TemporaryDirectory(prefix="meshsim-kernel-") as sockets:  # no port: nobody else can listen in
        config = Config(KernelManager={"transport": "ipc", "ip": str(Path(sockets) / "kernel")})
        client = NotebookClient(
            notebook,
            config=config,
            kernel_name="python3",
            timeout=CELL_TIMEOUT_S,
            allow_errors=True,
            record_timing=False,
            resources={"metadata": {"path": str(folder)}},
        )
        with client.setup_kernel():
            yield client


def _passed(client: NotebookClient, notebook: Any, lesson: str) -> frozenset[str]:
    last = deepcopy(next(cell for cell in notebook.cells if cell.cell_type == "code"))
    last["id"], last["source"] = "passed", f"import meshsim; print(sorted(meshsim.lesson({lesson!r}).passed))"
    notebook.cells.append(last)
    client.execute_cell(last, len(notebook.cells) - 1)
    del notebook.cells[-1]
    return frozenset(ast.literal_eval(text_of(last)))


def text_of(cell: Any) -> str:
    """All text that a cell put out, whatever its kind."""
    parts = []
    for output in cell.get("outputs", ()):
        parts += [output["text"]] if "text" in output else []
        parts += [value for value in output.get("data", {}).values() if isinstance(value, str)]
        parts += output.get("traceback", [])
    return "\n".join(parts)


def errors_of(cell: Any) -> list[str]:
    """What a cell raised, or wrote to its stream of errors."""
    found = []
    for output in cell.get("outputs", ()):
        if output["output_type"] == "error":
            found.append(f"{output['ename']}: {output['evalue']}")
        if output["output_type"] == "stream" and output["name"] == "stderr":
            found.append(f"stderr: {output['text'].strip()}")
    return found


def _busy_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _peak_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
