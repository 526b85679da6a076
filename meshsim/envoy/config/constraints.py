"""Constraints that Envoy checks on every message before it uses it: the rules of protoc-gen-validate.

Before them, and for all durations of a message at once, Envoy asks that none is negative.
Messages are checked in the order of the generated code: fields as they are declared, oneofs last; the first violation
ends it. An ``Any`` is opaque: Envoy checks what is inside when a factory unpacks it, as a message of its own.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from meshsim.envoy.config.parsed import ParsedMessage, Place, Problem
from meshsim.envoy.config.schema import FieldSchema, Schema

_DURATION = "google.protobuf.Duration"
_NUMBERS = frozenset({"int32", "int64", "uint32", "uint64", "float", "double", "duration"})
_WELL_KNOWN_REGEX: Mapping[tuple[str, bool], str] = {
    ("HTTP_HEADER_NAME", True): r"^:?[0-9a-zA-Z!#$%&'*+-.^_|~`]+$",
    ("HTTP_HEADER_VALUE", True): r"^[^\x00-\x08\n-\x1f\x7f]*$",
    ("HTTP_HEADER_NAME", False): r"^[^\x00\n\r]*$",
    ("HTTP_HEADER_VALUE", False): r"^[^\x00\n\r]*$",
}
_DURATION_UNITS = ((3_600_000_000_000, "h"), (60_000_000_000, "m"))

Violation = tuple[str, str, Place]
"""The chain of what failed as Envoy writes it, the last reason of the chain, and where."""


def violations(message: ParsedMessage, schema: Schema) -> Iterator[Problem]:
    """Yield what Envoy would refuse in a message, the first first; what is inside an ``Any`` is not looked at."""
    yield from _negative_durations(message)
    for chain, reason, place in _message(message, schema):
        yield Problem(f"Proto constraint validation failed ({chain})", reason, place)


def _negative_durations(message: ParsedMessage) -> Iterator[Problem]:
    for name, value in message.values.items():
        if message.schema.fields[name].type.target == _DURATION and isinstance(value, int) and value < 0:
            yield Problem.said("Invalid duration: Expected positive duration", message.place_of(name))
        for child in message.messages(name):
            if isinstance(child, ParsedMessage):
                yield from _negative_durations(child)


def _message(message: ParsedMessage, schema: Schema) -> Iterator[Violation]:
    for field in message.schema.fields.values():
        if not field.oneof:
            yield from _field(message, field, schema)
    # The generated code looks at oneofs after all other fields.
    for field in message.schema.fields.values():
        if field.oneof and field.name in message.values:
            yield from _field(message, field, schema)
    for oneof, members in message.schema.required_oneofs.items():
        if not any(member in message.values for member in members):
            yield f'field: "{oneof}", reason: is required', f"one of {', '.join(members)} is required", message.place


def _field(message: ParsedMessage, field: FieldSchema, schema: Schema) -> Iterator[Violation]:
    value = message.values.get(field.name)
    place = message.place_of(field.name)
    name = f"{message.schema.short_name}ValidationError.{_camel(field.name)}"
    if field.shape == "many":
        yield from _repeated(name, field, value or [], place, schema)
    elif field.shape == "map":
        yield from _map(name, field, value or {}, place, schema)
    else:
        yield from _single(name, field, field.rules, value, place, schema)


def _repeated(name: str, field: FieldSchema, items: list[Any], place: Place, schema: Schema) -> Iterator[Violation]:
    rules = field.rules.get("repeated", {})
    if len(items) < rules.get("min_items", 0):
        yield _say(name, f"value must contain at least {rules['min_items']} item(s)", place)
    if "max_items" in rules and len(items) > rules["max_items"]:
        yield _say(name, f"value must contain no more than {rules['max_items']} item(s)", place)
    if rules.get("unique") and len(set(map(repr, items))) < len(items):
        yield _say(name, "repeated value must contain unique items", place)
    for number, item in enumerate(items):
        at = item.place if isinstance(item, ParsedMessage) else place.item(number, place.line)
        yield from _single(f"{name}[{number}]", field, rules.get("items", {}), item, at, schema)


def _map(name: str, field: FieldSchema, entries: dict[str, Any], place: Place, schema: Schema) -> Iterator[Violation]:
    rules = field.rules.get("map", {})
    if len(entries) < rules.get("min_pairs", 0):
        yield _say(name, f"value must contain at least {rules['min_pairs']} pair(s)", place)
    for key, value in entries.items():
        for reason in _scalar_reasons(rules.get("keys", {}), key):
            yield _say(f"{name}[{key}]", reason, place)
        yield from _single(f"{name}[{key}]", field, rules.get("values", {}), value, place, schema)


def _single(
    name: str, field: FieldSchema, rules: Mapping[str, Any], value: Any, place: Place, schema: Schema
) -> Iterator[Violation]:
    required = rules.get("message", {}).get("required") or rules.get("duration", {}).get("required")
    if field.type.kind == "message" and value is None:
        if required or rules.get("any", {}).get("required"):
            yield _say(name, "value is required", place)
        return
    if isinstance(value, ParsedMessage):
        if not rules.get("message", {}).get("skip"):
            for chain, reason, at in _message(value, schema):
                yield f"{name}: embedded message failed validation | caused by {chain}", reason, at
        return
    if field.type.kind == "enum":
        reasons = _enum_reasons(rules.get("enum", {}), schema.enum(field.type.target), value)
    else:
        reasons = _scalar_reasons(rules, _DEFAULTS.get(field.type.kind) if value is None else value)
    for reason in reasons:
        yield _say(name, reason, place)


def _say(name: str, reason: str, place: Place) -> Violation:
    return f"{name}: {reason}", reason, place


_DEFAULTS: Mapping[str, Any] = {
    "string": "",
    "bytes": b"",
    "bool": False,
    **dict.fromkeys(("int32", "int64", "uint32", "uint64"), 0),
    **dict.fromkeys(("float", "double"), 0.0),
}


def _enum_reasons(rules: Mapping[str, Any], names: Mapping[str, int], value: Any) -> Iterator[str]:
    if rules.get("defined_only") and isinstance(value, int):
        yield "value must be one of the defined enum values"
    number = names.get(value, 0) if isinstance(value, str) else value or 0
    if number in rules.get("not_in", ()):
        yield f"value must not be in list [{', '.join(map(str, rules['not_in']))}]"


def _scalar_reasons(rules: Mapping[str, Any], value: Any) -> Iterator[str]:
    """Yield what is wrong with a scalar, in the words of the generated code."""
    for kind, rule in rules.items():
        if kind in _NUMBERS and isinstance(value, int | float):
            yield from _number_reasons(rule, value, _duration_text if kind == "duration" else _number_text)
        elif kind == "string" and isinstance(value, str):
            yield from _string_reasons(rule, value)
        elif kind == "bytes" and isinstance(value, bytes):
            yield from _length_reasons(rule, len(value), "min_len", "max_len", "bytes")
        elif kind == "bool" and "const" in rule and value != rule["const"]:
            yield f"value must equal {'true' if rule['const'] else 'false'}"


class _Bound(NamedTuple):
    holds: Callable[[float, float], bool]
    words: str
    bracket: str


_BOUNDS: Mapping[str, _Bound] = {
    "gt": _Bound(operator.gt, "greater than", "("),
    "gte": _Bound(operator.ge, "greater than or equal to", "["),
    "lt": _Bound(operator.lt, "less than", ")"),
    "lte": _Bound(operator.le, "less than or equal to", "]"),
}


def _number_reasons(rule: Mapping[str, Any], value: float, text: Callable[[float], str]) -> Iterator[str]:
    if rule.get("ignore_empty") and not value:
        return
    bounds = [name for name in _BOUNDS if name in rule]
    broken = [name for name in bounds if not _BOUNDS[name].holds(value, rule[name])]
    if broken and len(bounds) > 1:
        low, high = (_BOUNDS[name].bracket for name in bounds)
        yield f"value must be inside range {low}{text(rule[bounds[0]])}, {text(rule[bounds[1]])}{high}"
    elif broken:
        yield f"value must be {_BOUNDS[broken[0]].words} {text(rule[broken[0]])}"


def _number_text(number: float) -> str:
    return str(int(number)) if number == int(number) else f"{number:g}"


def _duration_text(duration_ns: float) -> str:
    """Return a duration in Go's words, which the generated code was written with.

    Examples
    --------
    >>> _duration_text(300_000_000_000), _duration_text(1_000_000), _duration_text(0)
    ('5m0s', '1ms', '0s')
    """
    left = int(duration_ns)
    for unit, name in ((1_000_000, "us"), (1_000_000_000, "ms")):
        if 0 < left < unit:
            return f"{left / (unit // 1000):g}{name}"
    text = ""
    for unit, name in _DURATION_UNITS:
        if left >= unit or text:
            text += f"{left // unit}{name}"
            left %= unit
    return f"{text}{left / 1_000_000_000:g}s"


def _string_reasons(rule: Mapping[str, Any], value: str) -> Iterator[str]:
    if rule.get("ignore_empty") and not value:
        return
    if "len" in rule and len(value) != rule["len"]:
        yield f"value length must be {rule['len']} characters"
    yield from _length_reasons(rule, len(value), "min_len", "max_len", "characters")
    yield from _length_reasons(rule, len(value.encode()), "min_bytes", "max_bytes", "bytes")
    pattern = rule.get("pattern")
    if "well_known_regex" in rule:
        pattern = _WELL_KNOWN_REGEX[rule["well_known_regex"], rule.get("strict", True)]
    if pattern is not None and not re.search(pattern.removesuffix("$") + r"\Z", value):
        yield f'value does not match regex pattern "{pattern}"'
    if not value.startswith(rule.get("prefix", "")):
        yield f'value does not have prefix "{rule["prefix"]}"'
    if not value.endswith(rule.get("suffix", "")):
        yield f'value does not have suffix "{rule["suffix"]}"'
    if "in" in rule and value not in rule["in"]:
        yield f"value must be in list [{', '.join(rule['in'])}]"


def _length_reasons(rule: Mapping[str, Any], length: int, low: str, high: str, unit: str) -> Iterator[str]:
    if length < rule.get(low, 0):
        yield f"value length must be at least {rule[low]} {unit}"
    if high in rule and length > rule[high]:
        yield f"value length must be at most {rule[high]} {unit}"


def _camel(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
