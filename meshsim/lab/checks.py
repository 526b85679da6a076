"""Exercises that check themselves: a cell says what it sees, and the notebook runs on either way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def check(question: str, answer: Answer | None, right: Answer | Callable[[Answer], bool], hint: str = "") -> bool:
    """Say whether an answer is right; ``hint`` is for those whose answer is not.

    Parameters
    ----------
    answer : object or None
        None is no answer yet.
    right : object or callable
        The right answer, or what tells whether an answer is right.

    Examples
    --------
    >>> check("2 + 2", None, 4)
    todo 2 + 2: not answered yet
    False
    >>> check("2 + 2", 5, 4, "count on your fingers")
    no   2 + 2: not 5 (hint: count on your fingers)
    False
    >>> check("2 + 2", 4, 4)
    yes  2 + 2
    True
    """
    if answer is None:
        print(f"todo {question}: not answered yet")
        return False
    if right(answer) if callable(right) else answer == right:
        print(f"yes  {question}")
        return True
    print(f"no   {question}: not {answer!r}" + (f" (hint: {hint})" if hint else ""))
    return False
