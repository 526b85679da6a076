"""Well-known protobuf types as the bytes that a module sees when they are its configuration.

Seen in Envoy 1.40: the ``configuration`` of a plugin or VM reaches the module unwrapped when it is a ``StringValue`` or
a ``BytesValue``, and in every other case, a ``Struct`` too, as the serialized message. The documentation promises JSON
for a ``Struct``; the run shows otherwise. Envoy writes the entries of a ``Struct`` in an order that changes from one
run to the next; here they are in the order of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from meshsim.envoy.config.base import Struct

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_SECOND_NS = 1_000_000_000


def varint(number: int) -> bytes:
    """Return a base-128 varint; negative numbers as 64-bit two's complement."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, wire: int, payload: bytes) -> bytes:
    length = varint(len(payload)) if wire == _BYTES else b""
    return varint(number << 3 | wire) + length + payload


def struct_bytes(value: Struct) -> bytes:
    r"""Return a serialized ``google.protobuf.Struct``.

    Examples
    --------
    >>> struct_bytes({"a": "b"})
    b'\n\x08\n\x01a\x12\x03\x1a\x01b'
    """
    return b"".join(
        _field(1, _BYTES, _field(1, _BYTES, key.encode()) + _field(2, _BYTES, value_bytes(item)))
        for key, item in value.items()
    )


def value_bytes(value: Any) -> bytes:
    """Return a serialized ``google.protobuf.Value``."""
    if value is None:
        return _field(1, _VARINT, b"\0")
    if isinstance(value, bool):
        return _field(4, _VARINT, varint(value))
    if isinstance(value, int | float):
        return _field(2, _FIXED64, struct.pack("<d", value))
    if isinstance(value, str):
        return _field(3, _BYTES, value.encode())
    if isinstance(value, list):
        return _field(6, _BYTES, list_bytes(value))
    return _field(5, _BYTES, struct_bytes(value))


def list_bytes(value: list[Any]) -> bytes:
    """Return a serialized ``google.protobuf.ListValue``."""
    return b"".join(_field(1, _BYTES, value_bytes(item)) for item in value)


def _number(value: int) -> bytes:
    return _field(1, _VARINT, varint(value)) if value else b""


def _double(value: float) -> bytes:
    return _field(1, _FIXED64, struct.pack("<d", value)) if value else b""


def _float(value: float) -> bytes:
    return _field(1, 5, struct.pack("<f", value)) if value else b""


def _duration(value: int) -> bytes:
    seconds, nanos = divmod(abs(value), _SECOND_NS)
    sign = -1 if value < 0 else 1
    parts = ((1, sign * seconds), (2, sign * nanos))
    return b"".join(_field(number, _VARINT, varint(part)) for number, part in parts if part)


ENCODERS: Mapping[str, Callable[[Any], bytes]] = {
    "google.protobuf.StringValue": lambda value: str(value).encode(),
    "google.protobuf.BytesValue": bytes,
    "google.protobuf.Struct": struct_bytes,
    "google.protobuf.Value": value_bytes,
    "google.protobuf.ListValue": list_bytes,
    "google.protobuf.Duration": _duration,
    "google.protobuf.BoolValue": _number,
    "google.protobuf.Int32Value": _number,
    "google.protobuf.Int64Value": _number,
    "google.protobuf.UInt32Value": _number,
    "google.protobuf.UInt64Value": _number,
    "google.protobuf.DoubleValue": _double,
    "google.protobuf.FloatValue": _float,
    "google.protobuf.Empty": lambda value: b"",
}
"""What a module sees, by the type of its configuration."""
