"""Values of the Common Expression Language, as Envoy's evaluator (cel-cpp) has them.

In Python: null is ``None``; bool, int, double and string are ``bool``, ``int``, ``float`` and ``str`` (a byte that is
not UTF-8 is one surrogate); bytes are ``bytes``, lists are tuples. The rest are the classes below. A CEL type is told
by the exact Python class, because in Python a bool is an int and in CEL it is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Union

from meshsim.abi.codec import Nanoseconds, PropertyValue, Uint, encode_value

_INT64_MAX = (1 << 63) - 1


class CelError(Exception):
    """An expression has no value; ``str()`` gives Envoy's words."""


class CelAbort(CelError):
    """Evaluation itself ended: Envoy's words for it begin otherwise, and nothing in the expression can save it."""


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A span of time, in ns."""

    ns: int


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """A moment, in ns since 1970."""

    ns: int


@dataclass(frozen=True, slots=True)
class Type:
    """A type as a value."""

    name: str


@dataclass(frozen=True, slots=True)
class Struct:
    """A protobuf message.

    ``field`` gives a field's value and whether it is set, or None when the message has no such field; ``wire`` is the
    message serialised.
    """

    type: str
    field: Callable[[str], tuple[Value, bool] | None]
    wire: Callable[[], bytes]
    content: object = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Struct) and (self.type, self.content) == (other.type, other.content)

    def __hash__(self) -> int:
        return hash(self.type)


Key = tuple[str, object]


def map_key(value: Value) -> Key | None:
    """Return what a map looks a value up by (numbers are equal across types), or None when it can be no key.

    Examples
    --------
    >>> map_key(1) == map_key(Uint(1)) == map_key(1.0)
    True
    >>> map_key(True) == map_key(1)
    False
    """
    match value:
        case bool():
            return "bool", value
        case str():
            return "string", value
        case int():
            return "number", value
        case Uint():
            return "number", value.value
        case float():
            return "number", int(value) if value.is_integer() else value
    return None


class CelMap:
    """A map.

    Examples
    --------
    >>> CelMap([("a", 1)]).get("a")
    1
    """

    def __init__(self, items: Iterable[tuple[Value, Value]] = ()) -> None:
        self._items: dict[Key, tuple[Value, Value]] = {}
        for key, value in items:
            place = map_key(key)
            if place is None or isinstance(key, float):
                raise CelError(f"Invalid map key type: '{kind(key)}'")
            self._items[place] = key, value

    def get(self, key: Value) -> Value:
        """Return a value; raises KeyError."""
        return self._items[map_key(key) or ("", None)][1]

    def __iter__(self) -> Iterator[Value]:
        """Every key, in order."""
        return (key for key, _ in self._items.values())

    def __len__(self) -> int:
        return len(self._items)

    def serialisable(self) -> PropertyValue | None:
        """Return the map for the wire."""
        return {encode_value(plain(key)): _nested(value) for key, value in self._items.values()}


Value = Union[  # noqa: UP007  # a recursive alias: the quoted names would not do with |
    None, bool, int, Uint, float, str, bytes, Duration, Timestamp, Type, Struct, CelMap, tuple["Value", ...]
]

#: Words for the types: as a type's name, and as error texts call them where they differ.
_TYPE_NAMES: dict[type, str] = {
    type(None): "null_type",
    bool: "bool",
    int: "int",
    Uint: "uint",
    float: "double",
    str: "string",
    bytes: "bytes",
    Duration: "google.protobuf.Duration",
    Timestamp: "google.protobuf.Timestamp",
    Type: "type",
    Struct: "struct",
    tuple: "list",
}
_KINDS = {"google.protobuf.Duration": "duration", "google.protobuf.Timestamp": "timestamp"}
_SIGNATURE_NAMES = {"int": "int64", "uint": "uint64"}
#: Types that an expression can name.
TYPE_NAMES = frozenset(
    {"int", "uint", "double", "bool", "string", "bytes", "list", "map", "null_type", "type"},
)


def type_of(value: Value) -> Type:
    """Return a value's type."""
    if isinstance(value, Struct):
        return Type(value.type)
    return Type(_TYPE_NAMES.get(type(value), "map"))


def kind(value: Value) -> str:
    """Return how most error texts call a value's type."""
    if isinstance(value, Struct):
        return "struct"
    name = type_of(value).name
    return _KINDS.get(name, name)


def no_overload(name: str, *arguments: Value, receiver: bool = False) -> CelError:
    """Make the error of a function that does not take these arguments.

    Examples
    --------
    >>> print(no_overload("_+_", 1, "a"))
    No matching overloads found : _+_(int64, string)
    >>> print(no_overload("contains", "a", 1, receiver=True))
    No matching overloads found : (string).contains(int64)
    """
    kinds = [_SIGNATURE_NAMES.get(kind(value), kind(value)) for value in arguments]
    target = f"({kinds.pop(0)})." if receiver else ""
    return CelError(f"No matching overloads found : {target}{name}({', '.join(kinds)})")


def equal(left: Value, right: Value) -> bool:
    """Whether two values are equal: numbers across types, everything else only within its type.

    Examples
    --------
    >>> equal(1, Uint(1)), equal((1, 2.0), (1.0, 2)), equal("a", b"a"), equal(1, True)
    (True, True, False, False)
    """
    left_number, right_number = number(left), number(right)
    if left_number is not None and right_number is not None:
        return compare_numbers(left_number, right_number) == 0
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, CelMap) and isinstance(right, CelMap):
        return _equal_maps(left, right)
    return type(left) is type(right) and left == right


def _equal_maps(left: CelMap, right: CelMap) -> bool:
    if len(left) != len(right):
        return False
    try:
        return all(equal(left.get(key), right.get(key)) for key in left)
    except KeyError:
        return False


def number(value: Value) -> int | float | None:
    """Return a number's Python value, or None for what is no number."""
    if isinstance(value, Uint):
        return value.value
    return value if type(value) in (int, float) else None  # type: ignore[return-value]


def compare_numbers(left: int | float, right: int | float) -> int | None:
    """Return -1, 0 or 1; None when one is no number. An integer beside a double is made a double, as in cel-cpp.

    Examples
    --------
    >>> compare_numbers(2**53 + 1, 2.0**53)
    0
    """
    if isinstance(left, float) or isinstance(right, float):
        left, right = float(left), float(right)
        if math.isnan(left) or math.isnan(right):
            return None
    return (left > right) - (left < right)


def plain(value: Value) -> PropertyValue | None:
    """Return a value as the wire format of properties has it; None for what cannot be serialised."""
    match value:
        case str():
            return value.encode("utf-8", "surrogateescape")
        case Duration() | Timestamp():
            return Nanoseconds(max(-_INT64_MAX - 1, min(value.ns, _INT64_MAX)))
        case Struct():
            return value.wire()
        case CelMap():
            return value.serialisable()
        case Type() | None:
            return None
        case tuple():
            return [_nested(item) for item in value]
    return value


def _nested(value: Value) -> PropertyValue:
    return plain(value)  # type: ignore[return-value]  # a null inside is refused when it is encoded
