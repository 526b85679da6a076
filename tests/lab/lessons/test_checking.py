from __future__ import annotations

from pathlib import Path

import pytest

import meshsim as ms
from meshsim.errors import ConfigError
from meshsim.lab.lessons.lesson import Lesson
from meshsim.lab.lessons.verdict import State, Verdict
from meshsim.lab.wat import compile_wat


def test_the_truth_follows_the_parameters(capsys: pytest.CaptureFixture[str]) -> None:
    ms.lesson("00", workers=3)
    assert ms.check("00.1", 5)
    ms.lesson("00", workers=4)
    assert not ms.check("00.1", 5)
    assert ms.check("00.1", "6 VMs")
    assert "right: 6 VMs" in capsys.readouterr().out


def test_the_second_failure_offers_the_hint_and_the_third_the_solution() -> None:
    first, second, third = (ms.check("00.1", 99) for _ in range(3))
    assert (first.hint, first.solution) == ("", "")
    assert second.hint
    assert not second.solution
    assert third.hint
    assert "worker" in third.solution
    assert [v.attempts for v in (first, second, third)] == [1, 2, 3]


def test_the_same_module_once_more_is_no_further_failure() -> None:
    ms.lesson("00").reset()
    idle = compile_wat('(module (func (export "proxy_abi_version_0_2_1")))', "idle")
    assert [ms.check("00.3", idle).attempts for _ in range(3)] == [1, 1, 1]
    assert ms.check("00.3", compile_wat('(module (memory 1) (func (export "proxy_abi_version_0_2_1")))')).attempts == 2


def test_a_number_that_lacks_its_unit_is_told_so() -> None:
    waits = ms.lesson("07").auth_ms
    assert "Give a unit" in ms.check("07.3", waits).words
    assert "Give a unit" in ms.check("07.3", f"about {waits}").words
    assert "is not it" in ms.check("07.3", f"{7 * waits} us").words
    assert "held the worker" in ms.check("07.3", waits * ms.lesson("07").together).words


def test_no_answer_is_no_failure() -> None:
    for answer in (..., None, "", "no idea"):
        verdict = ms.check("00.1", answer)
        assert verdict.state is State.OPEN
    assert ms.lesson("00").failures == {}


def test_a_known_mistake_is_explained() -> None:
    ms.lesson("00", workers=3)
    assert "main thread" in ms.check("00.1", 3).words


def test_a_part_of_a_collection_is_counted() -> None:
    assert "1 of 3 are found, and 1 are none of them" in ms.check("00.2", ["proxy_log", "proxy_done"]).words


def test_what_was_passed_is_kept_until_the_reset() -> None:
    opened = ms.lesson("00")
    assert ms.check("00.1", opened.workers + 2)
    assert not ms.check("00.2", ["proxy_log"])
    assert opened.passed == {"00.1"}
    opened.reset()
    assert (opened.passed, opened.failures) == (frozenset(), {})


def test_a_broken_file_is_not_the_answers_fault() -> None:
    opened = ms.lesson("00")
    opened.bootstrap.write_text("static_resources: [")
    verdict = ms.check("00.1", 4)
    assert verdict.state is State.BROKEN
    assert "reset()" in verdict.words
    opened.reset()
    assert ms.check("00.1", 4)


def test_an_exercise_that_is_not_there_is_said_to_be() -> None:
    with pytest.raises(ConfigError, match=r"00\.1, 00\.2"):
        ms.check("00.99", 1)
    with pytest.raises(ConfigError, match="no lesson '99'"):
        ms.check("99.1", 1)


def test_a_verdict_is_escaped_and_folds_what_it_offers() -> None:
    page = Verdict("00.1", State.WRONG, "<b>", 3, "a & b", "x < y").html()
    assert "&lt;b&gt;" in page
    assert page.count("<details>") == 2
    assert "x &lt; y" in page


def test_files_are_put_beside_the_notebook_once(tmp_path: Path) -> None:
    opened = ms.lesson("00")
    assert {file.name for file in (tmp_path / "lesson_00").iterdir()} == {"envoy.yaml", "hello.wasm", "requests.json"}
    mine = opened.folder / "mine.txt"
    mine.write_text("kept")
    opened.bootstrap.write_text("changed")
    opened.reset()
    assert "static_resources" in opened.bootstrap.read_text()
    assert mine.read_text() == "kept"


def test_a_folder_that_cannot_be_written_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "lesson_00").write_text("a file is in the way")
    with pytest.raises(ConfigError, match="cannot be put here"):
        ms.lesson("00")


def test_what_is_known_is_computed_anew_when_parameters_or_files_change() -> None:
    opened = ms.lesson("00", workers=1)
    asked: list[int] = []

    def compute(at: Lesson) -> int:
        asked.append(at.workers)
        return len(asked)

    assert [opened.once(compute), opened.once(compute)] == [1, 1]
    ms.lesson("00", workers=2)
    assert opened.once(compute) == 2
    (opened.folder / "envoy.yaml").write_text("changed")
    assert opened.once(compute) == 3
    ms.lesson("00", workers=1).reset()
    assert opened.once(compute) == 4


def test_parameters_are_checked() -> None:
    with pytest.raises(ConfigError, match=r"workers = 100.*\n?.*1 to 8"):
        ms.lesson("00", workers=100)
    with pytest.raises(ConfigError, match="no parameter 'plugin'"):
        ms.lesson("00", plugin=1)
    with pytest.raises(AttributeError):
        _ = ms.lesson("00").plugins
