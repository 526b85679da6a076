"""A mesh's run as OpenTelemetry's spans, in OTLP's JSON (opentelemetry-proto 1.x, "OTLP/JSON").

Where JSON of protobuf and JSON of OTLP differ, OTLP's rules hold: ids are lower-case hexadecimal and not base64, enums
are numbers, 64-bit numbers are strings. A hop is a SERVER span of its service, the client's own row a CLIENT span; a
filter's callout is a child of the request that the filter worked on, with the filter's name in ``meshsim.filter``;
their attributes have the names of OpenTelemetry's semantic conventions, and meshsim's own below ``meshsim.``.
"""

from __future__ import annotations

import json
from collections import defaultdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshsim.export.files import EPOCH_NS, write_whole
from meshsim.mesh.rows import HopRow

if TYPE_CHECKING:
    from meshsim.mesh.result import Result

Json = dict[str, Any]

_SERVER, _CLIENT = 2, 3
_UNSET, _ERROR = 0, 2


def spans(result: Result, requests: int = 1000) -> Json:
    """Return the first ``requests`` requests as an ``ExportTraceServiceRequest``."""
    by_service: dict[str, list[Json]] = defaultdict(list)
    for row in result.rows.find(f"0 <= request < {requests:d}"):
        by_service[row.service].append(_span(row, result.seed))
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": [_text("service.name", service), _text("service.namespace", "default")]},
                "scopeSpans": [{"scope": {"name": "meshsim"}, "spans": found}],
            }
            for service, found in by_service.items()
        ]
    }


def write(result: Result, path: str | Path, requests: int = 1000) -> None:
    """Write the spans, as one JSON object in one line: what a collector's file receiver reads."""
    write_whole(path, json.dumps(spans(result, requests), separators=(",", ":")) + "\n")


def _span(row: HopRow, seed: int) -> Json:
    root = row.parent < 0
    return {
        "traceId": _id(16, seed, row.request),
        "spanId": _id(8, seed, row.request, row.hop),
        "parentSpanId": "" if root else _id(8, seed, row.request, row.parent),
        "name": f"{row.service}" if root else f"GET {row.service}",
        "kind": _CLIENT if root else _SERVER,
        "startTimeUnixNano": str(EPOCH_NS + row.start_ns),
        "endTimeUnixNano": str(EPOCH_NS + row.end_ns),
        "attributes": _attributes(row),
        "status": {"code": _ERROR if row.failed else _UNSET},
    }


def _attributes(row: HopRow) -> list[Json]:
    texts = {
        "service.instance.id": row.pod,
        "cloud.availability_zone": row.zone,
        "thread.name": row.worker,
        "response_flags": row.flags,
        "meshsim.filter": row.filter,
    }
    numbers = {
        "http.response.status_code": row.status,
        "http.response.body.size": row.bytes_sent,
        "http.request.resend_count": max(0, row.tries - 1),
        "meshsim.proxy_ns": row.proxy_ns,
        "meshsim.queue_ns": row.queue_ns,
        "meshsim.app_ns": row.app_ns,
        "meshsim.network_ns": row.network_ns,
    }
    return [
        _text("http.request.method", "GET"),
        *(_text(key, value) for key, value in texts.items() if value),
        *({"key": key, "value": {"intValue": str(value)}} for key, value in numbers.items()),
    ]


def _text(key: str, value: str) -> Json:
    return {"key": key, "value": {"stringValue": value}}


def _id(size: int, *parts: int) -> str:
    """Return an id of so many bytes, never zero: the same in every run of this seed."""
    return sha256(" ".join(map(str, parts)).encode()).digest()[:size].hex()
