r"""RE2, Envoy's language of regular expressions: what it refuses, and the same expression for Python.

RE2 has no look-around, no back-references, no possessive or atomic groups; Python has. Python has no ``\z``, no
``[[:alpha:]]``, no ``\Q...\E``; RE2 has. Refusals are in RE2's words, as seen in Envoy 1.40.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<quoted>\\Q(?:.*?)(?:\\E|\Z))
  | (?P<escape>\\(?:[pP]\{\^?\w+\}|[pP]\w|x\{[0-9a-fA-F]+\}|x[0-9a-fA-F]{2}|[0-7]{2,3}|.))
  | (?P<class>\[\^?\]?(?:\[:\^?\w*:\]|\\.|[^\]\\])*\])
  | (?P<group>\(\?(?:P?<[^>=!)]*>|<?[=!]|>|P?<\w*|[imsU-]*[:)]|.)?)
  | (?P<repeat>(?:[*+?]|\{\d+(?:,\d*)?\})\??)
  | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = frozenset("AaBbCDdfnrSstvWwz0123456789xpPQE")
_BAD_GROUP = re.compile(r"\(\?(<?[=!]|>)")
_NAMED_GROUP = re.compile(r"\(\?P?<\w+>")
_RANGE = re.compile(r"(\\.|[^\\])-(\\.|[^\\\]])", re.DOTALL)
_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t\n\v\f\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w*):\]")
_MAX_REPEAT = 1000


def regex_error(pattern: str) -> str | None:
    r"""Return RE2's words when it refuses a pattern, else None.

    Examples
    --------
    >>> regex_error("["), regex_error("(?=a)"), regex_error(r"(a)\1"), regex_error("^/v[0-9]+/.*$")
    ('missing ]: [', 'invalid perl operator: (?=', 'invalid escape sequence: \\1', None)
    """
    return next(_errors(pattern), None)


def to_python(pattern: str) -> str:
    r"""Return a pattern that Python understands as RE2 understands the given one.

    Examples
    --------
    >>> to_python(r"[[:digit:]]+\z")
    '[0-9]+\\Z'
    """
    return "".join(_translate(match) for match in _TOKEN.finditer(pattern))


def _translate(match: re.Match[str]) -> str:
    kind, text = str(match.lastgroup), match.group()
    if kind == "quoted":
        return re.escape(text[2:].removesuffix("\\E"))
    if kind == "escape":
        return {r"\z": r"\Z", r"\C": "(?s:.)"}.get(text, text)
    if kind == "class":
        return _POSIX_CLASS.sub(lambda posix: _POSIX.get(posix[2], ""), text)
    if kind == "group" and text.startswith("(?<"):
        return text.replace("(?<", "(?P<", 1)
    return text


def _errors(pattern: str) -> Iterator[str]:
    depth = 0
    before = ""
    for match in _TOKEN.finditer(pattern):
        kind, text = str(match.lastgroup), match.group()
        yield from _token_errors(kind, text, pattern, match.start())
        if kind == "repeat":
            yield from _repeat_errors(text, before)
        if text == ")" or (kind == "group" and text.endswith(")")):
            depth -= text == ")"
            if depth < 0:
                yield f"unexpected ): {pattern}"
        elif text == "(" or kind == "group":
            depth += 1
        before = text if kind == "repeat" else "(" if text in ("(", "|") or kind == "group" else "x"
    if depth > 0:
        yield f"missing ): {pattern}"


def _token_errors(kind: str, text: str, pattern: str, start: int) -> Iterator[str]:
    if kind == "group":
        if bad := _BAD_GROUP.match(text):
            yield f"invalid perl operator: {bad.group()}"
        elif text.startswith(("(?P<", "(?<")) and not _NAMED_GROUP.fullmatch(text):
            yield f"invalid named capture group: {pattern[start:]}"
    elif kind == "escape" and text[1].isalnum() and (text[1] not in _ESCAPES or text[1:] in "123456789"):
        yield f"invalid escape sequence: {text}"
    elif kind == "class":
        yield from _class_errors(text)
    elif kind == "other" and text == "\\":
        yield "trailing \\"
    elif kind == "other" and text == "[":
        yield f"missing ]: {pattern[start:]}"


def _class_errors(text: str) -> Iterator[str]:
    for posix in _POSIX_CLASS.finditer(text):
        if posix[2] not in _POSIX:
            yield f"invalid character class range: {posix.group()}"
    inner = _POSIX_CLASS.sub("", text[1:-1].removeprefix("^"))
    for span in _RANGE.finditer(inner):
        low, high = span.groups()
        if len(low) == len(high) == 1 and low > high:
            yield f"invalid character class range: {low}-{high}"


def _repeat_errors(text: str, before: str) -> Iterator[str]:
    if before in ("", "("):
        yield f"no argument for repetition operator: {text[0] if text[0] != '{' else text}"
    elif before != "x":
        yield f"bad repetition operator: {before}{text}"
    counts = [int(number) for number in re.findall(r"\d+", text)]
    if any(count > _MAX_REPEAT for count in counts) or counts != sorted(counts):
        yield f"invalid repetition size: {text}"
