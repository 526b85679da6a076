"""What the package ``common-expression-language`` (the extra ``cel``) is asked: syntax errors, regular expressions.

The package has its own evaluator; a module would see the difference (see :mod:`meshsim.abi.foreign.cel`). But its
parser is made from the grammar that Envoy's is made from, and so says what Envoy says of a text that is no expression;
and its regular expressions take time in proportion to the text, as RE2 does: a guest cannot hang the host with one.
"""

from __future__ import annotations

import re

from meshsim.abi.foreign.cel.parser import located
from meshsim.abi.foreign.cel.values import CelError
from meshsim.abi.foreign.extras import package
from meshsim.errors import NotModelled

_ERROR = re.compile(r"^ERROR: <input>:(\d+):(\d+): (.*)$", re.MULTILINE)
#: Said by the package's tree builder, not by its grammar; cel-cpp has one line for all of these.
_HALF_BUILT = "Incomplete `"
_NIL = "ERROR: <input>:4294967295:0: <<nil>> parsetree"


def syntax_error(source: str) -> str:
    """Return Envoy's text about a text that is no expression."""
    cel = package("cel", "an expression with a syntax error")
    try:
        cel.compile(source)
    except ValueError as error:
        said = str(error).removeprefix(f"Failed to parse expression '{source}': ")
        found = [(int(line), int(column), text) for line, column, text in _ERROR.findall(said)]
        lines = [
            located(source, _offset(source, line, column), text.replace("'?'", r"'\u003F'"))
            for line, column, text in found
            if not text.startswith(_HALF_BUILT)
        ]
        return "\n".join(lines + [_NIL] * (len(lines) < len(found)))
    raise NotModelled("an expression of which the parsers disagree", where="foreign function expr_create")


def _offset(source: str, line: int, column: int) -> int:
    return sum(len(text) + 1 for text in source.split("\n")[: line - 1]) + column - 1


# -- regular expressions ---

_MAX_REPEAT = 1000
_REPEAT = re.compile(r"\{(\d+)(?:,(\d*))?\}", re.ASCII)
#: In RE2 these mean ASCII, outside and inside a character class.
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_COMPLEMENTS = {name.upper(): ranges for name, ranges in _CLASSES.items()}
#: Errors of the package's engine, with RE2's words; the rest of the pattern from the place on, or all of it, follows.
_WORDS = {
    "unclosed character class": ("missing ]: ", True),
    "unclosed group": ("missing ): ", False),
    "unopened group": ("unexpected ): ", False),
    "incomplete escape sequence, reached end of pattern prematurely": ("trailing \\", None),
}


def matches(text: str, pattern: str) -> bool:
    """Whether a regular expression matches somewhere in a text."""
    cel = package("cel", "the function matches of an expression")
    _check_repeats(pattern)
    try:
        return bool(cel.evaluate("text.matches(pattern)", {"text": text, "pattern": _ascii_classes(pattern)}))
    except UnicodeEncodeError:
        raise NotModelled("a regular expression on text that is not UTF-8") from None
    except RuntimeError as error:
        raise CelError(f"invalid regular expression: {_why(pattern, str(error))}") from None


def _check_repeats(pattern: str) -> None:
    for match in _REPEAT.finditer(pattern):
        low, high = int(match[1][:9]), int((match[2] or "0")[:9])
        if max(low, high) > _MAX_REPEAT or (match[2] and low > high):
            raise CelError(f"invalid regular expression: invalid repetition size: {match.group()}")


def _ascii_classes(pattern: str) -> str:
    """Spell out the classes that the package's engine takes as Unicode, and quote what is an operator only to it."""
    out: list[str] = []
    inside = False
    at = 0
    while at < len(pattern):
        two = pattern[at : at + 2]
        if two[0] == "\\" and len(two) == 2:
            out.append(_escape(two[1], inside))
            at += 2
            continue
        if inside:
            inside = two[0] != "]"
            out.append(f"\\{two[0]}" if two[0] in "&~" or (two[0] == "[" and two != "[:") else two[0])
        else:
            inside = two[0] == "["
            opening = re.match(r"\[\^?\]?", pattern[at:]) if inside else None
            out.append(opening.group() if opening else two[0])
            at += len(opening.group()) - 1 if opening else 0
        at += 1
    return "".join(out)


def _escape(name: str, inside: bool) -> str:
    if name in _CLASSES:
        return _CLASSES[name] if inside else f"[{_CLASSES[name]}]"
    if name in _COMPLEMENTS:
        return f"[^{_COMPLEMENTS[name]}]"
    return f"(?-u:\\{name})" if name in "bB" and not inside else f"\\{name}"


def _why(pattern: str, error: str) -> str:
    """Translate the package's reason; one that has no translation ends the run rather than be guessed."""
    reason = error.rpartition("error: ")[2].partition(". Check")[0]
    if reason in _WORDS:
        words, from_place = _WORDS[reason]
        if from_place is None:
            return words
        return words + (pattern[pattern.find("[") :] if from_place else pattern)
    if reason.startswith("look-around"):
        return "invalid perl operator: " + pattern[pattern.find("(?") :][:3]
    if reason.startswith("repetition operator missing"):
        return "no argument for repetition operator: " + next(c for c in pattern if c in "*+?{")
    raise NotModelled(f"the regular expression {pattern!r} ({reason})")
