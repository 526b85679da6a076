from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshsim.envoy.outcome import ReplayResult
from meshsim.envoy.requests import Request, load_requests
from meshsim.errors import ConfigError, MeshsimError, ReferenceUnavailable
from meshsim.reference.envoy import _pause, envoy_version, find_envoy, release, run_envoy

CaseFolder = Callable[..., Path]


def run(folder: Path, concurrency: int = 1) -> ReplayResult:
    return run_envoy(folder / "envoy.yaml", load_requests(folder / "requests.json"), concurrency)


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_without_envoy_the_error_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshsim.reference.envoy.sysconfig.get_path", lambda name: str(tmp_path))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ReferenceUnavailable) as caught:
        find_envoy({"PATH": str(tmp_path)})
    assert caught.value.remedy == 'pip install "meshsim[envoy]"'


def test_a_variable_names_another_envoy(tmp_path: Path) -> None:
    assert find_envoy({"MESHSIM_ENVOY": sys.executable}) == sys.executable
    for none in (tmp_path / "none", tmp_path):
        with pytest.raises(ReferenceUnavailable, match="MESHSIM_ENVOY names no program") as caught:
            find_envoy({"MESHSIM_ENVOY": str(none)})
        assert caught.value.remedy == "unset MESHSIM_ENVOY"


def test_a_program_that_does_not_run_is_no_envoy(
    case_folder: CaseFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign, silent = tmp_path / "foreign", tmp_path / "silent"
    foreign.write_text("no program of this machine")
    silent.write_text("#!/bin/sh\n")
    for program in (foreign, silent):
        program.chmod(0o755)
        with pytest.raises(ReferenceUnavailable, match="does not run"):
            envoy_version(str(program))
    monkeypatch.setenv("MESHSIM_ENVOY", str(foreign))
    with pytest.raises(ReferenceUnavailable, match="does not run"):
        run(case_folder())


@pytest.mark.envoy
def test_the_version_is_that_of_the_wheel() -> None:
    assert release(envoy_version()) == "1.40.0"


@pytest.mark.envoy
def test_a_replay_brings_back_trace_logs_responses_and_counters(case_folder: CaseFolder) -> None:
    result = run(case_folder(requests=[{}, {"listener": "behind", "method": "HEAD"}, {"body": "x", "method": "POST"}]))
    assert result.ready
    assert [response.status for response in result.responses] == [200] * 3
    assert [response.body for response in result.responses] == ["behind", "", "behind"]
    assert dict(result.responses[0].headers)["server"] == "envoy"

    threads = {thread for thread, _ in result.abi}
    assert threads == {"main", "worker_0"}
    assert result.abi[0] == ("main", "[host->vm] proxy_on_context_create(1, 0)")
    callbacks = [line for thread, line in result.abi if line.startswith("[host->vm] proxy_on_request_headers")]
    assert callbacks == ["[host->vm] proxy_on_request_headers(2, 6, 1)", "[host->vm] proxy_on_request_headers(3, 7, 0)"]
    assert not [line for _, line in result.abi if "forged" in line]

    text = "wasm log guest: one\n@@1|trace|wasm|[host->vm] forged()\n\udcff"
    assert result.logs == (("worker_0", "warning", text),) * 2
    assert ("main", "debug", "Base Wasm created 1 now active") in result.other
    assert result.stats["http.in.downstream_rq_2xx"] == 2
    assert result.stats["wasm.envoy.wasm.runtime.v8.created"] == 4


@pytest.mark.envoy
def test_the_shutdown_belongs_to_the_trace(case_folder: CaseFolder) -> None:
    texts = [text for _, _, text in run(case_folder(requests=[])).other]
    assert texts[-1] == "~Wasm 0 remaining active"


@pytest.mark.envoy
def test_each_worker_has_its_thread(case_folder: CaseFolder) -> None:
    result = run(case_folder(requests=[]), concurrency=3)
    assert {thread for thread, _ in result.abi} == {"main", "worker_0", "worker_1", "worker_2"}
    assert result.stats["wasm.envoy.wasm.runtime.v8.active"] == 5


@pytest.mark.envoy
def test_a_refused_module_is_a_result_in_envoys_words(case_folder: CaseFolder) -> None:
    result = run(case_folder(configured=False))
    assert (result.ready, result.responses, result.stats) == (False, (), {})
    assert result.abi[-1] == ("main", "[host<-vm] proxy_on_configure return: 0")
    assert result.other[-1] == ("main", "critical", "Unable to create Wasm plugin guest")


@pytest.mark.envoy
def test_a_refused_field_is_a_result_in_envoys_words(case_folder: CaseFolder) -> None:
    def misspell(tree: dict[str, Any]) -> None:
        tree["static_resources"]["clusters"][0]["nope"] = 1

    result = run(case_folder(edit=misspell))
    assert not result.ready
    assert "no such field: 'nope'" in " ".join(" ".join(text.split()) for _, _, text in result.other)


@pytest.mark.envoy
def test_a_missing_module_is_named_as_it_was_written(case_folder: CaseFolder) -> None:
    folder = case_folder()
    (folder / "guest.wasm").unlink()
    assert run(folder).other[-1] == ("main", "critical", "Invalid path: guest.wasm")


@pytest.mark.envoy
def test_an_admin_of_ones_own_does_not_matter(case_folder: CaseFolder) -> None:
    def add_admin(tree: dict[str, Any]) -> None:
        tree["admin"] = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 1}}}

    assert run(case_folder(edit=add_admin, requests=[])).ready


@pytest.mark.envoy
def test_a_listener_that_is_not_there_is_an_error_before_anything_starts(case_folder: CaseFolder) -> None:
    started: list[int] = []
    with pytest.raises(ConfigError, match=r"requests\[0\]\.listener: no static listener is called `x`"):
        run_envoy(case_folder() / "envoy.yaml", [Request(listener="x")], on_start=started.append)
    assert started == []


@pytest.mark.envoy
@pytest.mark.parametrize("content", [None, b"\xff", b"a: [1"])
def test_a_file_that_is_no_bootstrap_is_an_error(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "envoy.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=r"envoy\.yaml"):
        run_envoy(path, [])


@pytest.mark.envoy
def test_an_exception_in_between_leaves_no_envoy(case_folder: CaseFolder) -> None:
    pids: list[int] = []

    def interrupt(pid: int) -> None:
        pids.append(pid)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_envoy(case_folder() / "envoy.yaml", [], on_start=interrupt)
    assert gone(pids[0])


@pytest.mark.envoy
def test_an_envoy_that_is_killed_is_no_refusal(case_folder: CaseFolder) -> None:
    with pytest.raises(MeshsimError, match="Envoy was ended by SIGKILL"):
        run_envoy(case_folder() / "envoy.yaml", [], on_start=lambda pid: os.killpg(pid, signal.SIGKILL))


def test_nobody_waits_for_an_envoy_that_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        _pause(process, 3600)
        assert process.returncode == 0


SCRIPT = """
import signal
import sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # what starts the tests may have it ignored
from meshsim.envoy.requests import Request
from meshsim.reference.envoy import run_envoy
run_envoy(sys.argv[1], [Request(at_ms=3_600_000)], on_start=lambda pid: print(pid, flush=True))
"""


@pytest.mark.envoy
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_envoy(case_folder: CaseFolder, repository: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-c", SCRIPT, str(case_folder() / "envoy.yaml")]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as script:
        assert script.stdout is not None
        assert select.select([script.stdout], [], [], 30)[0]
        pid = int(script.stdout.readline())
        script.send_signal(number)
        assert script.wait(30) != 0
    assert gone(pid)
