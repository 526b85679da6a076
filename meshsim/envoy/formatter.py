"""Command operators: ``%REQ(x-user)%`` and the like, in header values that a configuration adds."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.stream import Stream
from meshsim.errors import UnmodelledField

_OPERATOR = re.compile(r"%(?:%|(?P<name>[A-Z_]+)(?:\((?P<argument>[^)]*)\))?(?::(?P<length>\d+))?%)")


class Values(Protocol):
    """Fills in a template for one stream."""

    def __call__(self, template: str) -> str: ...


def _header(headers: HeaderMap | None, argument: str) -> str:
    """``name?alternative``: the first of the two that is there, else ``-``."""
    for name in argument.split("?"):
        key = name.lower().encode()
        value = headers.get(b":authority" if key == b"host" else key) if headers else None
        if value is not None:
            return value.decode("utf-8", "surrogateescape")
    return "-"


def _endpoint(address: tuple[str, int] | None) -> str:
    return f"{address[0]}:{address[1]}" if address else "-"


Getter = Callable[[Stream, str], str]

OPERATORS: dict[str, Getter] = {
    "REQ": lambda s, a: _header(s.request_headers, a),
    "RESP": lambda s, a: _header(s.response_headers, a),
    "TRAILER": lambda s, a: _header(s.response_trailers, a),
    "PROTOCOL": lambda s, a: s.info.protocol,
    "RESPONSE_CODE": lambda s, a: str(s.info.code or 0),
    "RESPONSE_CODE_DETAILS": lambda s, a: s.info.details or "-",
    "RESPONSE_FLAGS": lambda s, a: ",".join(s.info.flags) or "-",
    "BYTES_RECEIVED": lambda s, a: str(s.info.bytes_received),
    "BYTES_SENT": lambda s, a: str(s.info.bytes_sent),
    "ROUTE_NAME": lambda s, a: (s.route.route.name if s.route else "") or "-",
    "VIRTUAL_CLUSTER_NAME": lambda s, a: "-",
    "UPSTREAM_CLUSTER": lambda s, a: (s.route.cluster if s.route else None) or "-",
    "UPSTREAM_HOST": lambda s, a: _endpoint(s.info.upstream),
    "UPSTREAM_REMOTE_ADDRESS": lambda s, a: _endpoint(s.info.upstream),
    "DOWNSTREAM_REMOTE_ADDRESS": lambda s, a: _endpoint(s.info.source),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": lambda s, a: s.info.source[0],
    "DOWNSTREAM_REMOTE_PORT": lambda s, a: str(s.info.source[1]),
    "DOWNSTREAM_LOCAL_ADDRESS": lambda s, a: _endpoint(s.info.destination),
    "DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": lambda s, a: s.info.destination[0],
    "DOWNSTREAM_LOCAL_PORT": lambda s, a: str(s.info.destination[1]),
    "CONNECTION_ID": lambda s, a: str(s.info.connection_id),
    "STREAM_ID": lambda s, a: _header(s.request_headers, "x-request-id"),
}


def values_of(stream: Stream) -> Values:
    """Give a function that fills in templates for a stream."""

    def fill(template: str) -> str:
        return _OPERATOR.sub(lambda match: _fill_one(match, stream), template)

    return fill


def check(template: str, where: str) -> None:
    """Refuse a template with an operator that is not modelled."""
    for match in _OPERATOR.finditer(template):
        if match["name"] and match["name"] not in OPERATORS:
            raise UnmodelledField(f"the command operator %{match['name']}%", where)


def _fill_one(match: re.Match[str], stream: Stream) -> str:
    if not match["name"]:
        return "%"
    getter = OPERATORS.get(match["name"])
    text = getter(stream, match["argument"] or "") if getter else "-"
    return text[: int(match["length"])] if match["length"] else text
