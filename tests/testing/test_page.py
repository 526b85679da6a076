"""The page on testing filters: its code is run as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
import wasmtime

from tests.testing.conftest import INNER

pytest_plugins = ["pytester"]

_BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "testing-filters.md").read_text(encoding="utf-8")


def test_the_code_of_the_page_runs(page: str, pytester: pytest.Pytester, hello: Path, guests: Path) -> None:
    shutil.copy(hello, pytester.path / "hello.wasm")
    shutil.copy(guests / "abi-trap-where.wasm", pytester.path / "trap.wasm")
    source = (Path(__file__).parent / "authz.wat").read_text(encoding="utf-8")
    (pytester.path / "authz.wasm").write_bytes(wasmtime.wat2wasm(source))
    code = "\n\n".join(_BLOCK.findall(page))
    pytester.makepyfile(code)
    cases = 3  # the parametrised test counts once for each of its answers
    pytester.runpytest(*INNER).assert_outcomes(passed=code.count("def test_") + cases)


def test_the_first_test_has_ten_lines(page: str) -> None:
    first = _BLOCK.findall(page)[0]
    assert len([line for line in first.splitlines() if line.strip()]) <= 10


def test_what_the_page_names_is_there(page: str) -> None:
    from meshsim.testing import Reply, WasmFilter

    rows = [row.partition(" | ")[0] for row in page.splitlines() if row.startswith("| `")]
    names = [re.match(r"\w+", name) for row in rows for name in re.findall(r"`([^`]+)`", row)]
    found = {*dir(WasmFilter), *dir(Reply), *Reply.__dataclass_fields__, "envoy"}
    assert [name[0] for name in names if name and name[0] not in found] == []
