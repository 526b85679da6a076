"""A notebook run as a person runs it: a server, its kernel, each cell; and the memory that all of it takes."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import psutil
from jupyter_client.blocking.client import BlockingKernelClient

from tests.binder.image import Image

_STARTS_S = 60
_CELL_S = 120
_LOOK_EVERY_S = 0.05

_OPTIONS = (
    "--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port_retries=0",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.extension_manager=readonly",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ran:
    """A notebook that was run: its cells, the first error in one of them, the most memory that was held (bytes)."""

    cells: int
    error: str
    peak_bytes: int
    seconds: float


def run_notebook(image: Image, name: str) -> Ran:
    """Run a notebook of the image (``name`` is its path in the repository) in a server of the image."""
    notebook = nbformat.read(image.home / name, as_version=4)
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    with _server(image) as (process, runtime), _Scale(process.pid) as scale:
        began = time.perf_counter()
        kernel = _open_session(_facts(process, runtime), name)
        with _client(runtime / f"kernel-{kernel}.json") as client:
            error = next(filter(None, (_error(client, source) for source in sources)), "")
        return Ran(len(sources), error, scale.peak_bytes, time.perf_counter() - began)


def opens(image: Image, path: str) -> bytes:
    """Return the page that a server of the image gives for a path: what a badge's ``urlpath`` leads to."""
    with _server(image) as (process, runtime):
        server = _facts(process, runtime)
        with urllib.request.urlopen(f"{server['url']}{path}?token={server['token']}", timeout=_CELL_S) as answer:
            return bytes(answer.read())


@contextlib.contextmanager
def _server(image: Image) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    runtime = image.home / "runtime"
    runtime.mkdir(exist_ok=True)
    variables = image.variables | {"JUPYTER_RUNTIME_DIR": str(runtime)}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = f"--port={free.getsockname()[1]}"
    with (image.home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [image.env / "bin" / "jupyter", "lab", port, *_OPTIONS],
            cwd=image.home,
            env=variables,
            stdout=log,
            stderr=log,
        )
    try:
        yield process, runtime
    finally:
        process.terminate()  # ends the kernels too
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


def _facts(process: subprocess.Popen[bytes], runtime: Path) -> Any:
    """What the server says of itself in a file, once it listens."""
    deadline = time.monotonic() + _STARTS_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            facts = json.loads((runtime / f"jpserver-{process.pid}.json").read_text())
            urllib.request.urlopen(f"{facts['url']}api?token={facts['token']}", timeout=5).close()
            return facts
        time.sleep(0.1)
    raise TimeoutError("the server did not start")


def _open_session(server: Any, name: str) -> str:
    """Open a notebook as the front end does; give the id of its kernel."""
    wanted = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    headers = {"Authorization": f"token {server['token']}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{server['url']}api/sessions", json.dumps(wanted).encode(), headers)
    with urllib.request.urlopen(request, timeout=_STARTS_S) as answer:
        return str(json.load(answer)["kernel"]["id"])


@contextlib.contextmanager
def _client(connection: Path) -> Iterator[BlockingKernelClient]:
    client = BlockingKernelClient(connection_file=str(connection))
    client.load_connection_file()
    client.hb_channel.time_to_dead = float(_STARTS_S)  # a busy machine is no dead kernel
    client.start_channels()
    try:
        client.wait_for_ready(timeout=_STARTS_S)
        yield client
    finally:
        client.stop_channels()


def _error(client: BlockingKernelClient, source: str) -> str:
    reply = client.execute_interactive(source, timeout=_CELL_S, output_hook=lambda message: None)["content"]
    return "" if reply["status"] == "ok" else f"{reply.get('ename')}: {reply.get('evalue')}"


class _Scale:
    """Weighs a process and all below it again and again, and keeps the most: proportional set sizes, in bytes."""

    def __init__(self, pid: int) -> None:
        self.peak_bytes = 0
        self._top = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._weigh, daemon=True)

    def __enter__(self) -> _Scale:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _weigh(self) -> None:
        while not self._ended.wait(_LOOK_EVERY_S):
            with contextlib.suppress(psutil.Error):
                processes = [self._top, *self._top.children(recursive=True)]
                self.peak_bytes = max(self.peak_bytes, sum(map(_held, processes)))


def _held(process: psutil.Process) -> int:
    """What a process holds; one that has just ended holds nothing."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0
