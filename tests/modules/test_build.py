"""`modules/build.py`: what it compares, what it says, what it returns. Only WAT is compiled here."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

MODULES = Path(__file__).parents[2] / "modules"


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script, with a copy of `modules/` to work on."""
    monkeypatch.syspath_prepend(str(MODULES))  # as Python does for a script: its neighbours can be imported
    monkeypatch.delenv("CI", raising=False)
    spec = importlib.util.spec_from_file_location("modules_build", MODULES / "build.py")
    assert spec
    assert spec.loader
    build = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, build)
    spec.loader.exec_module(build)
    copy = shutil.copytree(MODULES, tmp_path / "modules", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(build, "MODULES", copy)
    monkeypatch.setattr(build, "SUMS", copy / "SHA256SUMS")
    return build


@pytest.fixture
def without_zig(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which neither Zig nor Rust is installed."""
    for language in ("zig", "rust"):
        toolchain = build.TOOLCHAINS[language]
        absent = replace(toolchain.tools[0], launchers=(("/nonexistent/compiler",),))
        monkeypatch.setitem(build.TOOLCHAINS, language, replace(toolchain, tools=(absent,)))


def edit(source: Path, old: str, new: str) -> None:
    text = source.read_text("utf-8")
    assert old in text
    source.write_text(text.replace(old, new), "utf-8")


def test_every_language_is_written_and_prebuilt(build: ModuleType) -> None:
    modules = list(build.find_modules(tuple(build.TOOLCHAINS)))
    assert {module.language for module in modules} == set(build.TOOLCHAINS)
    assert {module.committed for module in modules} == set(build.MODULES.glob("*/*.wasm"))


def test_checksums_are_those_of_the_prebuilt_modules(build: ModuleType) -> None:
    assert build.SUMS.read_text("utf-8") == build.checksums()


def test_readme_gives_the_size_of_every_module() -> None:
    rows = [line.split("|") for line in (MODULES / "README.md").read_text("utf-8").splitlines() if "`hello" in line]
    said = {cells[2].strip(" `"): cells[4].strip() for cells in rows if len(cells) > 4}
    assert said == {path.name: f"{path.stat().st_size:,}" for path in MODULES.glob("hello/*.wasm")}


def test_says_so_when_the_bytes_are_the_same(build: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert build.main(["wat", "--require"]) == 0
    size = (MODULES / "hello" / "hello-wat.wasm").stat().st_size
    assert capsys.readouterr().out.split(maxsplit=1) == ["hello-wat.wasm", f"same bytes: {size} bytes\n"]


def test_fails_when_the_bytes_differ_and_leaves_them_alone(
    build: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (build.MODULES / "hello" / "hello-wat.wasm").read_bytes()
    edit(build.MODULES / "hello" / "hello.wat", '"goodbye"', '"so long"')
    assert build.main(["wat"]) == 1
    assert "DIFFERENT BYTES" in capsys.readouterr().out
    assert (build.MODULES / "hello" / "hello-wat.wasm").read_bytes() == before


def test_update_writes_the_module_and_its_checksum(build: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    edit(build.MODULES / "hello" / "hello.wat", '"goodbye"', '"so long"')
    assert build.main(["wat", "--update"]) == 0
    assert "written" in capsys.readouterr().out
    digest = hashlib.sha256((build.MODULES / "hello" / "hello-wat.wasm").read_bytes()).hexdigest()
    assert f"{digest}  hello/hello-wat.wasm\n" in build.SUMS.read_text("utf-8")
    assert build.main(["wat"]) == 0


def test_shows_what_the_compiler_printed(build: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    edit(build.MODULES / "hello" / "hello.wat", "(call $log ", "(call $lgo ")
    assert build.main(["wat"]) == 1
    out = capsys.readouterr().out
    assert "BUILD FAILED" in out
    assert "$lgo" in out


@pytest.mark.usefixtures("without_zig")
def test_skips_a_language_without_its_tools_and_says_how_to_get_them(
    build: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build.main(["zig", "rust"]) == 0
    zig, rust = capsys.readouterr().out.splitlines()
    assert "skipped" in zig
    assert "pip install ziglang==" in zig
    assert "skipped" in rust
    assert "libstd-rust-dev-wasm32" in rust


@pytest.mark.usefixtures("without_zig")
@pytest.mark.parametrize("by", ["--require", "CI=true"])
def test_a_strict_run_fails_without_the_tools_that_come_with_pip(
    build: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], by: str
) -> None:
    monkeypatch.setenv("CI", "true" if by == "CI=true" else "false")
    strict = [by] if by.startswith("--") else []
    assert build.main(["rust", *strict]) == 0
    assert build.main(["zig", *strict]) == 1
    assert "TOOLS MISSING" in capsys.readouterr().out


def test_a_tool_of_another_version_is_no_tool(build: ModuleType) -> None:
    tool = build.TOOLCHAINS["wat"].tools[0]
    assert tool.find()
    assert replace(tool, answer="49.").find() is None


def test_a_build_sees_only_the_environment_it_was_given(build: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CPATH", "/elsewhere")
    assert set(build.environment(build.TOOLCHAINS["wat"])) <= {"PATH", "HOME", "TMPDIR"}
    assert build.environment(build.TOOLCHAINS["go"])["GOARCH"] == "wasm"


def test_refuses_a_language_it_does_not_know(build: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        build.main(["cobol"])
    assert stopped.value.code == 2
    assert "no such language: cobol" in capsys.readouterr().err
