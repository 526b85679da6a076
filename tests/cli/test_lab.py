from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshsim.cli import lab
from meshsim.lab import courseware

Run = Callable[..., Any]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would have been started instead of this process."""
    started: list[list[str]] = []
    monkeypatch.setattr(lab, "find_spec", lambda name: name)
    monkeypatch.setattr(os, "execv", lambda program, arguments: started.append(arguments))
    monkeypatch.setenv("JUPYTER_TOKEN", "")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "/elsewhere")
    return started


def test_without_jupyterlab_it_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lab, "find_spec", lambda name: None)
    done = run("lab", tmp_path / "course")
    assert done.status == 2
    assert "pip install 'meshsim[lab]'" in done.err
    assert not (tmp_path / "course").exists()


def test_it_listens_on_this_machine_only_and_keeps_its_token_out_of_sight(
    run: Run, started: list[list[str]], tmp_path: Path
) -> None:
    done = run("lab", tmp_path / "course", "--no-browser", "--json")
    assert done.status == 0
    [arguments] = started
    assert "--ServerApp.ip=127.0.0.1" in arguments
    assert "--no-browser" in arguments
    token = os.environ["JUPYTER_TOKEN"]
    assert len(token) == 48
    assert not any(token in argument for argument in arguments)
    assert done.json()["url"].startswith("http://127.0.0.1:")
    assert done.json()["url"].endswith(f"/lab/tree/{courseware.FIRST}?token={token}")


def test_lab_asks_nobody_about_news(run: Run, started: list[list[str]], tmp_path: Path) -> None:
    assert run("lab", tmp_path / "course", "--json").status == 0
    ours, others = os.environ["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    page = json.loads((Path(ours) / "labconfig" / "page_config.json").read_text())
    assert page["disabledExtensions"]["@jupyterlab/apputils-extension:announcements"]
    assert others == "/elsewhere"


def test_what_a_learner_wrote_stays(run: Run, started: list[list[str]], tmp_path: Path) -> None:
    course = tmp_path / "course"
    assert courseware.FIRST in run("lab", course, "--json").json()["new"]
    (course / courseware.FIRST).write_text("mine")
    done = run("lab", course, "--json").json()
    assert done["new"] == []
    assert courseware.FIRST in done["kept"]
    assert (course / courseware.FIRST).read_text() == "mine"


def test_a_port_that_is_taken_is_an_error_when_it_was_asked_for(
    run: Run, started: list[list[str]], tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run("lab", tmp_path, "--port", port)
    assert done.status == 2
    assert f"port {port} of 127.0.0.1" in done.err
    assert started == []


def test_a_folder_that_cannot_be_made_is_an_error(run: Run, started: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("lab", tmp_path / "file" / "course")
    assert done.status == 2
    assert "cannot write" in done.err


def answer_of(url: str, server: subprocess.Popen[str]) -> Any:
    """What a server answers as soon as it listens."""
    while server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return json.load(answer)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            threading.Event().wait(0.05)
    pytest.fail("it ended")


def test_the_server_answers_at_the_address_that_was_printed(tmp_path: Path) -> None:
    pytest.importorskip("jupyterlab")
    variables = os.environ | {f"JUPYTER_{kind}_DIR": str(tmp_path / kind) for kind in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", "meshsim", "lab", str(tmp_path / "course"), "--no-browser", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=variables, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            printed = ""
            while not printed.endswith("}\n"):
                printed += process.stdout.readline()
            address, token = json.loads(printed)["url"].split("?token=")
            asked = f"{address.partition('/lab/')[0]}/api/contents/{courseware.FIRST}?token={token}"
            assert answer_of(asked, process)["type"] == "notebook"
        finally:
            process.terminate()
