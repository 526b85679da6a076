"""The protobuf wire format: fields in, fields out, without descriptors.

Messages that a module hands to the host (arguments of foreign functions, gRPC payloads) are read by field number and
written the same way. The reader is given to hostile guests: what is malformed is a :class:`ValueError`, never more.
Rules: the protobuf encoding guide; where parsers differ, the C++ one that Envoy uses.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

MAX_VARINT_BYTES = 10
MAX_TAG_BYTES = 5
MAX_FIELD = (1 << 29) - 1
#: How deep groups may nest in a message, as in the C++ parser.
MAX_DEPTH = 100
_MASK_64 = (1 << 64) - 1


class Wire(IntEnum):
    """Wire types."""

    VARINT = 0
    FIXED64 = 1
    BYTES = 2
    GROUP = 3
    END_GROUP = 4
    FIXED32 = 5


#: Number, wire type and value of a field: an unsigned integer, or bytes (also of a group: what lies inside).
Field = tuple[int, Wire, "int | bytes"]


def parse(data: bytes) -> list[Field]:
    r"""Read the fields of a message, in order.

    Raises
    ------
    ValueError
        When the bytes are no message.

    Examples
    --------
    >>> parse(b"\x08\x96\x01\x12\x02hi")
    [(1, <Wire.VARINT: 0>, 150), (2, <Wire.BYTES: 2>, b'hi')]
    """
    fields: list[Field] = []
    at = 0
    while at < len(data):
        field, at = _field(data, at, 0)
        fields.append(field)
    return fields


def _field(data: bytes, at: int, depth: int) -> tuple[Field, int]:
    tag, at = _tag(data, at)
    number, kind = tag >> 3, tag & 7
    if not 0 < number <= MAX_FIELD:
        raise ValueError(f"field number {number}")
    match kind:
        case Wire.VARINT:
            value, at = read_varint(data, at)
            return (number, Wire.VARINT, value), at
        case Wire.FIXED64 | Wire.FIXED32:
            raw, at = _take(data, at, 8 if kind == Wire.FIXED64 else 4)
            return (number, Wire(kind), int.from_bytes(raw, "little")), at
        case Wire.BYTES:
            size, at = read_varint(data, at)
            raw, at = _take(data, at, size)
            return (number, Wire.BYTES, raw), at
        case Wire.GROUP:
            inside = at
            end, at = _end_of_group(data, at, number, depth + 1)
            return (number, Wire.GROUP, data[inside:end]), at
    raise ValueError(f"wire type {kind}")


def _tag(data: bytes, at: int) -> tuple[int, int]:
    tag, after = read_varint(data, at)
    if after - at > MAX_TAG_BYTES:
        raise ValueError("a tag of more than five bytes")
    return tag, after


def _end_of_group(data: bytes, at: int, number: int, depth: int) -> tuple[int, int]:
    """Skip a group; give where its end tag starts, and where the bytes go on."""
    if depth > MAX_DEPTH:
        raise ValueError("groups nest too deep")
    while True:
        tag, after = _tag(data, at)
        if tag & 7 == Wire.END_GROUP:
            if tag >> 3 != number:
                raise ValueError("end of another group")
            return at, after
        _, at = _field(data, at, depth)


def _take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    if size > len(data) - at:
        raise ValueError("truncated")
    return data[at : at + size], at + size


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    r"""Read an integer; give it (64 bits are kept) and where the bytes go on.

    Examples
    --------
    >>> read_varint(b"\x96\x01", 0)
    (150, 2)
    """
    value = 0
    for index in range(MAX_VARINT_BYTES):
        if at + index >= len(data):
            raise ValueError("truncated")
        byte = data[at + index]
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value & _MASK_64, at + index + 1
    raise ValueError("a varint of more than ten bytes")


def varint(value: int) -> bytes:
    r"""Write an integer; a negative one as its 64-bit two's complement.

    Examples
    --------
    >>> varint(150)
    b'\x96\x01'
    >>> len(varint(-1))
    10
    """
    value &= _MASK_64
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def write(fields: Iterable[tuple[int, int | bytes | str]]) -> bytes:
    r"""Write a message of integers (as varints; a bool is one) and length-delimited fields.

    Examples
    --------
    >>> write([(1, True), (2, "hi")])
    b'\x08\x01\x12\x02hi'
    """
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3 | Wire.VARINT) + varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += varint(number << 3 | Wire.BYTES) + varint(len(data)) + data
    return bytes(out)


class Message:
    """A parsed message, asked by field number; of a field that comes twice the last counts.

    A field of another wire type than the one asked for is an unknown field, as in the C++ parser.

    Examples
    --------
    >>> message = Message(write([(1, "name"), (3, 7)]))
    >>> message.text(1), message.integer(3), message.data(2)
    ('name', 7, b'')
    """

    def __init__(self, data: bytes) -> None:
        self._fields = {(number, kind): value for number, kind, value in parse(data)}

    def integer(self, number: int) -> int:
        """An integer, bool or enum field (unsigned); 0 when it is missing."""
        value = self._fields.get((number, Wire.VARINT), 0)
        return value if isinstance(value, int) else 0

    def data(self, number: int) -> bytes:
        """A bytes field; empty when it is missing."""
        value = self._fields.get((number, Wire.BYTES), b"")
        return value if isinstance(value, bytes) else b""

    def text(self, number: int) -> str:
        """A string field; raises ValueError when it is not UTF-8."""
        return self.data(number).decode("utf-8")
