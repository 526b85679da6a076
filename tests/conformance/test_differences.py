"""The page on differences has all of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshsim.reference.rules import RULES


@pytest.fixture(scope="module")
def page() -> str:
    return (Path(__file__).parents[2] / "docs" / "differences.md").read_text(encoding="utf-8")


def _rows(page: str, heading: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    part = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def _not_modelled() -> Iterator[tuple[str, str]]:
    """Where the source says that something is not modelled, and the beginning of what it says."""
    package = Path(__file__).parents[2] / "meshsim"
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "NotModelled":
                yield f"{path.relative_to(package)}:{node.lineno}", _words(node.args[0], tree)


def _words(message: ast.expr, tree: ast.Module) -> str:
    """A message's text, with ``{}`` for what is put in; where it has a name, what was last assigned to that before."""
    if isinstance(message, ast.Constant):
        return str(message.value)
    if isinstance(message, ast.Name):
        named = [node for node in ast.walk(tree) if isinstance(node, ast.Assign) and node.lineno < message.lineno]
        values = [node.value for node in named if ast.unparse(node.targets[0]) == message.id]
        return _words(max(values, key=lambda value: value.lineno), tree)
    assert isinstance(message, ast.JoinedStr)
    parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in message.values]
    return "".join(parts)


def _tells(row: str, words: str) -> bool:
    """Whether a row is about a message: it is the beginning of it, with something in the place of each ``{}``."""
    parts = words.split("{}")
    beginnings = [".+".join(map(re.escape, parts[:number])) for number in range(1, len(parts) + 1)]
    return words.startswith(row) or any(re.fullmatch(f"{pattern}.*", f"{row} ") for pattern in beginnings[1:])


def test_each_rule_that_leaves_something_out_is_told_with_its_reason(page: str) -> None:
    told = _rows(page, "What a comparison leaves out")
    assert told == [[f"`{rule.name}`", rule.covers, rule.why] for rule in RULES if rule.evidence]


def test_each_thing_that_is_not_modelled_is_told_with_its_reason(page: str) -> None:
    told = {row[0]: row[1] for row in _rows(page, "What is not modelled, and says so")}
    found = list(_not_modelled())
    assert len(found) > 10
    assert [f"{place}: {words}" for place, words in found if not any(_tells(start, words) for start in told)] == []
    assert [start for start in told if not any(_tells(start, words) for _, words in found)] == []
    assert all(told.values())


def test_every_difference_has_its_reason(page: str) -> None:
    for row in _rows(page, "What differs, and cannot be the same"):
        assert len(row) == 4
        assert all(row), row
