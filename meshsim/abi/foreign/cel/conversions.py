"""Conversions of the Common Expression Language between its types; error texts are Envoy's."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from meshsim.abi.codec import Uint
from meshsim.abi.foreign.cel.temporal import (
    SECOND,
    format_duration,
    format_timestamp,
    parse_duration,
    parse_timestamp,
)
from meshsim.abi.foreign.cel.values import CelError, Duration, Timestamp, Value, no_overload

INT64 = range(-(1 << 63), 1 << 63)
UINT64 = range(1 << 64)
_INTEGER = re.compile(r"[ \t\n\v\f\r]*[+-]?0*(\d{1,20})[ \t\n\v\f\r]*", re.ASCII)
_DOUBLE = re.compile(
    r"[ \t\n\v\f\r]*[+-]?(?:inf(?:inity)?|nan|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|(?P<hex>0x(?:[0-9a-f]+\.?[0-9a-f]*"
    r"|\.[0-9a-f]+)(?:p[+-]?\d+)?))[ \t\n\v\f\r]*",
    re.ASCII | re.IGNORECASE,
)
_BOOLS = {
    **dict.fromkeys(("1", "t", "true", "TRUE", "True"), True),
    **dict.fromkeys(("0", "f", "false", "FALSE", "False"), False),
}
#: From this decimal exponent on a double is written in scientific notation (below: the least without it).
_SCIENTIFIC, _FIXED_LEAST = 6, -4


def to_int(value: Value) -> Value:
    """``int(x)``."""
    match value:
        case bool():
            return int(value)
        case int():
            return value
        case Uint():
            if value.value not in INT64:
                raise CelError("uint64 out of int64 range")
            return value.value
        case float():
            if not -(2.0**63) < value < 2.0**63:
                raise CelError("double out of int64 range")
            return int(value)
        case str():
            return _integer(value, INT64, "int")
        case Timestamp():
            return value.ns // SECOND
    raise no_overload("int", value)


def to_uint(value: Value) -> Value:
    """``uint(x)``."""
    match value:
        case Uint():
            return value
        case bool():
            raise no_overload("uint", value)
        case int():
            if value < 0:
                raise CelError("int64 out of uint64 range")
            return Uint(value)
        case float():
            if not 0 <= value < 2.0**64:
                raise CelError("double out of uint64 range")
            return Uint(int(value))
        case str():
            return Uint(_integer(value, UINT64, "uint"))
    raise no_overload("uint", value)


def _integer(text: str, allowed: range, name: str) -> int:
    if _INTEGER.fullmatch(text):
        number = int(text)
        if number in allowed and not (name == "uint" and "-" in text):
            return number
    raise CelError(f"cannot convert string to {name}")


def to_double(value: Value) -> Value:
    """``double(x)``."""
    match value:
        case float():
            return value
        case Uint():
            return float(value.value)
        case int() if not isinstance(value, bool):
            return float(value)
        case str():
            match = _DOUBLE.fullmatch(value)
            if match is None:
                raise CelError("cannot convert string to double")
            return float.fromhex(value.strip()) if match["hex"] else float(value)
    raise no_overload("double", value)


def to_string(value: Value) -> Value:
    """``string(x)``."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case Uint():
            return str(value.value)
        case float():
            return double_text(value)
        case bytes():
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                raise CelError("malformed UTF-8 bytes") from None
        case Timestamp():
            return format_timestamp(value)
        case Duration():
            return format_duration(value)
    raise no_overload("string", value)


def double_text(value: float) -> str:
    """Write a double with the fewest digits that give it back.

    Examples
    --------
    >>> double_text(3.0), double_text(1e6), double_text(0.00001), double_text(123456.5)
    ('3', '1e+06', '1e-05', '123456.5')
    """
    if math.isnan(value):
        return "-nan(ind)" if math.copysign(1, value) < 0 else "nan"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    mantissa, _, exponent = f"{value!r}e0".partition("e")
    digits, power = _digits(mantissa, int(exponent.removesuffix("e0") or "0"))
    sign = "-" if mantissa.startswith("-") else ""
    if not digits:
        return f"{sign}0"
    if _FIXED_LEAST <= power < _SCIENTIFIC:
        return sign + _fixed(digits, power)
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{rest}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _digits(mantissa: str, exponent: int) -> tuple[str, int]:
    """Give the significant digits of a decimal number, and the power of ten of the first of them."""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    digits = whole + fraction
    power = exponent + len(whole) - 1 - (len(digits) - len(digits.lstrip("0")))
    return digits.strip("0"), power


def _fixed(digits: str, power: int) -> str:
    if power < 0:
        return "0." + "0" * (-power - 1) + digits
    whole = digits[: power + 1].ljust(power + 1, "0")
    return whole + (f".{digits[power + 1 :]}" if len(digits) > power + 1 else "")


def to_bytes(value: Value) -> Value:
    """``bytes(x)``."""
    match value:
        case bytes():
            return value
        case str():
            return value.encode("utf-8", "surrogateescape")
    raise no_overload("bytes", value)


def to_bool(value: Value) -> Value:
    """``bool(x)``."""
    match value:
        case bool():
            return value
        case str():
            if value not in _BOOLS:
                raise CelError("Type conversion error from 'string' to 'bool'")
            return _BOOLS[value]
    raise no_overload("bool", value)


def to_duration(value: Value) -> Value:
    """``duration(x)``."""
    match value:
        case Duration():
            return value
        case str():
            return parse_duration(value)
    raise no_overload("duration", value)


def to_timestamp(value: Value) -> Value:
    """``timestamp(x)``."""
    match value:
        case Timestamp():
            return value
        case str():
            return parse_timestamp(value)
        case int() if not isinstance(value, bool):
            return Timestamp(value * SECOND)
    raise no_overload("timestamp", value)


CONVERSIONS: dict[str, Callable[[Value], Value]] = {
    "int": to_int,
    "uint": to_uint,
    "double": to_double,
    "string": to_string,
    "bytes": to_bytes,
    "bool": to_bool,
    "duration": to_duration,
    "timestamp": to_timestamp,
    "dyn": lambda value: value,
}
