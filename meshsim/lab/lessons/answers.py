"""Reading what a learner typed as an answer: a number, a word, a list; with a unit, in any spelling.

What is asked for follows from the type of the truth: bool yes or no, int and float a number, str a text, tuple a
sequence in its order, frozenset a collection in any order.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

from meshsim.lab.lessons.plan import Value
from meshsim.lab.wat import WatModule

UNITS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "bytes": {
        "b": (1,), "byte": (1,), "bytes": (1,), "page": (65536,), "pages": (65536,),
        "kib": (1 << 10,), "mib": (1 << 20,), "gib": (1 << 30,),
        # Half of the world writes MB for what the other half calls MiB: either is right.
        "k": (1000, 1 << 10), "kb": (1000, 1 << 10), "m": (10**6, 1 << 20), "mb": (10**6, 1 << 20),
        "gb": (10**9, 1 << 30),
    },
    "count": {"k": (1000,), "thousand": (1000,), "m": (10**6,), "million": (10**6,)},
    "ns": {
        "ns": (1,), "nanoseconds": (1,), "us": (1000,), "\N{GREEK SMALL LETTER MU}s": (1000,),
        "microseconds": (1000,), "ms": (10**6,), "milliseconds": (10**6,), "s": (10**9,), "sec": (10**9,),
        "second": (10**9,), "seconds": (10**9,),
    },
}  # fmt: skip
"""Unit of an exercise -> unit that somebody may write -> what it may mean, in the exercise's unit."""

_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip
_YES = frozenset({"yes", "y", "true", "right", "correct", "1", "是", "对"})
_NO = frozenset({"no", "n", "false", "wrong", "0", "否", "不", "不是"})
_NUMBER = re.compile(r"([-+]?(?:0x[0-9a-f]+|(?:\d{1,3}(?:[ ,_']\d{3})+|\d+)(?:\.\d*)?(?:e[-+]?\d+)?))\s*([^\W\d_]*|%)")
_BETWEEN = re.compile(r"[,;<\n\N{IDEOGRAPHIC COMMA}]|\band\b|->|\N{RIGHTWARDS ARROW}")


class Unreadable(Exception):
    """What was typed is no answer of the kind that is asked for; the text says what is."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number as it was typed: what it may mean, and how far from it the real one may lie to round to it."""

    meanings: tuple[Decimal, ...]
    half_steps: tuple[Decimal, ...]

    def is_about(self, truth: float, tolerance: float) -> bool:
        """Tell whether ``truth`` is this number, or rounds to it, or is within the relative tolerance."""
        exact = Decimal(str(truth))
        room = abs(exact) * Decimal(repr(tolerance))
        return any(
            abs(meaning - exact) <= max(room, half)
            for meaning, half in zip(self.meanings, self.half_steps, strict=True)
        )


def is_missing(answer: Any) -> bool:
    """Tell whether nothing was answered yet.

    Examples
    --------
    >>> is_missing(...), is_missing(None), is_missing("  "), is_missing(0)
    (True, True, True, False)
    """
    return answer is None or answer is ... or (isinstance(answer, str) and not answer.strip())


def matches(answer: Any, truth: Value, *, unit: str = "", tolerance: float = 0.0, also: Iterable[str] = ()) -> bool:
    """Tell whether an answer says what the truth is.

    Raises
    ------
    Unreadable
        The answer is not of the kind that is asked for.

    Examples
    --------
    >>> matches("9 VMs", 9), matches("nine", 9), matches(8, 9)
    (True, True, False)
    >>> matches("1.2 MB", 1_234_567, unit="bytes"), matches("64 KiB", 65536, unit="bytes")
    (True, True)
    >>> matches("On_VM_Start", "on_vm_start"), matches("b, a", frozenset({"a", "b"}))
    (True, True)
    """
    if isinstance(truth, bool):
        return yes_or_no(answer) is truth
    if isinstance(truth, int | float):
        return quantity(answer, unit).is_about(truth, tolerance or (1e-6 if isinstance(truth, float) else 0.0))
    if isinstance(truth, str):
        text = _text(answer)
        said = {plain(text), plain(text.rpartition(".")[2]) or plain(text)}  # "env.proxy_log" names proxy_log
        return bool(said & {plain(right) for right in (truth, *also)})
    parts = parts_of(answer, truth)
    if len(parts) != len(truth):
        return False

    def same(part: Any, right: Value) -> bool:
        return matches(part, right, unit=unit, tolerance=tolerance, also=also)

    if isinstance(truth, tuple):
        return all(same(part, right) for part, right in zip(parts, truth, strict=True))
    return all(any(same(part, right) for part in parts) for right in truth)


