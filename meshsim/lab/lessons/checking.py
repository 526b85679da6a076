"""``ms.check("04.2", answer)``: an answer is held against a truth that is computed here and now."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from meshsim.errors import MeshsimError
from meshsim.lab.lessons.answers import UNITS, Unreadable, is_missing, matches, parts_of
from meshsim.lab.lessons.lesson import Lesson, lesson
from meshsim.lab.lessons.plan import Exercise
from meshsim.lab.lessons.verdict import State, Verdict
from meshsim.lab.wat import WatModule

#: With this failure comes the hint, with that one the solution too.
HINT_AT, SOLUTION_AT = 2, 3

#: Unit of an exercise -> how an answer in it may be written.
_UNIT_EXAMPLES: Mapping[str, str] = {"ns": "12 ms", "bytes": "4.2 MB"}


def check(number: str, answer: Any = None) -> Verdict:
    """Check the answer to an exercise, and show what is to say about it.

    Parameters
    ----------
    number : str
        Of the exercise: lesson, dot, place in the lesson.
    answer : object
        A number, a text, a list, with a unit or without, in whatever spelling; or a piece of work, such as a module.
        None or ``...`` is no answer yet.

    Returns
    -------
    Verdict
        True when the answer is right.

    Raises
    ------
    ConfigError
        There is no such exercise.
    """
    opened = lesson(number.partition(".")[0])
    verdict = judge(opened, opened.plan.exercise(number), answer)
    verdict.show()
    return verdict


def judge(at: Lesson, exercise: Exercise, answer: Any) -> Verdict:
    """Return what there is to say about an answer, and note it in the lesson; nothing is shown."""
    failures = at.failures.get(exercise.number, 0)
    if is_missing(answer):
        return Verdict(exercise.number, State.OPEN, f"not answered yet. {filled(exercise.question, at)}", failures)
    try:
        why_not = _work(at, exercise, answer) if exercise.test else _answer(at, exercise, answer)
    except Unreadable as unreadable:
        return Verdict(exercise.number, State.OPEN, f"{unreadable}.", failures)
    except MeshsimError as error:
        remedy = f"ms.lesson({at.number!r}).reset() brings the files back as they came."
        return Verdict(exercise.number, State.BROKEN, f"this cannot be checked: {error}. {remedy}", failures)
    if why_not is None:
        at.pass_(exercise.number)
        return Verdict(exercise.number, State.RIGHT, _praise(answer), failures)
    again = isinstance(answer, WatModule) and at.tried.get(exercise.number) == answer
    failures += not again  # "run all cells" is no attempt: nobody gets a solution for a module that was not touched
    at.failures[exercise.number], at.tried[exercise.number] = failures, answer
    return Verdict(
        exercise.number,
        State.WRONG,
        filled(why_not, at),
        failures,
        hint=filled(exercise.hint, at) if failures >= HINT_AT else "",
        solution=filled(exercise.solution, at) if failures >= SOLUTION_AT else "",
    )


def _answer(at: Lesson, exercise: Exercise, answer: Any) -> str | None:
    """Why an answer is wrong; None when it is right."""
    assert exercise.truth is not None
    options: Mapping[str, Any] = {"unit": exercise.unit, "tolerance": exercise.tolerance}
    truth = at.once(exercise.truth)
    if matches(answer, truth, also=exercise.spellings(at), **options):
        return None
    for wrong in exercise.wrong:
        if matches(answer, at.once(wrong.value), **options):
            return f"{_said(answer)}: {wrong.why}"
    if isinstance(truth, frozenset):
        parts = parts_of(answer, truth)
        found = sum(any(matches(part, right, **options) for part in parts) for right in truth)
        return f"{_said(answer)}: {found} of {len(truth)} are found, and {len(parts) - found} are none of them."
    if example := _UNIT_EXAMPLES.get(exercise.unit):
        meant = [f"{answer} {unit}" for unit in UNITS[exercise.unit]]  # a unit that is there already stays
        if any(matches(said, truth, **options) for said in meant):
            return f'{_said(answer)} of what? Give a unit, as in "{example}".'
        for wrong in exercise.wrong:
            if any(matches(said, at.once(wrong.value), **options) for said in meant):
                return f"{_said(answer)}: {wrong.why}"
    return f"{_said(answer)} is not it."


def _work(at: Lesson, exercise: Exercise, answer: Any) -> str | None:
    """What is wrong with a piece of work; what fails in it is its own fault."""
    assert exercise.test is not None
    try:
        return exercise.test(at, answer)
    except MeshsimError as error:
        return f"it does not run: {error}"
    except (AttributeError, TypeError) as error:
        return f"this is not what is asked for: {error}"


def filled(text: str, at: Lesson) -> str:
    """Return a text with the lesson's parameters where it names them in braces; other braces stay."""
    return re.sub(r"\{(\w+)\}", lambda found: str(at.parameters.get(found[1], found[0])), text)


def _said(answer: Any) -> str:
    several = isinstance(answer, list | tuple | set | frozenset | dict)
    text = ", ".join(map(str, answer)) if several else str(answer)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _praise(answer: Any) -> str:
    return f"right: {_said(answer)}" if isinstance(answer, bool | int | float | str | tuple | list | set) else "right."
