"""Single values of protobuf's JSON form, as Envoy 1.40 reads them, in its older, lenient mode.

Each function takes the value of a YAML node and returns the protobuf value, or raises :class:`WrongValue` with the
words of Envoy's parser.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

_RANGES: Mapping[str, tuple[int, int]] = {
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (-(1 << 63), (1 << 63) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
}
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_DURATION = re.compile(r"(-?)(\d+)(?:\.(\d*))?s")
_SECOND_NS = 1_000_000_000
_MAX_SECONDS = 315_576_000_000
_SPECIAL_FLOATS: Mapping[str, float] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


class WrongValue(Exception):
    """A value that does not fit its type; the text is Envoy's."""


class UnknownEnumValue(Exception):
    """A name that an enum does not have; Envoy treats it as it treats an unknown field."""


def first_character(value: Any) -> str:
    """Return the character with which the JSON of a value begins.

    Examples
    --------
    >>> [first_character(value) for value in (True, -5, "x", [], {})]
    ['t', '-', '"', '[', '{']
    """
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, int):
        return str(value)[0]
    if value is None:
        return "n"
    return '"' if isinstance(value, str) else "[" if isinstance(value, list) else "{"


def expect(value: Any, kind: type, opening: str) -> None:
    """Raise unless the JSON of a value begins as it must."""
    if not isinstance(value, kind):
        raise WrongValue(f"unexpected character: '{first_character(value)}'; expected '{opening}'")


def to_string(value: Any) -> str:
    """Return text; numbers and booleans are not text."""
    expect(value, str, '"')
    return str(value)


def to_bytes(value: Any) -> bytes:
    """Return what standard or URL-safe base64 stands for; padding may be left out."""
    text = to_string(value).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise WrongValue("corrupt base64") from None


#: How Envoy's parser reads a text where it wants a boolean, in any case (``absl::SimpleAtob``).
_BOOLEANS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}


def to_bool(value: Any) -> bool:
    """Return a boolean, also from texts such as "true" and "no"."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise WrongValue("expected 'true' or 'false'")


def to_int(kind: str, value: Any) -> int:
    """Return a whole number, also from text such as "8080" or "1e3".

    Examples
    --------
    >>> to_int("uint32", "8080.0")
    8080
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise WrongValue("expected number or string")
    low, high = _RANGES[kind]
    if isinstance(value, int):
        if not low <= value <= high:
            raise WrongValue("JSON number out of range for int")
        return value
    if not _NUMBER.fullmatch(value):
        raise WrongValue(f"invalid number: '{value}'")
    number = int(value) if value.lstrip("-").isdigit() else float(value)
    if number != number // 1:
        raise WrongValue("expected integer, but JSON number had fractional part")
    if not low <= number <= high:
        raise WrongValue("integer out of range")
    return int(number)


def to_float(value: Any) -> float:
    """Return a number, also from text."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise WrongValue("expected number or string")
    if isinstance(value, str):
        if value in _SPECIAL_FLOATS:
            return _SPECIAL_FLOATS[value]
        if not _NUMBER.fullmatch(value):
            raise WrongValue(f"invalid number: '{value}'")
    return float(value)


def to_enum(names: Mapping[str, int], value: Any) -> str | int:
    """Return an enum value's name, from its name in any case or its number.

    A number without a name is returned as it is: it is for the constraints to refuse it.

    Examples
    --------
    >>> to_enum({"STATIC": 0, "STRICT_DNS": 1}, "strict_dns"), to_enum({"STATIC": 0}, 7)
    ('STRICT_DNS', 7)
    """
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise WrongValue("expected number or string")
    if isinstance(value, str) and not re.fullmatch(r"-?\d+", value):
        found = value if value in names else next((name for name in names if name.upper() == value.upper()), None)
        if found is None:
            raise UnknownEnumValue(value)
        return found
    number = int(value)
    return next((name for name, of_name in names.items() if of_name == number), number)


def to_duration(value: Any) -> int:
    """Return nanoseconds.

    Examples
    --------
    >>> to_duration("1.5s"), to_duration("-0.25s")
    (1500000000, -250000000)
    """
    text = to_string(value)
    if not re.match(r"-?\d", text):
        raise WrongValue("duration must start with an integer")
    match = _DURATION.fullmatch(text)
    if match is None:
        raise WrongValue("duration must end with a single 's'")
    sign, seconds, fraction = match.groups()
    if fraction is not None and not 1 <= len(fraction) <= 9:
        raise WrongValue("duration had bad nanoseconds")
    if int(seconds) > _MAX_SECONDS:
        raise WrongValue("duration out of range")
    total = int(seconds) * _SECOND_NS + int((fraction or "0").ljust(9, "0"))
    return -total if sign else total


SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "string": to_string,
    "bytes": to_bytes,
    "bool": to_bool,
    "float": to_float,
    "double": to_float,
    **{kind: lambda value, kind=kind: to_int(kind, value) for kind in _RANGES},  # type: ignore[misc]
}
"""How each scalar type is read."""
