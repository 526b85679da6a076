"""Which command operators (``%REQ(x)%`` and the like) Envoy takes in a header value or a format.

Every operator, and what it says to an argument or a length, was tried on Envoy 1.40; the outcome is in
``command_operators.json``: operators that are ``bare``, have an ``optional`` argument and no length, have a
``required`` argument and perhaps a length, or have their ``own rules``, which are not checked here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

_COMMAND = re.compile(r"%([A-Z0-9_]+)(?:\((.*?)\))?(?::(\d+))?%")

_HEADERS = frozenset(("REQ", "RESP", "TRAILER", "REQUEST_HEADER", "RESPONSE_HEADER", "RESPONSE_TRAILER"))

_MODELLED = (
    "ACCESS_LOG_TYPE BYTES_RECEIVED BYTES_RETRANSMITTED BYTES_SENT CLUSTER_METADATA COMMON_DURATION CONNECTION_ID "
    "CONNECTION_TERMINATION_DETAILS CUSTOM_FLAGS DOWNSTREAM_CX_RTT DOWNSTREAM_DETECTED_CLOSE_TYPE "
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID "
    "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_LOCAL_PORT DOWNSTREAM_DIRECT_REMOTE_ADDRESS "
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT DOWNSTREAM_DIRECT_REMOTE_PORT DOWNSTREAM_HANDSHAKE_DURATION "
    "DOWNSTREAM_LOCAL_ADDRESS DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT "
    "DOWNSTREAM_LOCAL_CLOSE_REASON DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_LOCAL_EMAIL_SAN DOWNSTREAM_LOCAL_IP_SAN "
    "DOWNSTREAM_LOCAL_OTHERNAME_SAN DOWNSTREAM_LOCAL_PORT DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_LOCAL_URI_SAN "
    "DOWNSTREAM_PEER_CERT DOWNSTREAM_PEER_CERT_V_END DOWNSTREAM_PEER_CERT_V_START DOWNSTREAM_PEER_DNS_SAN "
    "DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_PEER_FINGERPRINT_1 DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_IP_SAN "
    "DOWNSTREAM_PEER_ISSUER DOWNSTREAM_PEER_OTHERNAME_SAN DOWNSTREAM_PEER_SERIAL DOWNSTREAM_PEER_SUBJECT "
    "DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_REMOTE_ADDRESS DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT "
    "DOWNSTREAM_REMOTE_PORT DOWNSTREAM_TLS_CIPHER DOWNSTREAM_TLS_SESSION_ID DOWNSTREAM_TLS_VERSION "
    "DOWNSTREAM_TRANSPORT_FAILURE_REASON DURATION DYNAMIC_METADATA EMIT_TIME EMIT_TIME_LOCAL FILTER_CHAIN_NAME "
    "FILTER_STATE "
    "LISTENER_NAME LOCAL_REPLY_BODY METADATA PACKETS_RETRANSMITTED PATH PROTOCOL QUERY_PARAM QUERY_PARAMS REQ "
    "REQUESTED_SERVER_NAME REQUEST_DURATION REQUEST_HEADER REQUEST_TX_DURATION RESP RESPONSE_CODE "
    "RESPONSE_CODE_DETAILS RESPONSE_DURATION RESPONSE_FLAGS RESPONSE_FLAGS_LONG RESPONSE_HEADER RESPONSE_TRAILER "
    "RESPONSE_TX_DURATION ROUNDTRIP_DURATION ROUTE_NAME SPAN_ID START_TIME START_TIME_LOCAL STREAM_ID "
    "TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT TRACE_ID TRAILER UNIQUE_ID UPSTREAM_CLUSTER UPSTREAM_CLUSTER_RAW "
    "UPSTREAM_CONNECTION_POOL_READY_DURATION UPSTREAM_DETECTED_CLOSE_TYPE UPSTREAM_HOST UPSTREAM_HOSTS_ATTEMPTED "
    "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT UPSTREAM_HOST_NAME UPSTREAM_HOST_NAMES_ATTEMPTED "
    "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT UPSTREAM_HOST_NAME_WITHOUT_PORT UPSTREAM_LOCAL_ADDRESS "
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT UPSTREAM_LOCAL_CLOSE_REASON UPSTREAM_LOCAL_PORT UPSTREAM_METADATA "
    "UPSTREAM_PEER_CERT UPSTREAM_PEER_CERT_V_END UPSTREAM_PEER_CERT_V_START UPSTREAM_PEER_ISSUER "
    "UPSTREAM_PEER_SUBJECT UPSTREAM_PROTOCOL UPSTREAM_REMOTE_ADDRESS UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID "
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT UPSTREAM_REMOTE_PORT UPSTREAM_REQUEST_ATTEMPT_COUNT UPSTREAM_SERVER_NAME "
    "UPSTREAM_TLS_CIPHER UPSTREAM_TLS_SESSION_ID UPSTREAM_TLS_VERSION UPSTREAM_TRANSPORT_FAILURE_REASON "
    "VIRTUAL_CLUSTER_NAME"
)
MODELLED = frozenset(_MODELLED.split())
"""Operators that the formatter fills in."""


def unmodelled_operators(value: Any) -> list[str]:
    """Return the operators in a format (a text, or the texts in a JSON value) that are not modelled.

    Examples
    --------
    >>> unmodelled_operators({"a": ["%REQ(x)%", "%HOSTNAME%"]})
    ['HOSTNAME']
    """
    if isinstance(value, str):
        return [match[1] for match in _COMMAND.finditer(value) if match[1] not in MODELLED]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [name for item in items for name in unmodelled_operators(item)]


@cache
def _kinds() -> dict[str, str]:
    """Return what kind of operator each name is."""
    text = resources.files(__package__).joinpath("command_operators.json").read_text(encoding="utf-8")
    table: dict[str, list[str]] = json.loads(text)
    del table["envoy"]
    return {name: kind for kind, names in table.items() for name in names}


def format_errors(text: str) -> Iterator[str]:
    """Yield what Envoy says against a format, in the order of its operators.

    Examples
    --------
    >>> list(format_errors("%REQ(x)% 100%%")), list(format_errors("%REQ%")), list(format_errors("50%"))
    ([], ['REQ requires parameters'], ["Incorrect configuration: 50%. Couldn't find valid command at position 2"])
    """
    position = text.find("%")
    while position >= 0:
        if text.startswith("%%", position):
            end = position + 2
        elif match := _COMMAND.match(text, position):
            name, argument, length = match.groups()
            yield from _command_errors(name, argument, length)
            end = match.end()
        else:
            yield f"Incorrect configuration: {text}. Couldn't find valid command at position {position}"
            return
        position = text.find("%", end)


def json_format_errors(value: Any) -> Iterator[str]:
    """Yield what Envoy says against the formats in a JSON value."""
    if isinstance(value, str):
        yield from format_errors(value)
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from json_format_errors(item)


def _command_errors(name: str, argument: str | None, length: str | None) -> Iterator[str]:
    kind = _kinds().get(name)
    if kind is None:
        yield f"Not supported field in StreamInfo: {name}"
    elif kind == "bare" and (argument is not None or length is not None):
        yield f"{name} does not take any parameters or length"
    elif kind == "optional" and length is not None:
        yield f"{name} does not allow length to be specified."
    elif kind == "required" and not argument:
        yield f"{name} requires parameters"
    elif name in _HEADERS and argument and argument.count("?") > 1:
        yield f"More than 1 alternative header specified in token: {argument}"
