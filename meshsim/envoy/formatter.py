"""Command operators: ``%REQ(x-user)%`` and the like, in headers that a configuration adds and in bodies of replies.

What an operator gives, and what stands for nothing, was read off Envoy 1.40: in a header nothing is the empty text,
in a body it is ``-``, in JSON ``null``. An operator alone in a JSON string keeps its type.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from meshsim.envoy.config.core import SubstitutionFormatString
from meshsim.envoy.operators import OPERATORS, Value
from meshsim.envoy.stream import Stream

_OPERATOR = re.compile(r"%(?:%|(?P<name>[A-Z0-9_]+)(?:\((?P<argument>[^)]*)\))?(?::(?P<length>\d+))?%)")

_LOSSLESS = "surrogateescape"


def _as_text(value: Value) -> str:
    """A value in a text: as it is, or in JSON."""
    match value:
        case str():
            return value
        case bool() | dict() | list() | tuple():
            return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        case float() if value.is_integer():
            return str(int(value))
    return str(value)


@dataclass(frozen=True, slots=True)
class Formatter:
    """Fills in templates for one stream; ``absent`` stands for nothing, ``body`` is what a reply says by itself."""

    stream: Stream
    absent: str = ""
    body: str = ""

    def __call__(self, template: str) -> str:
        """Fill in a text."""
        return _OPERATOR.sub(self._fill_one, template)

    def _fill_one(self, match: re.Match[str]) -> str:
        if not match["name"]:
            return "%"
        value = self._value(match)
        return self.absent if value is None else _as_text(value)

    def _value(self, match: re.Match[str]) -> Value:
        name = match["name"]
        value = self.body if name == "LOCAL_REPLY_BODY" else OPERATORS[name](self.stream, match["argument"] or "")
        return value if value is None or not match["length"] else _as_text(value)[: int(match["length"])]

    def json_value(self, template: Any, *, keep_absent: bool) -> Any:
        """Fill in a JSON value."""
        match template:
            case str():
                alone = _OPERATOR.fullmatch(template)
                return self._value(alone) if alone and alone["name"] else self(template)
            case list():
                return [self.json_value(item, keep_absent=keep_absent) for item in template]
            case dict():
                filled = {key: self.json_value(item, keep_absent=keep_absent) for key, item in template.items()}
                return {key: item for key, item in filled.items() if keep_absent or item is not None}
            case float() if template.is_integer():
                return int(template)
        return template


def values_of(stream: Stream) -> Formatter:
    """Give what fills in the headers that a configuration adds."""
    return Formatter(stream)


def format_body(config: SubstitutionFormatString, stream: Stream, body: bytes) -> bytes:
    """Give a reply's body in a format; ``body`` is what it would say by itself."""
    fill = Formatter(stream, "" if config.omit_empty_values else "-", body.decode("utf-8", _LOSSLESS))
    if config.json_format is not None:
        value = fill.json_value(dict(config.json_format), keep_absent=not config.omit_empty_values)
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")) + "\n"
    else:
        source = config.text_format_source
        text = fill((source.inline_string if source else config.text_format) or "")
    return text.encode("utf-8", _LOSSLESS)


def content_type(config: SubstitutionFormatString) -> bytes:
    """Give the type of a formatted body."""
    default = "text/plain" if config.json_format is None else "application/json"
    return (config.content_type or default).encode()
