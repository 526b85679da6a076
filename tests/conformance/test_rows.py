"""Each row is tested by its name, or has its reason."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.conformance.rows import NOT_TESTED, ROWS

_NAME = re.compile(r"test_([a-m])(\d+)_")


def _tested() -> set[str]:
    found: set[str] = set()
    for path in Path(__file__).parent.glob("test_?_*.py"):
        names = [node.name for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
        rows = [match for name in names if (match := _NAME.match(name))]
        assert {row[1] for row in rows} == {path.name[5]}, f"a row of another letter in {path.name}"
        found |= {f"{row[1].upper()}{int(row[2])}" for row in rows}
    return found


def test_there_are_157_rows() -> None:
    assert len(ROWS) == 157
    assert [next(row for row in ROWS if row.startswith(letter)) for letter in "ABCDEFGHIJKLM"] == (
        ["A1", "B22", "C25", "D42", "E57", "F71", "G81", "H86", "I104", "J111", "K127", "L134", "M138"]
    )


def test_every_row_is_tested_or_has_its_reason() -> None:
    assert sorted(set(ROWS) - _tested() - set(NOT_TESTED)) == []


def test_no_row_is_tested_and_excused() -> None:
    assert _tested() & set(NOT_TESTED) == set()


def test_what_is_tested_or_excused_is_a_row() -> None:
    assert (_tested() | set(NOT_TESTED)) - set(ROWS) == set()
