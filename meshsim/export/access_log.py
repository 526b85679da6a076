"""A mesh's run as lines of an access log, in any format string of Envoy's.

A format is checked by the rules that Envoy itself has for it. An operator whose value a row of a mesh does not hold,
``%REQ(USER-AGENT)%`` for one, gives ``-``, as in Envoy where there is nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from meshsim.envoy.config.operators import format_errors
from meshsim.envoy.operators import time_text
from meshsim.envoy.response_flags import FLAGS
from meshsim.errors import ConfigError
from meshsim.export.files import EPOCH_NS, write_whole
from meshsim.mesh.rows import HopRow

if TYPE_CHECKING:
    from meshsim.mesh.result import Result

#: Envoy's own, where a listener's access log names none.
DEFAULT_FORM = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% '
    "%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "
    '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"'
)

_OPERATOR = re.compile(r"%(?:%|(?P<name>[A-Z0-9_]+)(?:\((?P<argument>[^)]*)\))?(?::(?P<length>\d+))?%)")
_TIME = "%Y-%m-%dT%H:%M:%S.%3fZ"
_NOTHING = "-"

Value = str | int | None


def _request_header(row: HopRow, argument: str) -> Value:
    return next((_HEADERS[name](row) for name in argument.lower().split("?") if name in _HEADERS), None)


def _response_header(row: HopRow, argument: str) -> Value:
    served = argument.lower() == "x-envoy-upstream-service-time" and row.status
    return (row.end_ns - row.start_ns - row.network_ns) // 1_000_000 if served else None


def _long_flags(row: HopRow) -> str:
    return ",".join(FLAGS[flag].long_name if flag in FLAGS else flag for flag in row.flags.split(",") if flag)


#: The headers that each request of a mesh has.
_HEADERS: Mapping[str, Callable[[HopRow], str]] = {
    ":method": lambda row: "GET",
    ":path": lambda row: "/",
    ":authority": lambda row: row.service,
    "x-request-id": lambda row: _uuid(row),
}

_OPERATORS: Mapping[str, Callable[[HopRow, str], Value]] = {
    "START_TIME": lambda row, form: time_text(EPOCH_NS + row.start_ns, form or _TIME),
    "EMIT_TIME": lambda row, form: time_text(EPOCH_NS + row.end_ns, form or _TIME),
    "REQ": _request_header,
    "REQUEST_HEADER": _request_header,
    "RESP": _response_header,
    "RESPONSE_HEADER": _response_header,
    "PATH": lambda row, _: "/",
    "STREAM_ID": lambda row, _: _uuid(row),
    "PROTOCOL": lambda row, _: "HTTP/1.1",
    "RESPONSE_CODE": lambda row, _: row.status,
    "RESPONSE_FLAGS": lambda row, _: row.flags or None,
    "RESPONSE_FLAGS_LONG": lambda row, _: _long_flags(row) or None,
    "BYTES_RECEIVED": lambda row, _: 0,
    "BYTES_SENT": lambda row, _: row.bytes_sent,
    "DURATION": lambda row, _: (row.end_ns - row.start_ns) // 1_000_000,
    "UPSTREAM_CLUSTER": lambda row, _: _cluster(row),
    "UPSTREAM_CLUSTER_RAW": lambda row, _: _cluster(row),
    "UPSTREAM_HOST": lambda row, _: row.pod or None,
    "UPSTREAM_HOST_NAME": lambda row, _: row.pod or None,
    "UPSTREAM_REQUEST_ATTEMPT_COUNT": lambda row, _: row.tries,
}


def lines(result: Result, form: str | None = None) -> Iterator[str]:
    """Yield a line for each hop, in the order in which hops ended; the client's own rows are no hops.

    Raises
    ------
    ConfigError
        Envoy would refuse the format; the error says what Envoy says.
    """
    form = DEFAULT_FORM if form is None else form
    for error in format_errors(form):
        raise ConfigError(error, form, "Envoy's documentation of access logs lists the command operators")
    ended = result.rows.find("not root")
    order = ended.numbers("end_ns").argsort(kind="stable").tolist()
    for place in order:
        row = ended[place]
        yield _OPERATOR.sub(lambda match, row=row: _filled(row, match), form)  # type: ignore[misc]


def write(result: Result, path: str | Path, form: str | None = None) -> None:
    """Write the lines."""
    write_whole(path, "".join(f"{line}\n" for line in lines(result, form)))


def _filled(row: HopRow, match: re.Match[str]) -> str:
    name = match["name"]
    if not name:
        return "%"
    value = _OPERATORS[name](row, match["argument"] or "") if name in _OPERATORS else None
    text = _NOTHING if value is None else str(value)
    return text[: int(match["length"])] if match["length"] else text


def _cluster(row: HopRow) -> str:
    """A cluster as Istio names it."""
    return f"outbound|80||{row.service}.default.svc.cluster.local"


def _uuid(row: HopRow) -> str:
    """One id for all hops of a request, in the form of a random UUID."""
    digits = sha256(f"request {row.request}".encode()).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"
