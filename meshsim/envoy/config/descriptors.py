"""Generator of ``known_fields.json``: every message and field that one Envoy knows, read out of its binary.

An Envoy binary carries the descriptors of its protobuf files, uncompressed. This module finds them and writes what
meshsim needs to read a configuration as that Envoy does: fields with their numbers, types and oneofs, enum values, and
the constraints that protoc-gen-validate checks. It runs only to make the file anew, and needs the package
``protobuf``::

    python -m meshsim.envoy.config.descriptors PATH/TO/envoy VERSION

The file is read by :mod:`meshsim.envoy.config.schema`, which documents the format.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

# Protobuf is not a dependency of meshsim; to the type checker its objects are anything.
DescriptorProto = Any
FileDescriptorProto = Any

OUTPUT = Path(__file__).with_name("known_fields.json")

ROOTS = (
    "envoy.config.bootstrap.v3.Bootstrap",
    "envoy.config.route.v3.FilterConfig",
    "udpa.type.v1.TypedStruct",
    "xds.type.v3.TypedStruct",
)
"""Messages that are kept with all that they reach, besides those of the packages below."""

_ROOT_PACKAGES = (
    "envoy.config.",
    "envoy.extensions.",
    "envoy.type.",
    "envoy.watchdog.",
    "google.protobuf.",
    "xds.type.",
)
_LEFT_OUT = re.compile(r"google\.protobuf\.(.*Descriptor|.*Options|.*Set|Feature|Method|Api|Type|Enum|Field$|Mixin)")

_SCALARS = {1: "d", 2: "f", 3: "I", 4: "U", 5: "i", 8: "b", 9: "s", 12: "y", 13: "u", 17: "i", 18: "I"}
_MESSAGE, _ENUM, _REPEATED = 11, 14, 3

_FILE_START = re.compile(rb"\x0a([\x05-\x7f])([a-z0-9_./\-]+?\.proto)")
_FILE_TAGS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15})


def embedded_files(binary: bytes) -> Iterator[bytes]:
    """Yield the serialized file descriptors in a binary.

    A descriptor starts with field 1, the file's name, and goes on for as long as tags are those of a file descriptor.
    """
    for start in _FILE_START.finditer(binary):
        if len(start.group(2)) >= start.group(1)[0]:
            yield binary[start.start() : _end_of_file(binary, start.start())]


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7


def _end_of_file(data: bytes, start: int) -> int:
    position = start
    while True:
        tag, after = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if number not in _FILE_TAGS or wire not in (0, 2) or (number == 1 and position != start):
            return position
        value, after = _varint(data, after)
        position = after + value if wire == 2 else after


def load_files(binary: bytes) -> dict[str, FileDescriptorProto]:
    """Return the file descriptors in a binary by name, with the options that Envoy's own annotations define."""
    for name in ("duration_pb2", "timestamp_pb2"):  # what validate.proto depends on
        import_module(f"google.protobuf.{name}")
    descriptor_pb2 = import_module("google.protobuf.descriptor_pb2")
    pool = import_module("google.protobuf.descriptor_pool").Default()
    raw: dict[str, bytes] = {}
    for blob in embedded_files(binary):
        try:
            name = descriptor_pb2.FileDescriptorProto.FromString(blob).name
        except Exception:  # a name of a file that is not the start of a descriptor
            continue
        if len(blob) > len(raw.get(name, b"")):
            raw[name] = blob
    for needed in ("validate/validate.proto", "envoy/annotations/deprecation.proto"):
        pool.AddSerializedFile(raw[needed])
    # Parsed again, because the options above are understood only now.
    return {name: descriptor_pb2.FileDescriptorProto.FromString(blob) for name, blob in raw.items()}


