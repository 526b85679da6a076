"""What a lesson is made of: its parameters, its exercises, what is wrong with the usual wrong answers.

A plan is data. Truths are functions of the opened lesson, so that they are computed with the learner's own parameters
and files; no answer is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from meshsim.errors import ConfigError

if TYPE_CHECKING:
    from meshsim.lab.lessons.lesson import Lesson

Value = bool | int | float | str | tuple[Any, ...] | frozenset[Any]
"""What can be asked for; :mod:`~meshsim.lab.lessons.answers` says how each is answered."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that learners may change.

    Parameters
    ----------
    allowed : range or sequence
        The values that the lesson can do with.

    Examples
    --------
    >>> Parameter("workers", 2, range(1, 9), "worker threads").checked(4)
    4
    >>> Parameter("policy", "closed", ("closed", "open"), "what a crash does").choices
    "'closed' or 'open'"
    """

    name: str
    default: Any
    allowed: range | Sequence[Any]
    meaning: str

    @property
    def choices(self) -> str:
        """The values that are allowed, in words."""
        if isinstance(self.allowed, range):
            return f"{self.allowed[0]} to {self.allowed[-1]}"
        return " or ".join(map(repr, self.allowed))

    def checked(self, value: Any) -> Any:
        """Return a value that is allowed.

        Raises
        ------
        ConfigError
            It is not.
        """
        if value not in self.allowed:
            raise ConfigError(f"{self.name} = {value!r} is not for this lesson", remedy=f"take {self.choices}")
        return value


@dataclass(frozen=True, slots=True)
class Wrong:
    """A wrong answer that people give, and why it is wrong.

    ``why`` may name parameters in braces: ``{workers}``.
    """

    value: Callable[[Lesson], Value]
    why: str


@dataclass(frozen=True, slots=True)
class Exercise:
    """A question that checks itself: with ``truth``, or with ``test`` where the answer is a piece of work.

    Parameters
    ----------
    number : str
        As in ``ms.check("04.2", answer)``.
    truth : callable, optional
        Opened lesson -> the right answer.
    test : callable, optional
        Opened lesson, the learner's piece of work -> None when it is right, else what is wrong with it.
    wrong : tuple of Wrong
        In the order in which they are looked for.
    unit : str
        ``bytes``, ``ns`` or ``count`` where an answer may come with a unit (``"1.2 MB"``, ``"16 k"``); else words
        behind a number are not looked at.
    tolerance : float
        Relative; how far a number may be off.
    also : tuple of str, or callable
        Further right spellings of a text; a callable gives them for the opened lesson.
    hint, solution : str
        For the second failure and the third; they may name parameters in braces.
    """

    number: str
    question: str
    hint: str
    solution: str
    truth: Callable[[Lesson], Value] | None = None
    test: Callable[[Lesson, Any], str | None] | None = None
    wrong: tuple[Wrong, ...] = ()
    unit: str = ""
    tolerance: float = 0.0
    also: tuple[str, ...] | Callable[[Lesson], tuple[str, ...]] = ()

    def spellings(self, at: Lesson) -> tuple[str, ...]:
        """Return the further right spellings, in a lesson."""
        return self.also(at) if callable(self.also) else self.also

    def __post_init__(self) -> None:
        if (self.truth is None) == (self.test is None):
            raise ValueError(f"exercise {self.number}: a truth or a test, one of them")


@dataclass(frozen=True, slots=True)
class Plan:
    """A lesson, as data.

    Parameters
    ----------
    variants : tuple of mappings
        Two further sets of parameters that the tests run the lesson with.
    """

    number: str
    title: str
    minutes: int
    exercises: tuple[Exercise, ...]
    parameters: tuple[Parameter, ...] = ()
    variants: tuple[Mapping[str, Any], ...] = ()

    def exercise(self, number: str) -> Exercise:
        """Return an exercise by its number.

        Raises
        ------
        ConfigError
            There is none.
        """
        for exercise in self.exercises:
            if exercise.number == number:
                return exercise
        there = ", ".join(exercise.number for exercise in self.exercises)
        raise ConfigError(f"no exercise {number!r} in lesson {self.number}", remedy=f"there are: {there}")
