"""The lessons as a course: what is copied to a learner, and the pages for those who teach."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from meshsim.errors import MeshsimError
from meshsim.lab import courseware
from meshsim.lab.courseware import copy_lessons, source_folder
from meshsim.lab.lessons.lesson import numbers, plan_of

PAGES = ("instructor.md", "glossary.md", "README.md")


def page(name: str) -> str:
    return (source_folder() / name).read_text(encoding="utf-8")


def test_a_copy_has_every_lesson_and_no_solution(tmp_path: Path) -> None:
    copied = copy_lessons(tmp_path / "course")
    assert {name[:2] for name in copied.new if name.endswith(".ipynb")} >= set(numbers())
    assert copied.kept == ()
    assert not (tmp_path / "course" / "solutions").exists()


def test_an_installation_without_lessons_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(courseware, "files", lambda package: tmp_path / "site" / package)
    with pytest.raises(MeshsimError, match="no lessons"):
        source_folder()


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_links_to_is_there(name: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", page(name)):
        assert (source_folder() / target).exists(), target


def test_the_lessons_fill_the_ninety_minutes_as_the_guide_says() -> None:
    begun: dict[str, int] = {}
    lesson = ""
    for line in page("instructor.md").splitlines():
        if found := re.match(r"\| \| \*\*(\d\d) · ", line):
            lesson = found[1]
        elif (found := re.match(r"\| (\d+) \| ", line)) and lesson:
            begun.setdefault(lesson, int(found[1]))
    starts = [*begun.values(), 90]
    lengths = dict(zip(begun, (after - before for before, after in pairwise(starts)), strict=True))
    assert lengths == {number: plan_of(number).minutes for number in begun}
    assert set(begun) == set(numbers())


def test_the_glossary_is_in_order_and_in_two_languages() -> None:
    rows = [line.strip("| ").split(" | ") for line in page("glossary.md").splitlines() if line.startswith("| ")][1:]
    words = [row[0].casefold() for row in rows]
    assert words == sorted(words)
    assert len(words) == len(set(words)) > 40
    for english, chinese, meaning in rows:
        assert re.search(r"[\u4e00-\u9fff]", chinese) or chinese.startswith(("Wasm", "WAT", "ABI")), english
        assert meaning
