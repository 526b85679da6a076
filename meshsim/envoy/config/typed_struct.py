"""``TypedStruct``: a message of one type that stands for a message of another, as control planes write it.

Where an extension is configured, Envoy reads the ``Struct`` inside as the JSON of the type that it names, when it comes
to the extension. Elsewhere, as the configuration of a Wasm plugin, a ``TypedStruct`` is a message like any other.
"""

from __future__ import annotations

from typing import Any

from meshsim.envoy.config.document import Node
from meshsim.envoy.config.parsed import ParsedAny, ParsedMessage
from meshsim.envoy.config.protojson import Reader
from meshsim.envoy.config.schema import Schema

_TYPED_STRUCTS = frozenset({"udpa.type.v1.TypedStruct", "xds.type.v3.TypedStruct"})
_EXTENSION_SLOTS = frozenset({"typed_config", "typed_per_filter_config", "typed_extension_protocol_options"})


def unpack_typed_structs(value: Any, schema: Schema) -> None:
    """Replace, in place, each ``TypedStruct`` that configures an extension by the message that it stands for."""
    if isinstance(value, ParsedAny):
        unpack_typed_structs(value.value, schema)
    elif isinstance(value, list | dict):
        for child in value.values() if isinstance(value, dict) else value:
            unpack_typed_structs(child, schema)
    elif isinstance(value, ParsedMessage):
        for name, child in value.values.items():
            if name in _EXTENSION_SLOTS:
                slots = child if isinstance(child, dict) else value.values
                for key in child if isinstance(child, dict) else (name,):
                    slots[key] = _unpacked(slots[key], schema)
            unpack_typed_structs(value.values[name], schema)


def _unpacked(packed: Any, schema: Schema) -> Any:
    if not isinstance(packed, ParsedAny) or packed.message not in _TYPED_STRUCTS or packed.value is None:
        return packed
    type_url = packed.value.get("type_url", "")
    message = type_url.rpartition("/")[2]
    if message not in schema:
        return ParsedAny(type_url, None, packed.place)
    reader = Reader(schema, message)
    inner = reader.read(_as_node(packed.value.get("value", {}), packed.place.line), packed.place)
    return ParsedAny(type_url, inner, packed.place, tuple(reader.problems))


def _as_node(value: Any, line: int) -> Node:
    if isinstance(value, dict):
        return Node({key: _as_node(item, line) for key, item in value.items()}, line)
    if isinstance(value, list):
        return Node([_as_node(item, line) for item in value], line)
    return Node(value, line)