class Extractor:
    """Turns descriptors into the compact form."""

    def __init__(self, files: dict[str, FileDescriptorProto]) -> None:
        find = import_module("google.protobuf.descriptor_pool").Default().FindExtensionByName
        self._rules = find("validate.rules")
        self._required = find("validate.required")
        self._disallowed = find("envoy.annotations.disallowed_by_default")
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, dict[str, int]] = {}
        for file in files.values():
            self._add_enums(file.package, file.enum_type)
            for message in file.message_type:
                self._add(file.package, message)

    def _add(self, scope: str, message: DescriptorProto) -> None:
        name = f"{scope}.{message.name}"
        self.messages[name] = message
        self._add_enums(name, message.enum_type)
        for nested in message.nested_type:
            self._add(name, nested)

    def _add_enums(self, scope: str, enums: Any) -> None:
        for enum in enums:
            self.enums[f"{scope}.{enum.name}"] = {value.name: value.number for value in enum.value}

    def reachable(self) -> list[str]:
        """Names of the messages to keep, sorted."""
        todo = [name for name in self.messages if name.startswith(_ROOT_PACKAGES) or name in ROOTS]
        seen: set[str] = set()
        while todo:
            name = todo.pop()
            if name in seen or _LEFT_OUT.match(name) or name not in self.messages:
                continue
            seen.add(name)
            todo += [field.type_name[1:] for field in self.messages[name].field if field.type == _MESSAGE]
        return sorted(name for name in seen if not self.messages[name].options.map_entry)

    def table(self, version: str) -> dict[str, Any]:
        """Everything, in the form that is written."""
        names = self.reachable()
        self._index = {name: str(number) for number, name in enumerate(names)}
        self._used_enums: dict[str, str] = {}
        messages = {name: self._message(name) for name in names}
        return {
            "envoy": version,
            "enums": {name: self.enums[name] for name in self._used_enums},
            "messages": messages,
        }

    def _message(self, name: str) -> dict[str, Any]:
        message = self.messages[name]
        fields, rules = {}, {}
        for field in message.field:
            kind = self._type(name, field)
            flag = "X" if field.options.Extensions[self._disallowed] else "D" if field.options.deprecated else ""
            fields[field.name] = f"{field.number}{flag} {kind}"
            if field.options.HasExtension(self._rules):
                rules[field.name] = _plain(field.options.Extensions[self._rules])
        entry: dict[str, Any] = {"f": fields}
        if oneofs := self._oneofs(message):
            entry["o"] = oneofs
        if rules := {field: rule for field, rule in rules.items() if rule}:
            entry["r"] = rules
        return entry

    def _oneofs(self, message: DescriptorProto) -> dict[str, list[Any]]:
        oneofs: dict[str, list[Any]] = {}
        for number, oneof in enumerate(message.oneof_decl):
            members = [
                field.name
                for field in message.field
                if field.HasField("oneof_index") and field.oneof_index == number and not field.proto3_optional
            ]
            if members:
                oneofs[oneof.name] = [bool(oneof.options.Extensions[self._required]), *members]
        return oneofs

    def _type(self, owner: str, field: Any) -> str:
        if field.type == _MESSAGE:
            target = field.type_name[1:]
            if (entry := self.messages.get(target)) is not None and entry.options.map_entry:
                key, value = entry.field
                return f"{{{self._type(owner, key)}{self._type(owner, value)}"
            kind = f"m{self._index.get(target, '')}"
        elif field.type == _ENUM:
            target = field.type_name[1:]
            kind = "e" + self._used_enums.setdefault(target, str(len(self._used_enums)))
        else:
            kind = _SCALARS[field.type]
        return f"[{kind}" if field.label == _REPEATED else kind


def _plain(rules: Any) -> dict[str, Any]:
    """Return the rules as JSON, with durations in nanoseconds."""
    out: dict[str, Any] = {}
    for descriptor, value in rules.ListFields():
        if descriptor.enum_type is not None:
            out[descriptor.name] = descriptor.enum_type.values_by_number[value].name
        elif not hasattr(value, "DESCRIPTOR"):
            values = value if isinstance(value, str | bytes | bool | int | float) else list(value)
            out[descriptor.name] = values.decode("latin-1") if isinstance(values, bytes) else values
        elif descriptor.message_type.full_name == "google.protobuf.Duration":
            out[descriptor.name] = value.ToNanoseconds()
        else:
            out[descriptor.name] = _plain(value)
    return out


def main(binary: str, version: str) -> None:
    """Write ``known_fields.json`` from one Envoy binary."""
    table = Extractor(load_files(Path(binary).read_bytes())).table(version)
    lines = [f'{{"envoy": {json.dumps(table["envoy"])},']
    for section in ("enums", "messages"):
        rows = [
            f"{json.dumps(name)}: {json.dumps(entry, separators=(',', ':'))}" for name, entry in table[section].items()
        ]
        lines.append(f'"{section}": {{\n' + ",\n".join(rows) + ("\n}," if section == "enums" else "\n}}"))
    OUTPUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
