"""``meshsim lab``: JupyterLab on a copy of the lessons, for this machine alone."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from meshsim.cli.console import examples, say, write_json
from meshsim.errors import MeshsimError

EXAMPLES = examples(
    ("meshsim lab", "the lessons, copied to ./meshsim-lessons, in your browser"),
    ("meshsim lab my-course --port 9000", "another folder, another port"),
    ("meshsim lab --no-browser", "only prints the address: for a machine without a screen"),
)

#: What Jupyter itself takes when nobody says.
DEFAULT_PORT = 8888

#: Only this machine; no question to any other about versions or extensions.
OPTIONS = (
    "--ServerApp.ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
)

#: A folder of Jupyter's settings: Lab does not ask whether it may fetch news, which no option of Lab prevents.
_SETTINGS = str(files("meshsim") / "lab" / "assets" / "jupyter")


def lab(
    folder: Annotated[Path, typer.Argument(help="Your copy of the lessons; what is in it stays.")] = Path(
        "meshsim-lessons"
    ),
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port on 127.0.0.1; 8888 or a free one when not given.")
    ] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as JSON.")] = False,
) -> None:
    """Open JupyterLab on a copy of the lessons, on 127.0.0.1. Ctrl-C, twice, ends it."""
    from meshsim.lab.courseware import FIRST, copy_lessons

    if find_spec("jupyterlab") is None:
        raise MeshsimError("JupyterLab is not installed", remedy="pip install 'meshsim[lab]'")
    taken = free_port(port)
    copied = copy_lessons(folder)
    token = secrets.token_hex(24)
    address = f"http://127.0.0.1:{taken}/lab/tree/{quote(FIRST)}?token={token}"
    if as_json:
        write_json({"folder": str(folder), "new": copied.new, "kept": copied.kept, "url": address})
    else:
        kept = f", {len(copied.kept)} kept as they were" if copied.kept else ""
        say(f"{folder}: {len(copied.new)} files copied{kept}")
        say(f"JupyterLab will be at {address}")
    sys.stdout.flush()
    start(folder, taken, token, browser)


def start(folder: Path, port: int, token: str, browser: bool) -> None:
    """Become JupyterLab. The token goes by the environment: a command line is for everybody on the machine to read."""
    from meshsim.lab.courseware import FIRST

    options = [*OPTIONS, f"--ServerApp.port={port}", f"--ServerApp.root_dir={folder.resolve()}"]
    options.append(f"--LabApp.default_url=/lab/tree/{quote(FIRST)}")
    if not browser:
        options.append("--no-browser")
    if os.geteuid() == 0:
        options.append("--allow-root")  # in a container there is nobody else
    os.environ["JUPYTER_TOKEN"] = token
    others = os.environ.get("JUPYTER_CONFIG_PATH")
    os.environ["JUPYTER_CONFIG_PATH"] = f"{_SETTINGS}{os.pathsep}{others}" if others else _SETTINGS
    os.execv(sys.executable, [sys.executable, "-m", "jupyterlab", *options])


def free_port(wanted: int | None) -> int:
    """Return a port of 127.0.0.1 that is free: the wanted one, or Jupyter's own, or any.

    Raises
    ------
    MeshsimError
        The wanted one is taken.
    """
    for port in (wanted or DEFAULT_PORT, 0):
        try:
            with socket.create_server(("127.0.0.1", port)) as server:
                return int(server.getsockname()[1])
        except OSError as error:
            if wanted is not None:
                raise MeshsimError(
                    f"port {wanted} of 127.0.0.1: {error.strerror}", remedy="name another one"
                ) from error
    raise MeshsimError("no port of 127.0.0.1 is free", remedy="allow this process to listen on 127.0.0.1")
