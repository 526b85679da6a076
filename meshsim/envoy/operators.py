"""What each command operator gives: ``%REQ(x)%`` and the like, and when it gives nothing.

All was read off Envoy 1.40, operator by operator, in headers of requests, of responses and of direct answers.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from time import gmtime, strftime
from typing import Any
from urllib.parse import unquote

from meshsim.abi.foreign.declared import StateObject
from meshsim.envoy.address import address_text
from meshsim.envoy.config.core import Metadata
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.response_flags import FLAGS
from meshsim.envoy.routing import query_parameters
from meshsim.envoy.stream import Stream
from meshsim.envoy.stream_info import StreamInfo
from meshsim.errors import NotModelled

_LOSSLESS = "surrogateescape"
#: What values of modules are in protobuf.
_BYTES_VALUE = "type.googleapis.com/google.protobuf.BytesValue"

Value = Any
"""What an operator gives: a text, a number, a JSON value; None for nothing."""

Getter = Callable[[Stream, str], Value]


def _text(value: bytes) -> str:
    return value.decode("utf-8", _LOSSLESS)


# --- messages ---


def header(headers: HeaderMap | None, argument: str) -> Value:
    """Give a header; ``name?alternative`` stands for the first of the two that is there."""
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


# --- times ---

_DEFAULT_TIME, _DEFAULT_LOCAL = "%Y-%m-%dT%H:%M:%S.%3fZ", "%Y-%m-%dT%H:%M:%S.%3f%z"
_FRACTION = re.compile(r"%([1-9])?f")
_UNITS = {"ns": 1, "us": 1_000, "ms": 1_000_000}

_POINTS: Mapping[str, Callable[[StreamInfo], int]] = {
    "DS_RX_BEG": lambda info: info.started_ns,
    "DS_RX_END": lambda info: info.request_end_ns,
    "US_TX_BEG": lambda info: info.upstream_begin_ns,
    "US_TX_END": lambda info: info.upstream_sent_ns,
    "US_RX_BEG": lambda info: info.upstream_answer_ns,
    "US_RX_END": lambda info: info.upstream_complete_ns,
    "DS_TX_END": lambda info: info.ended_ns,
}
"""Moments in a stream's life; -1 before they come."""


def time_text(time_ns: int, form: str) -> str:
    """Write a time (ns since 1970, UTC) in a format of strftime's; ``%3f`` is a fraction of so many digits.

    Examples
    --------
    >>> time_text(1_767_225_600_123_456_789, "%Y/%m/%d %H:%M:%S.%3f %s%6f")
    '2026/01/01 00:00:00.123 1767225600123456'
    """
    seconds, fraction = divmod(time_ns, 10**9)
    form = _FRACTION.sub(lambda match: f"{fraction:09}"[: int(match[1] or 9)], form).replace("%s", str(seconds))
    return strftime(form.replace("%z", "+0000").replace("%Z", "UTC"), gmtime(seconds))


def _started(stream: Stream, form: str) -> Value:
    return time_text(stream.info.surroundings.epoch_ns + stream.info.started_ns, form)


def _now(stream: Stream, form: str) -> Value:
    around = stream.info.surroundings
    return time_text(around.epoch_ns + around.now_ns(), form)


def _since_start(stream: Stream, point: str) -> Value:
    return _between(stream.info, "DS_RX_BEG", point, "ms")


def _between(info: StreamInfo, begin: str, end: str, unit: str) -> Value:
    times = [_POINTS[name](info) if name in _POINTS else -1 for name in (begin, end)]
    return None if -1 in times else (times[1] - times[0]) // _UNITS[unit]


def _common_duration(stream: Stream, argument: str) -> Value:
    """``BEGIN:END:UNIT``."""
    begin, end, unit, *_ = [*argument.split(":"), "ms", "ms"]
    return _between(stream.info, begin, end, unit if unit in _UNITS else "ms")


def _duration(stream: Stream) -> int:
    info = stream.info
    end_ns = info.surroundings.now_ns() if info.ended_ns < 0 else info.ended_ns
    return (end_ns - info.started_ns) // _UNITS["ms"]


