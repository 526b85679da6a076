"""YAML nodes read as protobuf messages, as Envoy's JSON parser reads them.

Theory of operation: one walk down the nodes, with the schema beside it. What does not fit is noted and left out, so
that one walk finds all problems. Envoy stops at the first, and tells an unknown field or enum value ("has unknown
fields") from anything else that is wrong ("Unable to parse JSON as proto"), which comes first; here both are kept.

Lenient as Envoy's parser is: fields in snake_case or camelCase, one value where a list of scalars or messages is asked,
``null`` for "not set", numbers as text, and messages such as ``{value: 1}`` for wrappers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from meshsim.envoy.config import scalars
from meshsim.envoy.config.document import Node, plain
from meshsim.envoy.config.parsed import ParsedAny, ParsedMessage, Place, Problem
from meshsim.envoy.config.scalars import UnknownEnumValue, WrongValue
from meshsim.envoy.config.schema import FieldSchema, FieldType, MessageSchema, Schema

_ANY = "google.protobuf.Any"
_STRUCT = "google.protobuf.Struct"
_WRAPPED: Mapping[str, str] = {
    f"google.protobuf.{name}Value": kind
    for name, kind in {
        "Bool": "bool",
        "Bytes": "bytes",
        "Double": "double",
        "Float": "float",
        "Int32": "int32",
        "Int64": "int64",
        "String": "string",
        "UInt32": "uint32",
        "UInt64": "uint64",
    }.items()
}
_SKIPPED = object()


class Reader:
    """Reads one root message, and collects what is wrong with it.

    Parameters
    ----------
    schema : Schema
        What Envoy knows.
    root : str
        Full name of the root message.

    Attributes
    ----------
    wrong, unknown : list of Problem
        Values that do not fit, and fields or enum values that Envoy does not know.
    """

    def __init__(self, schema: Schema, root: str) -> None:
        self._schema = schema
        self._root = root
        self.wrong: list[Problem] = []
        self.unknown: list[Problem] = []
        self._well_known: Mapping[str, Callable[[Node, Place], Any]] = {
            _ANY: self._any,
            _STRUCT: self._struct,
            "google.protobuf.Value": lambda node, place: plain(node),
            "google.protobuf.ListValue": self._list_value,
            "google.protobuf.Duration": self._duration,
            "google.protobuf.Timestamp": self._text,
            "google.protobuf.FieldMask": self._text,
        }

    @property
    def problems(self) -> list[Problem]:
        """All problems, the one that Envoy would name first."""
        return self.wrong + self.unknown

    def read(self, node: Node, place: Place | None = None) -> ParsedMessage:
        """Return the root message.

        Parameters
        ----------
        node : Node
            The root of the message.
        place : Place, optional
            Where the node stands in its file, for a message that is not the whole of it.
        """
        schema = self._schema.message(self._root)
        at = Place(place.path if place else "", "", node.line)
        try:
            scalars.expect(node.value, dict, "{")
        except WrongValue as error:
            self._add_wrong(error, at, FieldType("message", self._root))
            return ParsedMessage(schema, at)
        return self._message(schema, node, at)

    # --- messages ----------------------------------------------------------------------------------------------------

    def _message(self, schema: MessageSchema, node: Node, place: Place, skip: tuple[str, ...] = ()) -> ParsedMessage:
        parsed = ParsedMessage(schema, place)
        taken: set[str] = set()
        for key, child in node.value.items():
            if key in skip:
                continue
            field = schema.spellings.get(key)
            if field is None:
                self._add_unknown(f"no such field: '{key}'", place, schema, child.line)
                continue
            at = place.field(field.name, child.line)
            if child.value is None and field.type.target != "google.protobuf.Value":
                continue
            slot = field.oneof or field.name
            if slot in taken and (field.oneof or field.shape == "one"):
                words = f"'{key}' has already been set (either directly or as part of a oneof)"
                self._add_wrong(WrongValue(words), at, field.type)
                continue
            taken.add(slot)
            value = self._field(schema, field, child, at)
            if value is not _SKIPPED:
                self._store(parsed, field, value, at)
        return parsed

    @staticmethod
    def _store(parsed: ParsedMessage, field: FieldSchema, value: Any, place: Place) -> None:
        """Set a field; a list or map that is written under both of its names is one list or map."""
        known = parsed.values.get(field.name)
        if field.shape == "many" and known is not None:
            value = known + value
        elif field.shape == "map" and known is not None:
            value = known | value
        parsed.values[field.name] = value
        parsed.places.setdefault(field.name, place)

    def _field(self, owner: MessageSchema, field: FieldSchema, node: Node, place: Place) -> Any:
        if field.shape == "one":
            return self._value(field.type, node, place)
        if field.shape == "map":
            return self._map(owner, field, node, place)
        if not isinstance(node.value, list):
            value = self._value(field.type, node, place)
            return _SKIPPED if value is _SKIPPED else [value]
        items = (self._value(field.type, item, place.item(number, item.line)) for number, item in enumerate(node.value))
        return [item for item in items if item is not _SKIPPED]

    def _map(self, owner: MessageSchema, field: FieldSchema, node: Node, place: Place) -> Any:
        camel = "".join(part[:1].upper() + part[1:] for part in field.name.split("_"))
        if not isinstance(node.value, dict):
            self._mismatch(node.value, "{", place, FieldType("message", f"{owner.name}.{camel}Entry"))
            return _SKIPPED
        entries = {
            key: self._value(field.type, child, place.entry(key, number, child.line))
            for number, (key, child) in enumerate(node.value.items())
        }
        return {key: value for key, value in entries.items() if value is not _SKIPPED}

    # --- single values -----------------------------------------------------------------------------------------------

    def _value(self, kind: FieldType, node: Node, place: Place) -> Any:
        try:
            if kind.kind == "enum":
                return scalars.to_enum(self._schema.enum(kind.target), node.value)
            if kind.kind != "message":
                return "" if node.value is None else scalars.SCALARS[kind.kind](node.value)
            return self._message_value(kind.target, node, place)
        except WrongValue as error:
            self._add_wrong(error, place, kind)
        except UnknownEnumValue as error:
            says = f"unknown enum value: '{error}'"
            self.unknown.append(Problem(self._unknown_says(says), says, place))
        return _SKIPPED

    def _message_value(self, name: str, node: Node, place: Place) -> Any:
        if name in _WRAPPED:
            return scalars.SCALARS[_WRAPPED[name]](_unwrapped(node).value)
        if name in self._well_known:
            return self._well_known[name](node, place)
        if node.value is None:  # in a list or a map; elsewhere it stands for a field that is not set
            return ParsedMessage(self._schema.message(name), place)
        scalars.expect(node.value, dict, "{")
        return self._message(self._schema.message(name), node, place)

    def _text(self, node: Node, place: Place) -> str:
        return scalars.to_string(node.value)

    def _duration(self, node: Node, place: Place) -> int:
        if not isinstance(node.value, dict):
            return scalars.to_duration(node.value)
        parts = {key: scalars.to_int("int64", child.value) for key, child in node.value.items()}
        return parts.get("seconds", 0) * 1_000_000_000 + parts.get("nanos", 0)

    def _struct(self, node: Node, place: Place) -> Any:
        if node.value is None:  # in a map
            return {}
        if isinstance(node.value, dict):
            return plain(node)
        self._mismatch(node.value, "{", place.inside("<struct>"), FieldType("message", f"{_STRUCT}.FieldsEntry"))
        return _SKIPPED

    def _list_value(self, node: Node, place: Place) -> Any:
        scalars.expect(node.value, list, "[")
        return plain(node)

    def _any(self, node: Node, place: Place) -> Any:
        scalars.expect(node.value, dict, "{")
        url = node.value.get("@type")
        if url is None or url.value is None:
            if node.value:
                raise WrongValue("in legacy mode, missing @type in Any is only allowed for an empty object")
            return ParsedAny("", None, place)
        type_url = scalars.to_string(url.value)
        host, slash, message = type_url.rpartition("/")
        if not slash or not host:
            return self._bad_type(f"@type must contain at least one / and a nonempty host; got: {type_url}", place)
        if message not in self._schema:
            return self._bad_type(f"could not find @type '{type_url}'", place)
        inside = place.inside("<any>")
        if message in self._well_known or message in _WRAPPED:
            return ParsedAny(type_url, self._well_known_in_any(message, node, inside), place)
        value = self._message(self._schema.message(message), node, inside, skip=("@type",))
        return ParsedAny(type_url, value, place)

    def _well_known_in_any(self, message: str, node: Node, place: Place) -> Any:
        kind = FieldType("message", message)
        if node.value.keys() - {"@type", "value"}:
            words = WrongValue("fields in a well-known-typed Any must be @type or value")
            self._add_wrong(words, place, kind)
            return None
        child = node.value.get("value")
        if child is None or child.value is None:
            return None
        value = self._value(kind, child, place)
        return None if value is _SKIPPED else value

    # --- problems ----------------------------------------------------------------------------------------------------

    def _bad_type(self, words: str, place: Place) -> Any:
        says = f"Unable to parse JSON as proto (INVALID_ARGUMENT: {words})"
        self.wrong.append(Problem(says, words, place))
        return _SKIPPED

    def _mismatch(self, value: Any, opening: str, place: Place, kind: FieldType) -> None:
        words = f"unexpected character: '{scalars.first_character(value)}'; expected '{opening}'"
        self._add_wrong(WrongValue(words), place, kind)

    def _add_wrong(self, error: WrongValue, place: Place, kind: FieldType) -> None:
        where = f" @ {place.envoy_path}: {kind.words}" if place.envoy_path else ""
        says = f"Unable to parse JSON as proto (INVALID_ARGUMENT: invalid JSON in {self._root}{where}, near: {error})"
        self.wrong.append(Problem(says, f"not a {kind.words}: {error}", place))

    def _add_unknown(self, words: str, place: Place, owner: MessageSchema, line: int) -> None:
        where = f" @ {place.envoy_path}: message {owner.name}" if place.envoy_path else ""
        says = self._unknown_says(f"invalid JSON in {self._root}{where}, near: {words}")
        at = Place(place.path, place.envoy_path, line)
        self.unknown.append(Problem(says, f"{words} in {owner.name}", at))

    def _unknown_says(self, words: str) -> str:
        return f"Protobuf message (type {self._root} reason INVALID_ARGUMENT: {words}) has unknown fields"


def _unwrapped(node: Node) -> Node:
    """Return the node inside ``{value: ...}``, which the lenient parser takes for a wrapper."""
    if isinstance(node.value, dict) and node.value.keys() == {"value"}:
        inner: Node = node.value["value"]
        return inner
    return node
