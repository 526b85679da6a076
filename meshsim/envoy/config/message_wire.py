"""Any message of a configuration as protobuf bytes: what a module sees when such a message configures it.

The rules are those of proto3: fields in the order of their numbers, none for a scalar of the default value unless it is
a member of a oneof, numbers of a list packed. Envoy writes the entries of a map in an order that changes from one run
to the next; here they are in the order of the file.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from meshsim.envoy.config.parsed import ParsedAny, ParsedMessage
from meshsim.envoy.config.schema import FieldSchema, FieldType, known_schema
from meshsim.envoy.config.struct_wire import UNWRAPPED, WELL_KNOWN, field_bytes, varint

_BYTES = 2
_SCALARS: Mapping[str, tuple[int, Callable[[Any], bytes]]] = {
    "string": (_BYTES, lambda value: str(value).encode()),
    "bytes": (_BYTES, bytes),
    "float": (5, lambda value: struct.pack("<f", value)),
    "double": (1, lambda value: struct.pack("<d", value)),
}
"""Wire type and bytes of a scalar; all others are varints."""


def configuration_content(packed: ParsedAny) -> bytes:
    """Return what a module sees of a configuration: ``StringValue`` and ``BytesValue`` unwrapped, others serialized.

    Raises
    ------
    ValueError
        For a time that is none.
    """
    if packed.value is not None and packed.message in UNWRAPPED:
        return UNWRAPPED[packed.message](packed.value)
    return content_bytes(packed.message, packed.value)


def content_bytes(message: str, value: Any) -> bytes:
    """Return the bytes of a message, given as the reader of configurations gives it."""
    if value is None:
        return b""
    if isinstance(value, ParsedAny):
        return _any_bytes(value)
    if isinstance(value, ParsedMessage):
        return message_bytes(value)
    return WELL_KNOWN[message](value)


def message_bytes(parsed: ParsedMessage) -> bytes:
    """Return the bytes of a message that has no form of its own in JSON."""
    fields = sorted(parsed.schema.fields.values(), key=lambda field: field.number)
    return b"".join(
        piece for field in fields if field.name in parsed.values for piece in _field(field, parsed.values[field.name])
    )


def _any_bytes(packed: ParsedAny) -> bytes:
    parts = ((1, packed.type_url.encode()), (2, content_bytes(packed.message, packed.value)))
    return b"".join(field_bytes(number, _BYTES, part) for number, part in parts if part)


def _field(field: FieldSchema, value: Any) -> Iterator[bytes]:
    if field.shape == "map":
        assert field.key is not None
        for key, item in value.items():
            entry = _tagged(1, field.key, key) + _tagged(2, field.type, item)
            yield field_bytes(field.number, _BYTES, entry)
    elif field.shape == "one":
        if field.oneof or field.type.kind == "message" or _has_content(field.type, value):
            yield _tagged(field.number, field.type, value)
    elif field.type.kind in ("message", "string", "bytes"):
        for item in value:
            yield _tagged(field.number, field.type, item)
    elif value:
        yield field_bytes(field.number, _BYTES, b"".join(_payload(field.type, item)[1] for item in value))


def _has_content(kind: FieldType, value: Any) -> bool:
    return _number(kind, value) != 0 if kind.kind == "enum" else bool(value)


def _tagged(number: int, kind: FieldType, value: Any) -> bytes:
    return field_bytes(number, *_payload(kind, value))


def _payload(kind: FieldType, value: Any) -> tuple[int, bytes]:
    if kind.kind == "message":
        return _BYTES, content_bytes(kind.target, value)
    if kind.kind in _SCALARS:
        wire, encode = _SCALARS[kind.kind]
        return wire, encode(value)
    return 0, varint(_number(kind, value))


def _number(kind: FieldType, value: Any) -> int:
    """Return a whole number, a boolean's or that of an enum's value; keys of maps are text in JSON."""
    if kind.kind == "enum" and isinstance(value, str):
        return known_schema().enum(kind.target)[value]
    if kind.kind == "bool" and isinstance(value, str):
        return int(value == "true")
    return int(value)