# --- addresses ---


def _endpoint(address: tuple[str, int] | None) -> Value:
    return address_text(*address) if address else None


def _part(address: tuple[str, int] | None, number: int) -> Value:
    return address[number] if address else None


def _direct(stream: Stream) -> tuple[str, int]:
    """The peer, whatever headers say about the client."""
    return stream.info.peer or stream.info.source


def _connected(stream: Stream) -> tuple[str, int] | None:
    return stream.info.upstream if stream.info.upstream_connected else None


def _near_end(stream: Stream) -> tuple[str, int] | None:
    """The near end of the connection to the upstream."""
    far = _connected(stream)
    return ("127.0.0.1", far[1] + 20_000) if far else None


def _host_name(stream: Stream, address: tuple[str, int] | None) -> Value:
    """A host's name, or its address when it has none."""
    if address is None:
        return None
    cluster = stream.info.surroundings.cluster(_cluster(stream))
    return (cluster.host_names().get(address) if cluster else None) or address_text(*address)


def _without_port(text: Value) -> Value:
    return text.rpartition(":")[0] or text if isinstance(text, str) else text


def _cluster(stream: Stream) -> str:
    return (stream.route.cluster if stream.route else None) or ""


# --- metadata ---


def _metadata_of(stream: Stream, kind: str) -> Metadata | None:
    route, cluster = stream.route, stream.info.surroundings.cluster(_cluster(stream))
    match kind:
        case "ROUTE":
            return route.route.metadata if route else None
        case "VIRTUAL_HOST":
            return stream.virtual_host.metadata if stream.virtual_host else None
        case "LISTENER":
            return stream.info.listener.metadata
        case "CLUSTER":
            return cluster.metadata if cluster else None
        case "UPSTREAM_HOST":
            host = stream.info.surroundings.host(_cluster(stream), _connected(stream))
            return host.metadata if host else None
    return None


def _metadata(stream: Stream, argument: str) -> Value:
    """``KIND:NAMESPACE:KEY...``."""
    kind, *path = argument.split(":")
    metadata = _metadata_of(stream, kind)
    spaces = stream.info.dynamic_metadata if kind == "DYNAMIC" else metadata.filter_metadata if metadata else None
    value: Value = spaces if path else None
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


# --- filter state ---


def _filter_state(stream: Stream, argument: str) -> Value:
    """``NAME``, ``NAME:PLAIN``, ``NAME:TYPED``: an object as its text, or as JSON of its protobuf form."""
    name, _, form = argument.partition(":")
    value = stream.info.filter_state.get(name.encode("utf-8", _LOSSLESS))
    if value is None:
        return None
    if form == "PLAIN":
        return _text(value)
    if form not in ("", "TYPED") or not isinstance(value, StateObject) or value.declaration.schema:
        raise NotModelled(f"another form of a filter state object: %FILTER_STATE({argument})%")
    if not name.startswith("wasm."):
        return json.dumps(_text(value), ensure_ascii=False)
    return f'{{"@type":"{_BYTES_VALUE}","value":"{b64encode(value).decode()}"}}'


# --- the table ---


def _nothing(_: Stream, __: str) -> Value:
    return None


