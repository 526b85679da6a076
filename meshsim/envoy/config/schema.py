"""What Envoy knows: messages, fields, enums and constraints, read from ``known_fields.json``.

The file holds, besides the version of the Envoy that it was made from, for each message

* ``f``: field name to ``NUMBER[FLAG] TYPE``; flag D is deprecated, X is deprecated and refused by default;
* ``o``: oneof name to a list of "must be set" and the names of its members;
* ``r``: field name to the rules of protoc-gen-validate, durations in nanoseconds.

A type is a letter for a scalar (``s`` string, ``y`` bytes, ``b`` bool, ``i`` and ``I`` signed 32 and 64 bits, ``u``
and ``U`` unsigned, ``f`` and ``d`` floating point), ``m`` or ``e`` and the number of a message or enum in the file,
``[`` and the type of the items, or ``{``, the type of the keys and the type of the values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Any, Literal

_FIELD = re.compile(r"(\d+)([DX]?) ([\[{]?)(.+)")
_SCALARS: Mapping[str, str] = {
    "s": "string",
    "y": "bytes",
    "b": "bool",
    "i": "int32",
    "I": "int64",
    "u": "uint32",
    "U": "uint64",
    "f": "float",
    "d": "double",
}

Shape = Literal["one", "many", "map"]


@dataclass(frozen=True, slots=True)
class FieldType:
    """Type of one value: a scalar's name, or ``message`` or ``enum`` and which."""

    kind: str
    target: str = ""

    @property
    def words(self) -> str:
        """The type as Envoy's error messages name it."""
        return f"{self.kind} {self.target}" if self.target else self.kind


@dataclass(frozen=True, slots=True)
class FieldSchema:
    """One field.

    Attributes
    ----------
    oneof : str
        The oneof that the field is a member of, or "".
    rules : mapping
        Rules of protoc-gen-validate by kind, as in ``{"string": {"min_len": 1}}``.
    """

    name: str
    number: int
    shape: Shape
    type: FieldType
    key: FieldType | None = None
    flag: str = ""
    oneof: str = ""
    rules: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MessageSchema:
    """One message.

    Attributes
    ----------
    fields : mapping of str to FieldSchema
        By snake_case name, in the order of the protobuf file.
    spellings : mapping of str to FieldSchema
        By all the names that protobuf's JSON form accepts: snake_case and camelCase.
    required_oneofs : mapping of str to tuple of str
        Oneofs one of whose members must be set.
    """

    name: str
    fields: Mapping[str, FieldSchema]
    spellings: Mapping[str, FieldSchema]
    required_oneofs: Mapping[str, tuple[str, ...]]

    @property
    def short_name(self) -> str:
        """The name without its package and outer messages."""
        return self.name.rpartition(".")[2]


class Schema:
    """All messages and enums of one version of Envoy.

    Parameters
    ----------
    table : mapping
        The content of ``known_fields.json``.
    """

    def __init__(self, table: Mapping[str, Any]) -> None:
        self.envoy_version: str = table["envoy"]
        self._enums: dict[str, dict[str, int]] = table["enums"]
        self._rows: dict[str, dict[str, Any]] = table["messages"]
        self._enum_names = tuple(self._enums)
        self._message_names = tuple(self._rows)
        self._messages: dict[str, MessageSchema] = {}

    def __contains__(self, message: str) -> bool:
        return message in self._rows

    def message(self, name: str) -> MessageSchema:
        """Return one message; KeyError when Envoy has none of this name.

        Examples
        --------
        >>> known_schema().message("envoy.config.core.v3.Node").fields["id"].type.kind
        'string'
        """
        if name not in self._messages:
            self._messages[name] = self._build(name)
        return self._messages[name]

    def enum(self, name: str) -> Mapping[str, int]:
        """Return the numbers of an enum's values by name."""
        return MappingProxyType(self._enums[name])

    def _build(self, name: str) -> MessageSchema:
        row = self._rows[name]
        member_of = {member: oneof for oneof, (_, *members) in row.get("o", {}).items() for member in members}
        rules = row.get("r", {})
        fields = {
            field_name: self._field(field_name, text, member_of.get(field_name, ""), rules.get(field_name, {}))
            for field_name, text in row["f"].items()
        }
        camel = {_camel(field_name): entry for field_name, entry in fields.items()}
        required = {oneof: tuple(members) for oneof, (must, *members) in row.get("o", {}).items() if must}
        return MessageSchema(name, fields, camel | fields, required)

    def _field(self, name: str, text: str, oneof: str, rules: Mapping[str, Any]) -> FieldSchema:
        match = _FIELD.fullmatch(text)
        assert match is not None, text
        number, flag, shape, types = match.groups()
        if shape == "{":
            key = self._type(types[0])
            return FieldSchema(name, int(number), "map", self._type(types[1:]), key, flag, oneof, rules)
        return FieldSchema(name, int(number), "many" if shape else "one", self._type(types), None, flag, oneof, rules)

    def _type(self, code: str) -> FieldType:
        if code in _SCALARS:
            return FieldType(_SCALARS[code])
        if code[0] == "m":
            return FieldType("message", self._message_names[int(code[1:])])
        return FieldType("enum", self._enum_names[int(code[1:])])


def _camel(name: str) -> str:
    """Return a field's name as protobuf writes it in JSON."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


@cache
def known_schema() -> Schema:
    """Return the schema of the Envoy that meshsim follows; read once."""
    text = resources.files(__package__).joinpath("known_fields.json").read_text(encoding="utf-8")
    return Schema(json.loads(text))
