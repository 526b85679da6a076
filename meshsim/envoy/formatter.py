"""Command operators: ``%REQ(x-user)%`` and the like, in headers that a configuration adds and in bodies of replies.

What an operator gives, and what stands for nothing, was read off Envoy 1.40: in a header nothing is the empty text,
in a body it is ``-``, in JSON ``null``. An operator alone in a JSON string keeps its type.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from meshsim.envoy.address import address_text
from meshsim.envoy.config.core import SubstitutionFormatString
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.response_flags import FLAGS
from meshsim.envoy.routing import query_parameters
from meshsim.envoy.stream import Stream

_OPERATOR = re.compile(r"%(?:%|(?P<name>[A-Z_]+)(?:\((?P<argument>[^)]*)\))?(?::(?P<length>\d+))?%)")

_LOSSLESS = "surrogateescape"

Value = str | int | None
Getter = Callable[[Stream, str], Value]


def _text(value: bytes) -> str:
    return value.decode("utf-8", _LOSSLESS)


def _header(headers: HeaderMap | None, argument: str) -> Value:
    """``name?alternative``: the first of the two that is there."""
    for name in argument.split("?"):
        value = headers.get(name.lower().encode()) if headers else None
        if value is not None:
            return _text(value)
    return None


def _path(stream: Stream, argument: str) -> Value:
    """The path; ``NQ`` leaves out the query."""
    path = stream.request_headers.get(b":path")
    if path is None:
        return None
    return _text(path.partition(b"?")[0] if argument == "NQ" else path)


def _query(stream: Stream) -> str:
    return _text((stream.request_headers.get(b":path") or b"").partition(b"?")[2])


def _parameter(query: str, wanted: str) -> Value:
    """The first value of a query parameter; escapes are read, a plus sign is itself."""
    values = (value for name, value in query_parameters(query) if unquote(name) == wanted)
    return next((unquote(value, errors=_LOSSLESS) for value in values), None)


def _flags(stream: Stream, *, long: bool) -> str:
    flags = dict.fromkeys(stream.info.flags)
    return ",".join(FLAGS[flag].long_name if long else flag for flag in flags) or "-"


def _endpoint(address: tuple[str, int] | None) -> Value:
    return address_text(*address) if address else None


def _upstream(stream: Stream) -> tuple[str, int] | None:
    return stream.info.upstream


def _nothing(_: Stream, __: str) -> Value:
    return None


_UNUSED = (
    "CONNECTION_TERMINATION_DETAILS CUSTOM_FLAGS DOWNSTREAM_TRANSPORT_FAILURE_REASON DYNAMIC_METADATA "
    "REQUESTED_SERVER_NAME SPAN_ID TRACE_ID UPSTREAM_SERVER_NAME UPSTREAM_TRANSPORT_FAILURE_REASON "
    "VIRTUAL_CLUSTER_NAME"
)
"""There is no TLS, no tracing and no filter with metadata that these could tell of."""

OPERATORS: Mapping[str, Getter] = {
    **dict.fromkeys(("REQ", "REQUEST_HEADER"), lambda s, a: _header(s.request_headers, a)),
    **dict.fromkeys(("RESP", "RESPONSE_HEADER"), lambda s, a: _header(s.response_headers, a)),
    **dict.fromkeys(("TRAILER", "RESPONSE_TRAILER"), lambda s, a: _header(s.response_trailers, a)),
    "PROTOCOL": lambda s, a: s.info.protocol,
    "PATH": _path,
    "QUERY_PARAM": lambda s, a: _parameter(_query(s), a),
    "QUERY_PARAMS": lambda s, a: _query(s) or None,
    "RESPONSE_CODE": lambda s, a: s.info.code or 0,
    "RESPONSE_CODE_DETAILS": lambda s, a: s.info.details or None,
    "RESPONSE_FLAGS": lambda s, a: _flags(s, long=False),
    "RESPONSE_FLAGS_LONG": lambda s, a: _flags(s, long=True),
    "BYTES_RECEIVED": lambda s, a: s.info.bytes_received,
    "BYTES_SENT": lambda s, a: s.info.bytes_sent,
    "ROUTE_NAME": lambda s, a: (s.route.route.name if s.route else "") or None,
    **dict.fromkeys(("UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW"), lambda s, a: s.route.cluster if s.route else None),
    **dict.fromkeys(("UPSTREAM_HOST", "UPSTREAM_REMOTE_ADDRESS"), lambda s, a: _endpoint(_upstream(s))),
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": lambda s, a: (_upstream(s) or (None, 0))[0],
    "UPSTREAM_REMOTE_PORT": lambda s, a: (_upstream(s) or ("", None))[1],
    "UPSTREAM_REQUEST_ATTEMPT_COUNT": lambda s, a: s.info.attempts,
    "DOWNSTREAM_REMOTE_ADDRESS": lambda s, a: _endpoint(s.info.source),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": lambda s, a: s.info.source[0],
    "DOWNSTREAM_REMOTE_PORT": lambda s, a: s.info.source[1],
    "DOWNSTREAM_LOCAL_ADDRESS": lambda s, a: _endpoint(s.info.destination),
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": lambda s, a: s.info.destination[0],
    "DOWNSTREAM_LOCAL_PORT": lambda s, a: s.info.destination[1],
    "CONNECTION_ID": lambda s, a: s.info.connection_id,
    "STREAM_ID": lambda s, a: _header(s.request_headers, "x-request-id"),
    "ACCESS_LOG_TYPE": lambda s, a: "NotSet",
    **dict.fromkeys(_UNUSED.split(), _nothing),
    # What the reply would say by itself is known to the formatter alone.
    "LOCAL_REPLY_BODY": lambda s, a: "",
}


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
        return self.absent if value is None else str(value)

    def _value(self, match: re.Match[str]) -> Value:
        name = match["name"]
        value = self.body if name == "LOCAL_REPLY_BODY" else OPERATORS[name](self.stream, match["argument"] or "")
        return value[: int(match["length"])] if isinstance(value, str) and match["length"] else value

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
    fill = Formatter(stream, "" if config.omit_empty_values else "-", _text(body))
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
