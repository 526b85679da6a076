"""The tables of a profile, and that the document that shows them is of the profile that ships."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.cost import default_profile
from meshsim.reference import findings
from meshsim.reference.tasks import TASKS

ROOT = Path(__file__).parents[2]


def test_each_task_is_a_row_with_three_engines() -> None:
    rows = findings.side_by_side(default_profile()).splitlines()[2:]
    assert [row.split("|")[1].strip().replace(" ", "_") for row in rows] == list(TASKS)
    assert all(row.count(" to ") == 3 for row in rows)


def test_each_claim_has_a_number_and_says_which() -> None:
    for row in findings.claims(default_profile()).splitlines()[2:]:
        said, found, how = (cell.strip() for cell in row.strip("|").split("|"))
        assert said
        assert any(letter.isdigit() for letter in found)
        assert how == "the table above" or how.startswith("`")


@pytest.mark.parametrize("table", [findings.side_by_side, findings.claims])
def test_the_document_shows_the_profile_that_ships(table: object) -> None:
    assert callable(table)
    assert table(default_profile()) in (ROOT / "docs" / "costs.md").read_text(encoding="utf-8")


def test_the_readme_names_the_day_of_the_profile_that_ships() -> None:
    assert default_profile().measured["date"][:10] in (ROOT / "README.md").read_text(encoding="utf-8")
