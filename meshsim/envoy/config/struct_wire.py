"""Well-known protobuf types as bytes, and what a module sees of them when they are its configuration.

Seen in Envoy 1.40: the ``configuration`` of a plugin or VM reaches the module unwrapped when it is a ``StringValue`` or
a ``BytesValue``, and in every other case, a ``Struct`` too, as the serialized message. The documentation promises JSON
for a ``Struct``; the run shows otherwise. Envoy writes the entries of a ``Struct`` in an order that changes from one
run to the next; here they are in the order of the file.
"""

from __future__ import annotations

import re
import struct
from calendar import timegm
from collections.abc import Callable, Mapping
from typing import Any

from meshsim.envoy.config.base import Struct

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_SECOND_NS = 1_000_000_000
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d):(\d\d))")


def varint(number: int) -> bytes:
    """Return a base-128 varint; negative numbers as 64-bit two's complement."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field_bytes(number: int, wire: int, payload: bytes) -> bytes:
    """Return a field: its tag, the length of what has one, and what it holds."""
    length = varint(len(payload)) if wire == _BYTES else b""
    return varint(number << 3 | wire) + length + payload


def _utf8(text: str) -> bytes:
    """Return text as bytes; what a filter left may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def struct_bytes(value: Struct) -> bytes:
    r"""Return a serialized ``google.protobuf.Struct``.

    Examples
    --------
    >>> struct_bytes({"a": "b"})
    b'\n\x08\n\x01a\x12\x03\x1a\x01b'
    """
    return b"".join(
        field_bytes(1, _BYTES, field_bytes(1, _BYTES, _utf8(key)) + field_bytes(2, _BYTES, value_bytes(item)))
        for key, item in value.items()
    )


def value_bytes(value: Any) -> bytes:
    """Return a serialized ``google.protobuf.Value``."""
    if value is None:
        return field_bytes(1, _VARINT, b"\0")
    if isinstance(value, bool):
        return field_bytes(4, _VARINT, varint(value))
    if isinstance(value, int | float):
        return field_bytes(2, _FIXED64, struct.pack("<d", value))
    if isinstance(value, str):
        return field_bytes(3, _BYTES, _utf8(value))
    if isinstance(value, list):
        return field_bytes(6, _BYTES, list_bytes(value))
    return field_bytes(5, _BYTES, struct_bytes(value))


def list_bytes(value: list[Any]) -> bytes:
    """Return a serialized ``google.protobuf.ListValue``."""
    return b"".join(field_bytes(1, _BYTES, value_bytes(item)) for item in value)


def _number(value: int) -> bytes:
    return field_bytes(1, _VARINT, varint(value)) if value else b""


def _double(value: float) -> bytes:
    return field_bytes(1, _FIXED64, struct.pack("<d", value)) if value else b""


def _float(value: float) -> bytes:
    return field_bytes(1, _FIXED32, struct.pack("<f", value)) if value else b""


def _bytes(value: bytes) -> bytes:
    return field_bytes(1, _BYTES, value) if value else b""


def _moment(seconds: int, nanos: int) -> bytes:
    return b"".join(field_bytes(number, _VARINT, varint(part)) for number, part in ((1, seconds), (2, nanos)) if part)


def _duration(value: int) -> bytes:
    seconds, nanos = divmod(abs(value), _SECOND_NS)
    sign = -1 if value < 0 else 1
    return _moment(sign * seconds, sign * nanos)


def _timestamp(value: str) -> bytes:
    match = _TIME.fullmatch(value)
    if match is None:
        raise ValueError(f"no time: {value}")
    *date, fraction, sign, hours, minutes = match.groups()
    away = 60 * (60 * int(hours or 0) + int(minutes or 0))
    seconds = timegm(tuple(map(int, date))) - (-away if sign == "-" else away)
    return _moment(seconds, int((fraction or "").ljust(9, "0")))


def _field_mask(value: str) -> bytes:
    paths = (re.sub("[A-Z]", lambda letter: "_" + letter[0].lower(), path) for path in value.split(",") if path)
    return b"".join(field_bytes(1, _BYTES, path.encode()) for path in paths)


WELL_KNOWN: Mapping[str, Callable[[Any], bytes]] = {
    "google.protobuf.StringValue": lambda value: _bytes(str(value).encode()),
    "google.protobuf.BytesValue": _bytes,
    "google.protobuf.Struct": struct_bytes,
    "google.protobuf.Value": value_bytes,
    "google.protobuf.ListValue": list_bytes,
    "google.protobuf.Duration": _duration,
    "google.protobuf.Timestamp": _timestamp,
    "google.protobuf.FieldMask": _field_mask,
    "google.protobuf.BoolValue": _number,
    "google.protobuf.Int32Value": _number,
    "google.protobuf.Int64Value": _number,
    "google.protobuf.UInt32Value": _number,
    "google.protobuf.UInt64Value": _number,
    "google.protobuf.DoubleValue": _double,
    "google.protobuf.FloatValue": _float,
}
"""The bytes of the messages that have a form of their own in JSON; ValueError for a value that has no such form."""

UNWRAPPED: Mapping[str, Callable[[Any], bytes]] = {
    "google.protobuf.StringValue": lambda value: str(value).encode(),
    "google.protobuf.BytesValue": bytes,
}
"""What a module sees of a configuration of which it sees the content alone."""
