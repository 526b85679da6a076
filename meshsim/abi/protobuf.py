r"""The protobuf wire format, as far as messages between guests and host need it.

>>> parse(b"\x0a\x01x\x10\x05")
[(1, 2, b'x'), (2, 0, 5)]
"""

from __future__ import annotations

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BITS = 70


def parse(message: bytes) -> list[tuple[int, int, int | bytes]]:
    """Read the fields of a message: number, wire type, value; ValueError when it is none."""
    fields: list[tuple[int, int, int | bytes]] = []
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if not number:
            raise ValueError("field number 0")
        value, at = _value(message, at, kind)
        fields.append((number, kind, value))
    return fields


def _value(message: bytes, at: int, kind: int) -> tuple[int | bytes, int]:
    if kind == _VARINT:
        return _varint(message, at)
    if kind == _BYTES:
        size, at = _varint(message, at)
    elif kind in _FIXED:
        size = _FIXED[kind]
    else:
        raise ValueError(f"wire type {kind}")
    if at + size > len(message):
        raise ValueError("ends too early")
    return message[at : at + size], at + size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < _MAX_VARINT_BITS:
        if at >= len(message):
            raise ValueError("ends too early")
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("a number of too many bytes")
