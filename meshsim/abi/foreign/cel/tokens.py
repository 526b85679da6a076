"""Tokens of the Common Expression Language (its specification, "Syntax"), and what literals mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ESCAPE = r"""\\(?:[abfnrtv"'\\?`]|[xX][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-3][0-7]{2})"""
_QUOTED = "|".join(
    (
        r'[rR]"""(?s:.*?)"""',
        r"[rR]'''(?s:.*?)'''",
        r'[rR]"[^"\n\r]*"',
        r"[rR]'[^'\n\r]*'",
        rf'"""(?:{_ESCAPE}|[^\\])*?"""',
        rf"'''(?:{_ESCAPE}|[^\\])*?'''",
        rf'"(?:{_ESCAPE}|[^\\"\n\r])*"',
        rf"'(?:{_ESCAPE}|[^\\'\n\r])*'",
    )
)
#: In the order of preference among tokens that start alike: the longest, as a generated lexer takes.
_TOKENS = (
    ("skip", r"[ \t\r\n\f]+|//[^\n]*"),
    ("float", r"\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?"),
    ("uint", r"(?:0x[0-9a-fA-F]+|\d+)[uU]"),
    ("int", r"0x[0-9a-fA-F]+|\d+"),
    ("bytes", rf"[bB](?:{_QUOTED})"),
    ("string", _QUOTED),
    ("word", r"[A-Za-z_][A-Za-z0-9_]*"),
    ("escaped", r"`[A-Za-z0-9_.\-/ ]+`"),
    ("op", r"==|!=|<=|>=|&&|\|\||[\[\]{}().,\-!?:+*/%<>]"),
)
_TOKEN = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _TOKENS), re.ASCII)
_ESCAPES = re.compile(r"\\(?:([xX][0-9a-fA-F]{2})|(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|([0-3][0-7]{2})|(.))", re.DOTALL)
_SIMPLE = dict(zip("abfnrtv", "\a\b\f\n\r\t\v", strict=True))
_MAX_CODE = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


class Unreadable(ValueError):
    """The text has a token that is none."""


class BadLiteral(ValueError):
    """A literal that is well-formed and means nothing; ``str()`` gives Envoy's words."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token: ``kind`` is a key of the table above or ``end``, ``at`` its offset in characters."""

    kind: str
    text: str
    at: int


def tokens(source: str) -> list[Token]:
    """Cut a text into tokens, closed by one of kind ``end``.

    Examples
    --------
    >>> [token.text for token in tokens("a.b >= 0x1Fu")]
    ['a', '.', 'b', '>=', '0x1Fu', '']
    """
    found: list[Token] = []
    at = 0
    while at < len(source):
        match = _TOKEN.match(source, at)
        if match is None or match.lastgroup is None:
            raise Unreadable(f"no token at {at}")
        if match.lastgroup != "skip":
            found.append(Token(match.lastgroup, match.group(), at))
        at = match.end()
    found.append(Token("end", "", len(source)))
    return found


def _inside(text: str) -> tuple[str, bool]:
    """Take the quotes off a literal; say whether it is raw."""
    raw = text[0] in "rR"
    text = text[1:] if raw else text
    width = 3 if text[:3] in ('"""', "'''") and len(text) >= 6 else 1
    return text[width:-width], raw


def string_of(text: str) -> str:
    r"""Return what a string literal means.

    Examples
    --------
    >>> string_of(r'"\x41\102\n"'), string_of(r"r'\n'")
    ('AB\n', '\\n')
    """
    inside, raw = _inside(text)
    if raw:
        _check_end(text, inside, "string")
    return inside if raw else _ESCAPES.sub(_character, inside)


def _check_end(text: str, inside: str, what: str) -> None:
    """A last backslash that is alone takes the quotes to itself, in raw literals too."""
    if (len(inside) - len(inside.rstrip("\\"))) % 2:
        quotes = text[-1] * (3 if text.endswith(text[-1] * 3) else 1)
        raise BadLiteral(f"Invalid {what} literal: String must end with {quotes}")


def _character(match: re.Match[str]) -> str:
    hexadecimal, unicode, octal, simple = match.groups()
    if simple is not None:
        return _SIMPLE.get(simple, simple)
    code = int(octal, 8) if octal else int((hexadecimal or unicode)[1:], 16)
    if code > _MAX_CODE:
        raise _illegal(f"Value of {match.group()} exceeds Unicode limit (0x0010FFFF)")
    if code in _SURROGATES:
        raise _illegal(f"Unicode value {match.group()} is invalid")
    return chr(code)


def _illegal(why: str) -> BadLiteral:
    return BadLiteral(f"Invalid string literal: Illegal escape sequence: {why}")


def bytes_of(text: str) -> bytes:
    r"""Return what a bytes literal means.

    Examples
    --------
    >>> bytes_of(r'b"\xffé"')
    b'\xff\xc3\xa9'
    """
    inside, raw = _inside(text[1:])
    if raw:
        _check_end(text, inside, "bytes")
        return inside.encode("utf-8", "surrogateescape")
    out, at = bytearray(), 0
    for match in _ESCAPES.finditer(inside):
        out += inside[at : match.start()].encode("utf-8", "surrogateescape") + _byte(match)
        at = match.end()
    return bytes(out) + inside[at:].encode("utf-8", "surrogateescape")


def _byte(match: re.Match[str]) -> bytes:
    hexadecimal, unicode, octal, simple = match.groups()
    if unicode:
        raise BadLiteral(
            f"Invalid bytes literal: Illegal escape sequence: Unicode escape sequence \\{unicode[0]} "
            "cannot be used in bytes literals",
        )
    if simple is not None:
        return _SIMPLE.get(simple, simple).encode("utf-8", "surrogateescape")
    return bytes([int(octal, 8) if octal else int(hexadecimal[1:], 16)])


def integer_of(text: str, *, negative: bool = False) -> int:
    """Return what an int or uint literal means; raises BadLiteral when it is out of its range.

    Examples
    --------
    >>> integer_of("0x10u"), integer_of("9223372036854775808", negative=True)
    (16, -9223372036854775808)
    """
    unsigned = text[-1] in "uU"
    digits = text[:-1] if unsigned else text
    hexadecimal = digits.startswith("0x")
    # A literal of a million digits is too large long before it is read.
    value = int(digits, 16) if hexadecimal else int(digits.lstrip("0")[:25] or "0")
    if value > ((1 << 64) - 1 if unsigned else (1 << 63) - (not negative)):
        raise BadLiteral(f"invalid {'hex ' if hexadecimal else ''}{'uint' if unsigned else 'int'} literal")
    return -value if negative else value
