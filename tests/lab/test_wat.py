from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell

import meshsim.lab as lab
from meshsim.errors import ModuleError
from meshsim.lab.wat import WatModule, compile_wat
from tests.lab.shells import ipython

TINY = '(module (func (export "proxy_abi_version_0_2_1")))'


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with ipython() as made:
        lab.load_ipython_extension(made)
        yield made


def test_a_cell_becomes_a_module_under_its_name(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    shell.run_cell_magic("wat", "tiny", TINY)
    module = shell.user_ns["tiny"]
    assert isinstance(module, WatModule)
    assert Path(module).read_bytes() == module.wasm
    assert f"{module}" == str(module.path)
    assert "53 bytes" in capsys.readouterr().out


def test_a_mistake_is_said_with_its_place_and_binds_nothing(shell: InteractiveShell) -> None:
    with pytest.raises(UsageError, match="1:"):
        shell.run_cell_magic("wat", "broken", "(module (func")
    assert "broken" not in shell.user_ns


@pytest.mark.parametrize("line", ["", "not-a-name", "two names"])
def test_a_module_needs_a_name(shell: InteractiveShell, line: str) -> None:
    with pytest.raises(UsageError, match="needs a name"):
        shell.run_cell_magic("wat", line, TINY)


def test_a_changed_module_is_another_file() -> None:
    one, other = compile_wat(TINY, "m"), compile_wat(TINY.replace("(func", "(memory 1) (func"), "m")
    assert one.path != other.path
    assert compile_wat(TINY, "m").path == one.path


def test_without_a_marker_it_says_what_envoy_would_do() -> None:
    assert "Envoy would refuse it" in compile_wat("(module)").summary()


@pytest.mark.parametrize(
    ("body", "meaning"),
    [("(i32.const 1)", "is a drop missing"), ("(drop (i32.add (i32.const 1)))", "all of its arguments")],
)
def test_a_module_that_is_not_valid_says_what_that_often_means(body: str, meaning: str) -> None:
    module = compile_wat(f"(module (func {body}))")
    assert meaning in module.summary()
    with pytest.raises(ModuleError, match=meaning):
        module.check()


def test_no_module_is_an_error_of_ours() -> None:
    with pytest.raises(ModuleError):
        compile_wat("not a module")