_UNUSED = (
    "CONNECTION_TERMINATION_DETAILS CUSTOM_FLAGS DOWNSTREAM_DIRECT_LOCAL_ADDRESS_ENDPOINT_ID "
    "DOWNSTREAM_HANDSHAKE_DURATION DOWNSTREAM_LOCAL_ADDRESS_ENDPOINT_ID DOWNSTREAM_LOCAL_CLOSE_REASON "
    "DOWNSTREAM_LOCAL_DNS_SAN DOWNSTREAM_LOCAL_EMAIL_SAN DOWNSTREAM_LOCAL_IP_SAN DOWNSTREAM_LOCAL_OTHERNAME_SAN "
    "DOWNSTREAM_LOCAL_SUBJECT DOWNSTREAM_LOCAL_URI_SAN DOWNSTREAM_PEER_CERT DOWNSTREAM_PEER_CERT_V_END "
    "DOWNSTREAM_PEER_CERT_V_START DOWNSTREAM_PEER_DNS_SAN DOWNSTREAM_PEER_EMAIL_SAN DOWNSTREAM_PEER_FINGERPRINT_1 "
    "DOWNSTREAM_PEER_FINGERPRINT_256 DOWNSTREAM_PEER_IP_SAN DOWNSTREAM_PEER_ISSUER DOWNSTREAM_PEER_OTHERNAME_SAN "
    "DOWNSTREAM_PEER_SERIAL DOWNSTREAM_PEER_SUBJECT DOWNSTREAM_PEER_URI_SAN DOWNSTREAM_TLS_CIPHER "
    "DOWNSTREAM_TLS_SESSION_ID DOWNSTREAM_TLS_VERSION DOWNSTREAM_TRANSPORT_FAILURE_REASON "
    "REQUESTED_SERVER_NAME ROUNDTRIP_DURATION SPAN_ID TLS_JA3_FINGERPRINT TLS_JA4_FINGERPRINT TRACE_ID "
    "UPSTREAM_LOCAL_CLOSE_REASON UPSTREAM_PEER_CERT UPSTREAM_PEER_CERT_V_END UPSTREAM_PEER_CERT_V_START "
    "UPSTREAM_PEER_ISSUER UPSTREAM_PEER_SUBJECT UPSTREAM_REMOTE_ADDRESS_ENDPOINT_ID UPSTREAM_SERVER_NAME "
    "UPSTREAM_TLS_CIPHER UPSTREAM_TLS_SESSION_ID UPSTREAM_TLS_VERSION VIRTUAL_CLUSTER_NAME"
)
"""There is no TLS and no span that is kept that these could tell of."""

