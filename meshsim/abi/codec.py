"""Wire formats between host and guest: lists of pairs, property paths, property values.

Theory of operation. A *pairs* block carries header maps and every map- or list-valued property: a count, a table
of lengths, then the keys and values, each closed by a NUL (Proxy-Wasm specification, "Serialization"). The
decoder is given to hostile guests: Envoy takes a block that it cannot read as an empty map and reports no error,
and so do we.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from meshsim.errors import NotModelled

Pair = tuple[bytes, bytes]

MAX_PAIRS_BYTES = 1 << 20
MAX_PAIRS = 1024
_MASK_64 = (1 << 64) - 1


def encode_pairs(pairs: Sequence[Pair]) -> bytes:
    """Serialise pairs; no pairs give no bytes, as Envoy hands an empty map over.

    Examples
    --------
    >>> encode_pairs([(b"a", b"1")]).hex(" ", 4)
    '01000000 01000000 01000000 61003100'
    """
    if not pairs:
        return b""
    lengths = [n for key, value in pairs for n in (len(key), len(value))]
    table = struct.pack(f"<{1 + len(lengths)}I", len(pairs), *lengths)
    return table + b"".join(part + b"\0" for pair in pairs for part in pair)


def decode_pairs(block: bytes) -> list[Pair]:
    """Read a block that a guest made; anything malformed or over the limits is an empty list.

    Examples
    --------
    >>> decode_pairs(encode_pairs([(b"a", b"1"), (b"b", b"22")]))
    [(b'a', b'1'), (b'b', b'22')]
    >>> decode_pairs(b"nonsense")
    []
    """
    try:
        return list(_pairs_of(block))
    except (struct.error, ValueError):
        return []


def _pairs_of(block: bytes) -> Iterable[Pair]:
    if len(block) > MAX_PAIRS_BYTES:
        raise ValueError("too large")
    (count,) = struct.unpack_from("<I", block, 0)
    if count > MAX_PAIRS:
        raise ValueError("too many")
    lengths = struct.unpack_from(f"<{2 * count}I", block, 4)
    at = 4 + 8 * count
    parts: list[bytes] = []
    for length in lengths:
        if at + length >= len(block) or block[at + length]:
            raise ValueError("no NUL where the length says")
        parts.append(block[at : at + length])
        at += length + 1
    if at != len(block):
        raise ValueError("bytes left over")
    return zip(parts[::2], parts[1::2], strict=True)


def split_path(path: bytes) -> list[bytes]:
    r"""Segments of a property path; one trailing NUL is harmless, an empty path has none.

    Examples
    --------
    >>> split_path(b"request\0headers\0host\0")
    [b'request', b'headers', b'host']
    """
    return path.removesuffix(b"\0").split(b"\0") if path else []


@dataclass(frozen=True, slots=True)
class Uint:
    """A property that is serialised as an unsigned 64-bit integer."""

    value: int


@dataclass(frozen=True, slots=True)
class Nanoseconds:
    """A timestamp (since the epoch) or a duration, serialised as a signed 64-bit integer of nanoseconds."""

    value: int


class Message(dict[bytes, "PropertyValue | None"]):
    """A protobuf message: its fields, by name, and its bytes as a whole.

    Without bytes it can only be walked; as a whole it is then no bytes when it holds nothing, and else not modelled.
    """

    def __init__(
        self, fields: Mapping[bytes, PropertyValue | None] = MappingProxyType({}), wire: bytes | None = None
    ) -> None:
        super().__init__(fields)
        self.wire = wire

    @property
    def is_empty(self) -> bool:
        """Whether no field is set."""
        return all(value.is_empty if isinstance(value, Message) else not value for value in self.values())


PropertyValue = (
    bytes
    | bool
    | int
    | float
    | Uint
    | Nanoseconds
    | Mapping[bytes, "PropertyValue | None"]
    | Sequence["PropertyValue | None"]
)


class Unserialisable(ValueError):
    """A property value that has no wire form (null, for one)."""


def encode_value(value: PropertyValue | None) -> bytes:
    r"""Serialise a property value as Envoy's ``serializeValue`` does.

    Examples
    --------
    >>> encode_value(200).hex()
    'c800000000000000'
    >>> encode_value(True), encode_value(b"text")
    (b'\x01', b'text')
    """
    match value:
        case bytes():
            return value
        case bool():
            return b"\1" if value else b"\0"
        case int():
            return struct.pack("<Q", value & _MASK_64)
        case float():
            return struct.pack("<d", value)
        case Uint():
            return struct.pack("<Q", value.value & _MASK_64)
        case Nanoseconds():
            return struct.pack("<Q", value.value & _MASK_64)
        case Message() if value.wire is not None:
            return value.wire
        case Message() if value.is_empty:
            return b""
        case Message():
            raise NotModelled("the attribute as a whole: not all fields of the message are known")
        case Mapping():
            return _encode_list([(key, encode_value(item)) for key, item in value.items()])
        case None:
            raise Unserialisable("null")
        case _:
            return _encode_list([(encode_value(item), b"") for item in value])


def _encode_list(pairs: Sequence[Pair]) -> bytes:
    """Serialise pairs; unlike an empty header map, an empty map or list is a count of zero."""
    return encode_pairs(pairs) or struct.pack("<I", 0)
