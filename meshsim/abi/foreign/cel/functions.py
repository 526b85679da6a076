"""Functions and operators of the Common Expression Language, by name and form.

A function finds out by itself whether it takes its arguments, and raises Envoy's error when it does not. Which forms
there are decides what an expression may say at all: a call of none of them is refused when it is compiled.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from meshsim.abi.codec import Uint
from meshsim.abi.foreign.cel.conversions import CONVERSIONS, INT64, UINT64, double_text
from meshsim.abi.foreign.cel.regex import matches
from meshsim.abi.foreign.cel.temporal import DURATION_PARTS, PARTS, in_zone
from meshsim.abi.foreign.cel.values import (
    CelError,
    CelMap,
    Duration,
    Struct,
    Timestamp,
    Value,
    compare_numbers,
    equal,
    kind,
    map_key,
    no_overload,
    number,
    type_of,
)

Function = Callable[..., Value]

_ORDERED = (bool, str, bytes, Duration, Timestamp)


# -- arithmetic ---


def _int64(value: int) -> int:
    if value not in INT64:
        raise CelError("integer overflow")
    return value


def _uint64(value: int) -> Uint:
    if value not in UINT64:
        raise CelError("unsigned integer overflow")
    return Uint(value)


def _arithmetic(name: str, whole: Callable[[int, int], int], real: Callable[[float, float], float] | None) -> Function:
    """Make an operator of numbers of one type."""

    def operate(left: Value, right: Value) -> Value:
        if type(left) is int and type(right) is int:
            return _int64(whole(left, right))
        if isinstance(left, Uint) and isinstance(right, Uint):
            return _uint64(whole(left.value, right.value))
        if real and isinstance(left, float) and isinstance(right, float):
            return real(left, right)
        raise no_overload(name, left, right)

    return operate


def _quotient(left: int, right: int) -> int:
    """Divide towards zero."""
    if not right:
        raise CelError("divide by zero")
    result = abs(left) // abs(right)
    return result if (left < 0) == (right < 0) else -result


def _remainder(left: int, right: int) -> int:
    if not right:
        raise CelError("modulus by zero")
    _int64_or_uint64(_quotient(left, right))
    return left - right * _quotient(left, right)


def _int64_or_uint64(value: int) -> None:
    """The one quotient of int64 that is out of range is an error for the remainder too."""
    if value == 1 << 63:
        raise CelError("integer overflow")


def _real_quotient(left: float, right: float) -> float:
    if right:
        return left / right
    if not left or math.isnan(left):
        return -math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


_sum = _arithmetic("_+_", lambda left, right: left + right, lambda left, right: left + right)
_difference = _arithmetic("_-_", lambda left, right: left - right, lambda left, right: left - right)


def _add(left: Value, right: Value) -> Value:
    match left, right:
        case (str(), str()) | (bytes(), bytes()) | (tuple(), tuple()):
            return left + right  # type: ignore[operator]
        case Duration(), Duration():
            return Duration(left.ns + right.ns)
        case Timestamp(), Duration():
            return Timestamp(left.ns + right.ns)
        case Duration(), Timestamp():
            return Timestamp(left.ns + right.ns)
    return _sum(left, right)


def _subtract(left: Value, right: Value) -> Value:
    match left, right:
        case Duration(), Duration():
            return Duration(left.ns - right.ns)
        case Timestamp(), Timestamp():
            return Duration(left.ns - right.ns)
        case Timestamp(), Duration():
            return Timestamp(left.ns - right.ns)
    return _difference(left, right)


def _negate(value: Value) -> Value:
    if type(value) is int:
        return _int64(-value)
    if isinstance(value, float):
        return -value
    raise no_overload("-_", value)


def _not(value: Value) -> Value:
    if isinstance(value, bool):
        return not value
    raise CelError("No matching overloads found : !_")


# -- comparing ---


def _comparison(name: str, accept: Callable[[int], bool]) -> Function:
    def compare(left: Value, right: Value) -> Value:
        left_number, right_number = number(left), number(right)
        if left_number is not None and right_number is not None:
            order = compare_numbers(left_number, right_number)
            return order is not None and accept(order)
        if type(left) is not type(right) or not isinstance(left, _ORDERED):
            raise no_overload(name, left, right)
        if isinstance(left, str):
            # Code points and their UTF-8 are in one order.
            left, right = (text.encode("utf-8", "surrogateescape") for text in (left, right))  # type: ignore[union-attr]
        return accept((left > right) - (left < right))  # type: ignore[operator]

    return compare


def _in(value: Value, container: Value) -> Value:
    if isinstance(container, tuple):
        return any(equal(value, item) for item in container)
    if isinstance(container, CelMap) and map_key(value):
        try:
            container.get(value)
        except (KeyError, CelError):
            return False
        return True
    raise CelError("No matching overloads found : @in")


# -- containers ---


def _index(container: Value, key: Value) -> Value:
    if isinstance(container, CelMap):
        return _entry(container, key)
    if not isinstance(container, tuple):
        raise CelError(f"Invalid container type: '{kind(container)}'")
    place = map_key(key)
    if place is None or place[0] != "number" or not isinstance(place[1], int):
        raise CelError(f"Index error: expected integer type, got {kind(key)}")
    if not 0 <= place[1] < len(container):
        raise CelError(f"Index error: index={place[1]} size={len(container)}")
    return container[place[1]]


def _entry(container: CelMap, key: Value) -> Value:
    if map_key(key) is None:
        raise CelError(f"Invalid map key type: '{kind(key)}'")
    try:
        return container.get(key)
    except KeyError:
        raise CelError(f"Key not found in map : {key_text(key)}") from None


def key_text(key: Value) -> str:
    r"""Write a key as error texts do.

    Examples
    --------
    >>> print(key_text("a\n"), key_text('"'), key_text(Uint(1)), key_text(2.0), key_text(True))
    "a\n" '"' 1u 2.0 true
    """
    match key:
        case str():
            quote = "'" if '"' in key and "'" not in key else '"'
            escapes = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", quote: f"\\{quote}"}
            return quote + "".join(escapes.get(character, character) for character in key) + quote
        case bool():
            return "true" if key else "false"
        case Uint():
            return f"{key.value}u"
        case float():
            text = double_text(key)
            return text if "." in text or not math.isfinite(key) else f"{text}.0"
    return str(key)


def select(operand: Value, field: str) -> Value:
    """``operand.field``."""
    if isinstance(operand, CelMap):
        return _entry(operand, field)
    return _struct_field(operand, field)[0]


def has(operand: Value, field: str) -> bool:
    """``has(operand.field)``."""
    if isinstance(operand, CelMap):
        return bool(_in(field, operand))
    return _struct_field(operand, field)[1]


def _struct_field(operand: Value, field: str) -> tuple[Value, bool]:
    if not isinstance(operand, Struct):
        raise CelError("Applying SELECT to non-message type")
    found = operand.field(field)
    if found is None:
        raise CelError(f"no_such_field : {field}")
    return found


def _size(name: str, receiver: bool) -> Function:
    def size(value: Value) -> Value:
        match value:
            case str() | bytes() | tuple() | CelMap():
                return len(value)
        raise no_overload(name, value, receiver=receiver)

    return size


# -- texts ---


def _text_test(name: str, test: Callable[[str, str], bool], receiver: bool) -> Function:
    def function(text: Value, other: Value) -> Value:
        if isinstance(text, str) and isinstance(other, str):
            return test(text, other)
        raise no_overload(name, text, other, receiver=receiver)

    return function


# -- times ---


def _part(name: str) -> Function:
    def part(value: Value, *zone: Value) -> Value:
        match value, zone:
            case Timestamp(), ():
                return PARTS[name](value)
            case Timestamp(), (str() as place,):
                return PARTS[name](in_zone(value, place))
            case Duration(), () if name in DURATION_PARTS:
                return DURATION_PARTS[name](value)
        raise no_overload(name, value, *zone, receiver=True)

    return part


_TEXT_TESTS: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda text, part: part in text,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
    "matches": matches,
}

_OPERATORS: dict[str, Function] = {
    "_+_": _add,
    "_-_": _subtract,
    "_*_": _arithmetic("_*_", lambda left, right: left * right, lambda left, right: left * right),
    "_/_": _arithmetic("_/_", _quotient, _real_quotient),
    "_%_": _arithmetic("_%_", _remainder, None),
    "_<_": _comparison("_<_", lambda order: order < 0),
    "_<=_": _comparison("_<=_", lambda order: order <= 0),
    "_>_": _comparison("_>_", lambda order: order > 0),
    "_>=_": _comparison("_>=_", lambda order: order >= 0),
    "_==_": equal,
    "_!=_": lambda left, right: not equal(left, right),
    "@in": _in,
    "_[_]": _index,
}

#: Functions by name, whether they are called on a receiver, and how many arguments they take with it.
FUNCTIONS: dict[tuple[str, bool, int], Function] = {
    **{(name, False, 2): operator for name, operator in _OPERATORS.items()},
    ("-_", False, 1): _negate,
    ("!_", False, 1): _not,
    ("type", False, 1): type_of,
    **{(name, False, 1): conversion for name, conversion in CONVERSIONS.items()},
    **{("size", receiver, 1): _size("size", receiver) for receiver in (False, True)},
    **{
        (name, receiver, 2): _text_test(name, test, receiver)
        for name, test in _TEXT_TESTS.items()
        for receiver in (False, True)
    },
    **{(name, True, count): _part(name) for name in PARTS for count in (1, 2)},
}
