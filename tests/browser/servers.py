"""JupyterLab, Notebook 7 and Voila, each started on a free port with folders of its own, and a page on them.

What the flags are for: no sandbox, because the tests may run as root; no request leaves the machine; the same colours
and letter shapes everywhere. The servers' own news, update checks and extension manager are off.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

BROWSER_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-color-profile=srgb", "--font-render-hinting=none",
    "--disable-lcd-text",
)  # fmt: skip
_OPEN = (
    "--no-browser", "--allow-root", "--ip=127.0.0.1", "--ServerApp.port_retries=0", "--IdentityProvider.token=",
    "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True", "--expose-app-in-browser",
)  # fmt: skip
_LAB = ("--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.extension_manager=readonly")
_VOILA = (
    "--no-browser", "--Voila.ip=127.0.0.1", "--Voila.port_retries=0",
    # Extensions of another front end, which complain in Voila.
    "--VoilaConfiguration.extension_denylist=@jupyter-notebook/lab-extension",
    "--VoilaConfiguration.extension_denylist=@voila-dashboards/jupyterlab-preview",
)  # fmt: skip
_FOLDERS = {
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "IPYTHONDIR": "ipython",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
}
_PATHS = {"lab": "/lab/tree/{}?reset", "notebook": "/notebooks/{}", "voila": "/voila/render/{}"}
#: What a front end itself reports as an error; seen with a notebook of ``1 + 1``.
NOISE = {"lab": (), "notebook": (r"reading 'schema'",), "voila": ()}
_PATIENCE_S = 60


class Server:
    """A front end that is running: ``kind`` is ``lab``, ``notebook`` or ``voila``."""

    def __init__(self, kind: str, base: Path) -> None:
        self.kind, self.root, self._count = kind, base / "notebooks", 0
        for folder in ("notebooks", "config/labconfig", *_FOLDERS.values()):
            (base / folder).mkdir(parents=True, exist_ok=True)
        news = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
        (base / "config/labconfig/page_config.json").write_text(json.dumps(news))
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = base / "server.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._arguments(), f"--port={port}"],
                stdout=log, stderr=log, cwd=base, start_new_session=True,
                env=os.environ | {name: str(base / folder) for name, folder in _FOLDERS.items()},
            )  # fmt: skip
        self._wait("/voila/tree" if kind == "voila" else "/api/status")

    def _arguments(self) -> Sequence[str]:
        if self.kind == "voila":
            return "voila", *_VOILA, str(self.root)
        root = f"--ServerApp.root_dir={self.root}"
        return ("jupyterlab", *_OPEN, *_LAB, root) if self.kind == "lab" else ("notebook", *_OPEN, root)

    def _wait(self, path: str) -> None:
        until = time.monotonic() + _PATIENCE_S
        while self._process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), urllib.request.urlopen(self.url + path, timeout=2):
                return
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"{self.kind} did not start:\n{self._log.read_text()}")

    def stop(self) -> None:
        """End the server; its kernels end with it."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def address(self, cells: Sequence[str]) -> str:
        """Write a notebook of these cells; return where it is opened."""
        self._count += 1
        name = f"test{self._count}.ipynb"
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        made: Any = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells], metadata=kernel)
        nbformat.write(made, self.root / name)
        return self.url + _PATHS[self.kind].format(name)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Notebook:
    """A notebook in JupyterLab or Notebook 7, driven by the front end's own commands."""

    _PANEL = "window.jupyterapp.shell.currentWidget"

    def __init__(self, page: Page) -> None:
        self._page = page
        page.wait_for_function(f"() => window.jupyterapp && {self._PANEL}?.content?.widgets?.length")
        page.wait_for_function(f"() => {self._PANEL}.sessionContext?.session?.kernel?.status === 'idle'")

    def command(self, name: str, **arguments: Any) -> None:
        """Run a command of the front end."""
        run = "([name, args]) => window.jupyterapp.commands.execute(name, args).then(() => null)"
        self._page.evaluate(run, [name, arguments])

    def run(self, number: int) -> Locator:
        """Run a cell; return its output. What failed in the kernel fails here."""
        cells = f"{self._PANEL}.content"
        count = f"{cells}.widgets[{number}].model.executionCount"
        choose = f"{cells}.activeCellIndex = {number}; {cells}.deselectAll(); return {count}"
        before = self._page.evaluate(f"() => {{ {choose} }}")
        self.command("notebook:run-cell")
        self._page.wait_for_function(f"before => {count} !== null && {count} !== before", arg=before)
        outputs = self._page.evaluate(f"() => {cells}.widgets[{number}].model.outputs.toJSON()")
        assert [output["evalue"] for output in outputs if output["output_type"] == "error"] == []
        return self._page.locator(".jp-Notebook .jp-Cell").nth(number).locator(".jp-OutputArea-output")

    def until(self, number: int, answer: str) -> str:
        """Run a cell until it prints ``answer``; return what it printed last.

        What a widget sends is handled beside cells, in a subshell: a cell may run before it.
        """
        until = time.monotonic() + _PATIENCE_S / 3
        while (printed := self.run(number).inner_text().strip()) != answer and time.monotonic() < until:
            self._page.wait_for_timeout(100)
        return printed


def watch(page: Page) -> list[str]:
    """Return a list that fills with what goes wrong on a page; a request that leaves the machine is one such thing."""
    bad: list[str] = []

    def refuse(route: Any) -> None:
        bad.append(f"asked for {route.request.url}")
        route.abort()

    page.route(re.compile(r"^https?://(?!127\.0\.0\.1)"), refuse)
    # Voila's own page names this style sheet; nothing of ours does.
    icons = re.compile(r"^https://cdn\.jsdelivr\.net/npm/@fortawesome/")
    page.route(icons, lambda route: route.fulfill(content_type="text/css", body=""))
    page.on("console", lambda message: bad.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: bad.append(str(error)))
    page.on("response", lambda answer: bad.append(f"{answer.status} {answer.url}") if answer.status >= 400 else None)
    return bad
