"""Every lesson's plan: its truths are right answers, its wrong answers are wrong, in every set of parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from meshsim.lab.lessons.answers import matches
from meshsim.lab.lessons.checking import judge
from meshsim.lab.lessons.lesson import Lesson, lesson, numbers, plan_of
from meshsim.lab.lessons.plan import Exercise
from meshsim.lab.lessons.verdict import State

SETS = [(number, parameters) for number in numbers() for parameters in ({}, *plan_of(number).variants)]


@pytest.fixture(params=SETS, ids=lambda case: " ".join([case[0], *(f"{k}={v}" for k, v in case[1].items())]))
def opened(request: pytest.FixtureRequest) -> Lesson:
    number: str
    parameters: Mapping[str, Any]
    number, parameters = request.param
    return lesson(number, **parameters)


def asked(at: Lesson) -> list[Exercise]:
    return [exercise for exercise in at.plan.exercises if exercise.truth]


def test_the_truth_is_right(opened: Lesson) -> None:
    for exercise in asked(opened):
        assert exercise.truth is not None
        assert judge(opened, exercise, opened.once(exercise.truth)), exercise.number


def test_a_wrong_answer_is_wrong_and_says_why(opened: Lesson) -> None:
    explained = 0
    for exercise in asked(opened):
        assert exercise.truth is not None
        truth, reasons = opened.once(exercise.truth), [wrong.why for wrong in exercise.wrong]
        for wrong in exercise.wrong:
            value, also = opened.once(wrong.value), exercise.spellings(opened)
            if not matches(value, truth, unit=exercise.unit, tolerance=exercise.tolerance, also=also):
                verdict = judge(opened, exercise, value)
                assert verdict.state is State.WRONG
                assert not re.search(r"\{\w+\}", verdict.words), "a parameter that the lesson has not"
                explained += 1
        assert len(set(reasons)) == len(reasons)
    assert explained


def test_nothing_is_passed_by_an_answer_that_is_none_of_its_kind(opened: Lesson) -> None:
    for exercise in opened.plan.exercises:
        for answer in (..., None, "", "?", -1, [], object()):
            assert not judge(opened, exercise, answer), (exercise.number, answer)


def test_texts_name_only_parameters_that_there_are(opened: Lesson) -> None:
    for exercise in opened.plan.exercises:
        assert exercise.hint
        assert exercise.solution
        assert exercise.number.startswith(f"{opened.number}.")
