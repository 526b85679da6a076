"""Messages that an expression makes: the well-known types of protobuf, which turn into plain values at once.

The other messages that Envoy was built with (its own API, some thousand) are not modelled; a name that belongs to none
of their packages is no type to Envoy either.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

from meshsim.abi.codec import Uint
from meshsim.abi.foreign.cel.temporal import SECOND
from meshsim.abi.foreign.cel.values import CelError, CelMap, Duration, Struct, Timestamp, Value, kind
from meshsim.errors import NotModelled

Fields = Sequence[tuple[str, Value]]

_WELL_KNOWN = "google.protobuf."
#: Packages of the messages that are linked into Envoy.
_PACKAGES = ("google.", "envoy.", "xds.", "udpa.", "cel.", "opentelemetry.", "opencensus.", "io.", "validate.")
_INT32 = range(-(1 << 31), 1 << 31)
_UINT32 = range(1 << 32)


def _single(value: float) -> float:
    """Round to a float of 32 bits."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return value * float("inf")


#: Wrapper types: the type of their one field, what it is without a value, and how a value gets in (None: it does not).
_WRAPPERS: dict[str, tuple[str, Value, Callable[[Value], Value]]] = {
    "Int32Value": ("int32", 0, lambda value: value if type(value) is int and value in _INT32 else None),
    "Int64Value": ("int64", 0, lambda value: value if type(value) is int else None),
    "UInt32Value": (
        "uint32",
        Uint(0),
        lambda value: value if isinstance(value, Uint) and value.value in _UINT32 else None,
    ),
    "UInt64Value": ("uint64", Uint(0), lambda value: value if isinstance(value, Uint) else None),
    "DoubleValue": ("double", 0.0, lambda value: value if isinstance(value, float) else None),
    "FloatValue": ("float", 0.0, lambda value: _single(value) if isinstance(value, float) else None),
    "BoolValue": ("bool", False, lambda value: value if isinstance(value, bool) else None),
    "StringValue": ("string", "", lambda value: value if isinstance(value, str) else None),
    "BytesValue": ("bytes", b"", lambda value: value if isinstance(value, bytes) else None),
}
_FIELDS: dict[str, frozenset[str]] = {
    **dict.fromkeys(_WRAPPERS, frozenset({"value"})),
    "Duration": frozenset({"seconds", "nanos"}),
    "Timestamp": frozenset({"seconds", "nanos"}),
    "Struct": frozenset({"fields"}),
    "ListValue": frozenset({"values"}),
    "Value": frozenset(
        {"null_value", "number_value", "string_value", "bool_value", "struct_value", "list_value"},
    ),
    "Empty": frozenset(),
}


def check(name: str, fields: Sequence[str], error: Callable[[str], Exception]) -> None:
    """Refuse a type or a field that there is not, with Envoy's words."""
    known = _FIELDS.get(name.removeprefix(_WELL_KNOWN)) if name.startswith(_WELL_KNOWN) else None
    if known is None:
        if name.startswith(_PACKAGES):
            raise NotModelled(f"the message {name} in an expression")
        raise error(f"Invalid struct creation: missing type info for '{name}'")
    for field in fields:
        if field not in known:
            raise error(f"Invalid message creation: field '{field}' not found in '{name}'")


def make(name: str, fields: Fields) -> Value:
    """Make a message of a type that has been checked."""
    short = name.removeprefix(_WELL_KNOWN)
    given = dict(fields)
    if short in _WRAPPERS:
        type_, empty, put = _WRAPPERS[short]
        return _assigned(short, "value", type_, given["value"], put) if "value" in given else empty
    if short in ("Duration", "Timestamp"):
        seconds = _integer(short, "seconds", "int64", given.get("seconds", 0))
        nanos = _integer(short, "nanos", "int32", given.get("nanos", 0))
        ns = seconds * SECOND + nanos
        return Duration(ns) if short == "Duration" else Timestamp(ns)
    if short == "Empty":
        return Struct(name, lambda field: None, lambda: b"")
    return _json(short, given)


def _assigned(message: str, field: str, type_: str, value: Value, put: Callable[[Value], Value]) -> Value:
    result = put(value)
    if result is None:
        given = {"int": "int64", "uint": "uint64"}.get(kind(value), kind(value))
        raise CelError(
            f'Could not assign supplied argument to message "{message}" field "{field}" of type {type_}: '
            f'value type "{given}"'
        )
    return result


def _integer(message: str, field: str, type_: str, value: Value) -> int:
    result = _assigned(message, field, type_, value, _WRAPPERS["Int64Value" if type_ == "int64" else "Int32Value"][2])
    assert isinstance(result, int)
    return result


def _json(short: str, given: dict[str, Value]) -> Value:
    """``Struct``, ``ListValue`` and ``Value``: what they hold becomes JSON, where every number is a double."""
    if short == "Struct":
        fields = given.get("fields", CelMap())
        if not isinstance(fields, CelMap):
            raise NotModelled("google.protobuf.Struct from what is no map")
        return CelMap((key, _as_json(fields.get(key))) for key in fields)
    if short == "ListValue":
        values = given.get("values", ())
        if not isinstance(values, tuple):
            raise NotModelled("google.protobuf.ListValue from what is no list")
        return tuple(_as_json(value) for value in values)
    return _as_json(next(reversed(given.values()), None))


def _as_json(value: Value) -> Value:
    match value:
        case bool() | str() | float() | None:
            return value
        case int():
            return float(value)
        case Uint():
            return float(value.value)
        case tuple():
            return tuple(_as_json(item) for item in value)
        case CelMap():
            return CelMap((key, _as_json(value.get(key))) for key in value)
    raise NotModelled(f"a {kind(value)} in a google.protobuf.Value")