def yes_or_no(answer: Any) -> bool:
    """Return what was said, yes or no."""
    word = plain(str(answer))
    if word in _YES or word in _NO:
        return word in _YES
    raise Unreadable(f"yes or no is asked for, not {answer!r}")


def quantity(answer: Any, unit: str = "") -> Quantity:
    """Return a number with what its unit may mean; ``unit`` is the one of the exercise.

    Examples
    --------
    >>> quantity("1.2 MB", "bytes").meanings
    (Decimal('1200000.0'), Decimal('1258291.2'))
    """
    if isinstance(answer, str):
        return _written(answer, unit)
    if hasattr(answer, "__index__"):
        return Quantity((Decimal(answer.__index__()),), (Decimal(0),))
    if isinstance(answer, Real):
        return Quantity((Decimal(repr(float(answer))),), (Decimal(0),))
    raise Unreadable(f"a number is asked for, not {_kind_of(answer)}")


def _written(answer: str, unit: str) -> Quantity:
    text = unicodedata.normalize("NFKC", answer).casefold().rpartition("=")[2].strip()
    first, _, rest = text.partition(" ")
    if first in _WORDS:
        text = f"{_WORDS.index(first)} {rest}"
    found = _NUMBER.search(text)
    if found is None:
        raise Unreadable(f"a number is asked for, not {answer!r}")
    digits, word = re.sub("[ ,_']", "", found[1]), found[2]
    if "0x" in digits:
        return Quantity((Decimal(int(digits, 16)),), (Decimal(0),))
    scales = UNITS.get(unit, {}).get(word, (1,))
    number = Decimal(digits)
    exponent = number.as_tuple().exponent
    # Typed in the exercise's own unit, without a fraction: meant exactly. Else the last digit was rounded to.
    exact = scales == (1,) and "." not in digits and "e" not in digits
    half = Decimal(0) if exact or not isinstance(exponent, int) else Decimal(5).scaleb(exponent - 1)
    return Quantity(tuple(number * scale for scale in scales), tuple(half * scale for scale in scales))


def items(answer: Any) -> list[Any]:
    """Return the parts of a collection, also of one that was typed as a text.

    Examples
    --------
    >>> items("a, b and c"), items({"x": 1}), items((1, 2)), items("a b")
    (['a', 'b', 'c'], ['x'], [1, 2], ['a', 'b'])
    """
    if isinstance(answer, str):
        text = unicodedata.normalize("NFKC", answer).strip().strip("[](){}")
        parts = [part.strip() for part in _BETWEEN.split(text) if part.strip()]
        return text.split() if len(parts) == 1 else parts
    if isinstance(answer, Iterable):
        return list(answer)
    if isinstance(answer, Real):
        return [answer]
    raise Unreadable(f"a list is asked for, not {_kind_of(answer)}")


def parts_of(answer: Any, truth: Iterable[Value]) -> list[Any]:
    """Return the parts of a collection; where letters are asked for, they may be written as one word.

    Examples
    --------
    >>> parts_of("cd", frozenset("ac")), parts_of("cd", frozenset({"proxy_log"}))
    (['c', 'd'], ['cd'])
    """
    parts = items(answer)
    letters = all(isinstance(right, str) and len(right) == 1 for right in truth)
    return list(parts[0]) if letters and len(parts) == 1 and isinstance(parts[0], str) else parts


def plain(text: str) -> str:
    """Return a text without what does not matter: case, blanks, quotes, punctuation, width of letters.

    The ``proxy_`` that all names of the ABI begin with may be there or not: pictures leave it out.

    Examples
    --------
    >>> plain(" `Proxy_On_Log()` ") == plain("proxy-on-log") == plain("on_log")
    True
    """
    bare = re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).casefold())
    return bare.removeprefix("env").removeprefix("proxy") if "proxy" in bare else bare


def _text(answer: Any) -> str:
    if isinstance(answer, str | Real):
        return str(answer)
    if isinstance(name := getattr(answer, "name", None), str):  # an import, an export, a section
        return name
    raise Unreadable(f"a word or a text is asked for, not {_kind_of(answer)}")


def as_module(answer: Any) -> WatModule:
    """Return an answer that must be a valid module, as ``%%wat`` makes one.

    Raises
    ------
    ModuleError
        It is not valid; says what is wrong.
    """
    if not isinstance(answer, WatModule):
        raise Unreadable(f"a module is asked for, by its name behind %%wat and without quotes, not {_kind_of(answer)}")
    answer.check()
    return answer


def _kind_of(answer: Any) -> str:
    if callable(answer):
        return "a function (is there a () missing?)"
    return f"a {type(answer).__name__}"
