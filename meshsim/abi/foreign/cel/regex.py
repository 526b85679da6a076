r"""Regular expressions of ``matches``: RE2's, run by the package ``common-expression-language`` (the extra ``cel``).

Its engine takes time in proportion to the text, as RE2 does, so a guest cannot hang the host. Where the two differ the
pattern is rewritten: classes such as ``\w`` mean ASCII in RE2, a brace that starts no repetition is itself, and what
is an operator in a class only to the engine is quoted. Error texts are RE2's; one that has no translation ends the run
rather than be guessed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise

from meshsim.abi.foreign.cel.values import CelError
from meshsim.abi.foreign.extras import package
from meshsim.errors import NotModelled

_REPEAT = r"(?:[*+?]|\{\d+(?:,\d*)?\})\??"
_TOKEN = re.compile(
    rf"(?P<escape>\\.)|(?P<flags>\(\?[A-Za-z-]*)|(?P<class>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\])|(?P<repeat>{_REPEAT})|(?P<other>.)",
    re.DOTALL | re.ASCII,
)
_IN_CLASS = re.compile(r"\\.|\[:\^?\w+:\]|.", re.DOTALL | re.ASCII)
_COUNTS = re.compile(r"\{(\d+)(?:,(\d*))?\}", re.ASCII)
_MAX_REPEAT = 1000
#: A count of more digits is no count.
_MAX_DIGITS = 8
_FLAGS = frozenset("imsUP-")
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_COMPLEMENTS = {name.upper(): ranges for name, ranges in _CLASSES.items()}
#: What may follow a backslash in RE2, besides punctuation.
_ESCAPES = frozenset("abfnrtvAzBbdDsSwWpPxQE01234567")
#: The engine's reasons for which RE2 has fixed words and quotes the whole pattern.
_WORDS = {
    "unclosed group": "missing ): ",
    "unopened group": "unexpected ): ",
}


def matches(text: str, pattern: str) -> bool:
    """Whether a regular expression matches somewhere in a text; raises CelError when it is none."""
    cel = package("cel", "the function matches of an expression")
    names = {"text": text, "pattern": _rewritten(pattern)}
    try:
        return bool(cel.evaluate("text.matches(pattern)", names))
    except UnicodeEncodeError:
        raise NotModelled("a regular expression on text that is not UTF-8") from None
    except RuntimeError as error:
        raise _invalid(_why(pattern, str(error))) from None


def _invalid(reason: str) -> CelError:
    return CelError(f"invalid regular expression: {reason}")


def _rewritten(pattern: str) -> str:
    """Rewrite a pattern for the engine; raise what RE2 refuses and the engine would take."""
    found = [(match.lastgroup or "", match.group()) for match in _TOKEN.finditer(pattern)]
    for (before, first), (kind, second) in pairwise(found):
        if before == kind == "repeat":
            raise _invalid(f"bad repetition operator: {first}{second}")
    return "".join(_REWRITE[kind](text) for kind, text in found)


def _escape(text: str) -> str:
    name = text[1]
    if name in _CLASSES:
        return f"[{_CLASSES[name]}]"
    if name in _COMPLEMENTS:
        return f"[^{_COMPLEMENTS[name]}]"
    if name == "C":
        raise NotModelled(r"\C in a regular expression")
    if name.isalnum() and name.isascii() and name not in _ESCAPES - set("123456789"):
        raise _invalid(f"invalid escape sequence: {text}")
    return f"(?-u:{text})" if name in "bB" else text


def _class(text: str) -> str:
    opening = re.match(r"\[\^?\]?", text)
    assert opening
    head = opening.group().replace("]", r"\]")
    return head + "".join(map(_class_item, _IN_CLASS.findall(text[opening.end() : -1]))) + "]"


def _class_item(text: str) -> str:
    if text[0] == "\\":
        name = text[1]
        return _CLASSES.get(name) or (f"[^{_COMPLEMENTS[name]}]" if name in _COMPLEMENTS else text)
    return f"\\{text}" if text in ("[", "&", "~") else text


def _repeat(text: str) -> str:
    counts = _COUNTS.match(text)
    if counts and max(map(len, counts.groups(""))) > _MAX_DIGITS:
        return re.sub(r"([{}])", r"\\\1", text)
    if counts:
        low, high = int(counts[1]), int(counts[2] or "0")
        if max(low, high) > _MAX_REPEAT or (counts[2] and low > high):
            raise _invalid(f"invalid repetition size: {counts.group()}")
    return text


def _flags(text: str) -> str:
    for at, flag in enumerate(text[2:], start=3):
        if flag not in _FLAGS:
            raise _invalid(f"invalid perl operator: {text[:at]}")
    return text


_REWRITE: dict[str, Callable[[str], str]] = {
    "flags": _flags,
    "escape": _escape,
    "class": _class,
    "repeat": _repeat,
    "other": lambda text: f"\\{text}" if text in "{}" else text,
}


def _why(pattern: str, error: str) -> str:
    """Translate the engine's reason."""
    reason = error.rpartition("error: ")[2].partition(". Check")[0]
    if reason in _WORDS:
        return _WORDS[reason] + pattern
    if reason == "unclosed character class":
        return "missing ]: " + pattern[pattern.find("[") :]
    if reason.startswith("incomplete escape sequence"):
        return "trailing \\"
    if reason.startswith("look-around"):
        return "invalid perl operator: " + pattern[pattern.find("(?") :][:3]
    if reason.startswith("repetition operator missing"):
        return "no argument for repetition operator: " + next(sign for sign in pattern if sign in "*+?{")
    if reason.startswith("invalid character class range"):
        for low, high in re.findall(r"([^\\])-([^\\])", pattern, re.DOTALL):
            if low > high:
                return f"invalid character class range: {low}-{high}"
    raise NotModelled(f"the regular expression {pattern!r} ({reason})")
