"""What a replay leaves behind, whichever engine ran it: the Replay JSON as values.

Bytes that a guest or a peer wrote (log texts, header values, bodies) are kept as text. Text is UTF-8, and a byte
that is not UTF-8 becomes one surrogate (``surrogateescape``), so that :func:`as_bytes` gives back exactly what
was received: two different bodies never look the same. JSON is written with ASCII escapes for that reason.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshsim.errors import ConfigError

#: ``error`` of a response when the peer ended the connection before or within its answer. An orderly end and a
#: reset are one word here: which of the two a client sees depends on bytes still unread in a kernel, not on Envoy.
CLOSED = "connection closed"
#: ``error`` when nothing accepts connections on the listener's port.
REFUSED = "connection refused"
#: ``error`` when the answer did not come, or did not end, in time.
TIMEOUT = "timeout"
#: ``error`` when what came is not HTTP/1.1.
MALFORMED = "malformed answer"

Line = tuple[str, str]
LogLine = tuple[str, str, str]
Header = tuple[str, str]


def as_text(data: bytes) -> str:
    r"""Text for bytes of unknown make, without loss.

    >>> as_text(b"caf\xc3\xa9 \xff")
    'café \udcff'
    """
    return data.decode("utf-8", "surrogateescape")


def as_bytes(text: str) -> bytes:
    r"""The bytes that :func:`as_text` made text of.

    >>> as_bytes('café \udcff')
    b'caf\xc3\xa9 \xff'
    """
    return text.encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Response:
    """One answer as the client received it.

    Attributes
    ----------
    status : int
        HTTP status; 0 when there was no answer, and then ``error`` says why.
    headers : tuple of (name, value)
        In the order and with the names received.
    body : str
        Decoded from its framing, see :func:`as_text`.
    trailers : tuple of (name, value)
        Only of a chunked answer that has some.
    error : str or None
        Why there is no answer, or why it is not whole (then ``status`` and ``headers`` are what came).
    """

    status: int
    headers: tuple[Header, ...] = ()
    body: str = ""
    trailers: tuple[Header, ...] = ()
    error: str | None = None

    @classmethod
    def failed(cls, error: str) -> Response:
        """No answer, and why."""
        return cls(status=0, error=error)

    def to_json(self) -> dict[str, Any]:
        """The response as an element of Replay JSON; ``trailers`` and ``error`` only where there are any."""
        out: dict[str, Any] = {
            "status": self.status,
            "headers": [list(h) for h in self.headers],
            "body": self.body,
        }
        if self.trailers:
            out["trailers"] = [list(h) for h in self.trailers]
        if self.error is not None:
            out["error"] = self.error
        return out

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Response:
        """The response that :meth:`to_json` wrote."""
        return cls(
            status=int(data["status"]),
            headers=_pairs(data["headers"]),
            body=str(data["body"]),
            trailers=_pairs(data.get("trailers", ())),
            error=data.get("error"),
        )


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """One replay: what the modules called, logged and changed.

    Attributes
    ----------
    ready : bool
        False when the configuration was refused; ``other`` then says why.
    abi : tuple of (thread, line)
        Envoy's ABI trace. ``thread`` is ``main`` or ``worker_K``.
    logs : tuple of (thread, level, text)
        What guests logged, ``wasm log my_plugin my_root my_vm: hello``.
    other : tuple of (thread, level, text)
        Envoy's remaining lines of the ``wasm`` logger, and the errors of all loggers.
    responses : tuple of Response
        One for each request, in their order.
    stats : mapping of name to int
        Counters and gauges, read after the last request and before shutdown.
    crashes : tuple of (thread, text)
        Only of the simulator: what would have ended the real Envoy's process, which leaves no result then.

    Examples
    --------
    >>> result = ReplayResult(ready=True, abi=(("main", "[host->vm] proxy_on_context_create(1, 0)"),))
    >>> ReplayResult.from_json(result.to_json()) == result
    True
    """

    ready: bool
    abi: tuple[Line, ...] = ()
    logs: tuple[LogLine, ...] = ()
    other: tuple[LogLine, ...] = ()
    responses: tuple[Response, ...] = ()
    stats: Mapping[str, int] = field(default_factory=dict)
    crashes: tuple[Line, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The Replay JSON as plain lists and dicts; stats sorted by name, ``crashes`` only where there are any."""
        out = {
            "ready": self.ready,
            "abi": [list(line) for line in self.abi],
            "logs": [list(line) for line in self.logs],
            "other": [list(line) for line in self.other],
            "responses": [response.to_json() for response in self.responses],
            "stats": dict(sorted(self.stats.items())),
        }
        return {**out, "crashes": [list(line) for line in self.crashes]} if self.crashes else out

    @classmethod
    def from_json(cls, data: Mapping[str, Any], where: str = "replay") -> ReplayResult:
        """The result that :meth:`to_json` wrote.

        Raises
        ------
        ConfigError
            When ``data`` is not Replay JSON; ``where`` names the file in the message.
        """
        try:
            return cls(
                ready=bool(data["ready"]),
                abi=tuple((str(thread), str(line)) for thread, line in data["abi"]),
                logs=_log_lines(data["logs"]),
                other=_log_lines(data["other"]),
                responses=tuple(Response.from_json(response) for response in data["responses"]),
                stats={str(name): int(value) for name, value in data["stats"].items()},
                crashes=tuple((str(thread), str(text)) for thread, text in data.get("crashes", ())),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"not Replay JSON ({type(error).__name__}: {error})", where) from error

    def dumps(self) -> str:
        """The Replay JSON as text, one line an entry: easy to read, easy to diff."""
        return dump_lines(self.to_json())


def dump_lines(data: Mapping[str, Any]) -> str:
    r"""JSON with one line for each element of the outer lists and dicts.

    >>> print(dump_lines({"ready": True, "abi": [["main", "x"]], "stats": {}}))
    {
     "ready": true,
     "abi": [
      ["main", "x"]
     ],
     "stats": {}
    }
    """

    def value(item: Any) -> str:
        if isinstance(item, Mapping) and item:
            rows = [f"{json.dumps(key)}: {json.dumps(inner)}" for key, inner in item.items()]
            return "{\n  " + ",\n  ".join(rows) + "\n }"
        if isinstance(item, Sequence) and not isinstance(item, str) and item:
            return "[\n  " + ",\n  ".join(json.dumps(inner) for inner in item) + "\n ]"
        return json.dumps(item)

    return "{\n " + ",\n ".join(f"{json.dumps(key)}: {value(item)}" for key, item in data.items()) + "\n}"


def _pairs(rows: Any) -> tuple[Header, ...]:
    return tuple((str(name), str(value)) for name, value in rows)


def _log_lines(rows: Any) -> tuple[LogLine, ...]:
    return tuple((str(thread), str(level), str(text)) for thread, level, text in rows)