OPERATORS: Mapping[str, Getter] = {
    **dict.fromkeys(("REQ", "REQUEST_HEADER"), lambda s, a: header(s.request_headers, a)),
    **dict.fromkeys(("RESP", "RESPONSE_HEADER"), lambda s, a: header(s.response_headers, a)),
    **dict.fromkeys(("TRAILER", "RESPONSE_TRAILER"), lambda s, a: header(s.response_trailers, a)),
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
    **dict.fromkeys(("BYTES_RETRANSMITTED", "PACKETS_RETRANSMITTED", "DOWNSTREAM_CX_RTT"), lambda s, a: 0),
    "UPSTREAM_TRANSPORT_FAILURE_REASON": lambda s, a: (s.info.transport_failure or "").replace(" ", "_") or None,
    "ROUTE_NAME": lambda s, a: (s.route.route.name if s.route else "") or None,
    "LISTENER_NAME": lambda s, a: s.info.listener.name or None,
    "FILTER_CHAIN_NAME": lambda s, a: s.info.filter_chain or None,
    "UNIQUE_ID": lambda s, a: s.info.surroundings.unique_id(),
    "STREAM_ID": lambda s, a: header(s.request_headers, "x-request-id"),
    "ACCESS_LOG_TYPE": lambda s, a: "NotSet",
    "METADATA": _metadata,
    "FILTER_STATE": _filter_state,
    "DYNAMIC_METADATA": lambda s, a: _metadata(s, f"DYNAMIC:{a}"),
    "CLUSTER_METADATA": lambda s, a: _metadata(s, f"CLUSTER:{a}"),
    "UPSTREAM_METADATA": lambda s, a: _metadata(s, f"UPSTREAM_HOST:{a}"),
    # times
    "START_TIME": lambda s, a: _started(s, a or _DEFAULT_TIME),
    "START_TIME_LOCAL": lambda s, a: _started(s, a or _DEFAULT_LOCAL),
    "EMIT_TIME": lambda s, a: _now(s, a or _DEFAULT_TIME),
    "EMIT_TIME_LOCAL": lambda s, a: _now(s, a or _DEFAULT_LOCAL),
    "DURATION": lambda s, a: _duration(s),
    "COMMON_DURATION": _common_duration,
    "REQUEST_DURATION": lambda s, a: _since_start(s, "DS_RX_END"),
    "REQUEST_TX_DURATION": lambda s, a: _since_start(s, "US_TX_END"),
    "RESPONSE_DURATION": lambda s, a: _since_start(s, "US_RX_BEG"),
    "RESPONSE_TX_DURATION": lambda s, a: _between(s.info, "US_RX_BEG", "DS_TX_END", "ms"),
    # the upstream
    **dict.fromkeys(("UPSTREAM_CLUSTER", "UPSTREAM_CLUSTER_RAW"), lambda s, a: s.route.cluster if s.route else None),
    "UPSTREAM_HOST": lambda s, a: _endpoint(s.info.upstream),
    "UPSTREAM_REMOTE_ADDRESS": lambda s, a: _endpoint(_connected(s)),
    "UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": lambda s, a: _part(_connected(s), 0),
    "UPSTREAM_REMOTE_PORT": lambda s, a: _part(_connected(s), 1),
    "UPSTREAM_LOCAL_ADDRESS": lambda s, a: _endpoint(_near_end(s)),
    "UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT": lambda s, a: _part(_near_end(s), 0),
    "UPSTREAM_LOCAL_PORT": lambda s, a: _part(_near_end(s), 1),
    "UPSTREAM_HOST_NAME": lambda s, a: _host_name(s, s.info.upstream),
    "UPSTREAM_HOST_NAME_WITHOUT_PORT": lambda s, a: _without_port(_host_name(s, s.info.upstream)),
    # Every try forgets those before it: the host that was connected to last is all that was attempted.
    "UPSTREAM_HOSTS_ATTEMPTED": lambda s, a: _endpoint(_connected(s)),
    "UPSTREAM_HOSTS_ATTEMPTED_WITHOUT_PORT": lambda s, a: _part(_connected(s), 0),
    "UPSTREAM_HOST_NAMES_ATTEMPTED": lambda s, a: _host_name(s, _connected(s)),
    "UPSTREAM_HOST_NAMES_ATTEMPTED_WITHOUT_PORT": lambda s, a: _without_port(_host_name(s, _connected(s))),
    "UPSTREAM_PROTOCOL": lambda s, a: s.info.upstream_protocol or None,
    "UPSTREAM_REQUEST_ATTEMPT_COUNT": lambda s, a: s.info.attempts,
    "UPSTREAM_DETECTED_CLOSE_TYPE": lambda s, a: "Normal" if s.info.upstream else None,
    "UPSTREAM_CONNECTION_POOL_READY_DURATION": lambda s, a: 0 if s.info.pool_answered else None,
    # the downstream
    "DOWNSTREAM_REMOTE_ADDRESS": lambda s, a: _endpoint(s.info.source),
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": lambda s, a: s.info.source[0],
    "DOWNSTREAM_REMOTE_PORT": lambda s, a: s.info.source[1],
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": lambda s, a: _endpoint(_direct(s)),
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": lambda s, a: _direct(s)[0],
    "DOWNSTREAM_DIRECT_REMOTE_PORT": lambda s, a: _direct(s)[1],
    **dict.fromkeys(
        ("DOWNSTREAM_LOCAL_ADDRESS", "DOWNSTREAM_DIRECT_LOCAL_ADDRESS"), lambda s, a: _endpoint(s.info.destination)
    ),
    **dict.fromkeys(
        ("DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", "DOWNSTREAM_DIRECT_LOCAL_ADDRESS_WITHOUT_PORT"),
        lambda s, a: s.info.destination[0],
    ),
    **dict.fromkeys(("DOWNSTREAM_LOCAL_PORT", "DOWNSTREAM_DIRECT_LOCAL_PORT"), lambda s, a: s.info.destination[1]),
    "DOWNSTREAM_DETECTED_CLOSE_TYPE": lambda s, a: "Normal",
    "CONNECTION_ID": lambda s, a: s.info.connection_id,
    **dict.fromkeys(_UNUSED.split(), _nothing),
    # What the reply would say by itself is known to the formatter alone.
    "LOCAL_REPLY_BODY": lambda s, a: "",
}
