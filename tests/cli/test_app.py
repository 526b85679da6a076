from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import pytest

from meshsim.cli import app as module
from meshsim.errors import ConfigError, MeshsimError, NotModelled

Run = Callable[..., Any]

FULL = Path("/dev/full")

COMMANDS = sorted(command.callback.__name__ for command in module.app.registered_commands if command.callback)


def _replaced(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fails(**_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(module, "app", fails)


def test_version(run: Run) -> None:
    done = run("--version")
    assert (done.status, done.out) == (0, f"meshsim {metadata.version('meshsim')}\n")


def test_help_names_every_command(run: Run) -> None:
    done = run("--help")
    assert done.status == 0
    assert [name for name in COMMANDS if name not in done.out] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_teaches_by_examples_and_has_json(run: Run, command: str) -> None:
    done = run(command, "--help")
    assert done.status == 0
    assert f"  meshsim {command}" in done.out.partition("Examples:")[2]
    assert "--json" in done.out


def test_without_arguments_there_is_help_and_no_success(run: Run) -> None:
    done = run()
    assert done.status == 2
    assert "Usage: meshsim" in done.out + done.err


@pytest.mark.parametrize("arguments", [["no-such-command"], ["inspect"], ["doctor", "--no-such-option"]])
def test_a_usage_error_is_status_2(run: Run, arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.status == 2
    assert "Usage: meshsim" in done.err


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (
            ConfigError("unknown field", "envoy.yaml", "remove it"),
            2,
            "meshsim: envoy.yaml: unknown field\n  -> remove it\n",
        ),
        (NotModelled("proxy_http_call"), 3, "meshsim: not modelled: proxy_http_call\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_how_an_error_ends_the_program(
    run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int, text: str
) -> None:
    _replaced(monkeypatch, error)
    done = run()
    assert (done.status, done.out, done.err) == (status, "", text)


def test_debugging_shows_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESHSIM_DEBUG", "1")
    _replaced(monkeypatch, MeshsimError("broken"))
    with pytest.raises(MeshsimError, match="broken"):
        module.main([])


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    _replaced(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        module.main([])


def test_a_reader_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    wat = tmp_path / "many.wat"
    functions = "\n".join(f'(func (export "function_{i}"))' for i in range(5000))
    wat.write_text(f"(module {functions})")
    meshsim = [sys.executable, "-m", "meshsim", "inspect", str(wat), "--json"]
    with subprocess.Popen(meshsim, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "{\n"
        process.stdout.close()
        assert process.stderr.read() == ""


@pytest.mark.skipif(not FULL.exists(), reason="a device that takes nothing is Linux's")
@pytest.mark.parametrize("arguments", [["--version"], ["validate", "--fields", "--json"]])
def test_a_full_disk_is_said_in_words(arguments: list[str]) -> None:
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "meshsim", *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr == (
        "meshsim: standard output: cannot write: No space left on device\n  -> make room, or write elsewhere\n"
    )


def test_another_error_of_the_system_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    _replaced(monkeypatch, ConnectionResetError("nobody there"))
    with pytest.raises(ConnectionResetError):
        module.main([])


def test_without_standard_output_nothing_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(SystemExit) as end:
        module.main(["--version"])
    assert end.value.code == 0


def test_the_module_can_be_run() -> None:
    done = subprocess.run([sys.executable, "-m", "meshsim", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("meshsim ")
