"""The requests of a replay: read and check REQUESTS.json, and the bytes that go on the wire.

Checks are strict, because a request that says something else than its author meant compares two engines on the
wrong question: unknown keys, repeated keys and wrong types are refused, and so is what could not be sent as it
stands (a line end in a header value, a blank in a path, a header that would contradict the framing).

Framing follows from the fields, never from headers:

====================================  =============================================================
fields                                on the wire
====================================  =============================================================
none of the three                     head only
``body`` (also empty)                 head with ``content-length``, body in the same piece, so that
                                      the receiver reads both at once
``chunks`` or ``trailers`` or both    head with ``transfer-encoding: chunked``; :data:`PACE_MS`
                                      before each chunk and before the end; trailers follow the end;
                                      an empty string is a pause, as an empty chunk would end the body
====================================  =============================================================

The client sends the pieces in turn, reads meanwhile, and closes when the answer is whole: pieces that are still
unsent then (an early 413, say) are never sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from meshsim.errors import ConfigError

#: Pause before each chunk, and before the end of a chunked request, in ms: long enough that the receiver reads each
#: piece by itself, so that its body callbacks follow the chunks.
PACE_MS = 50

Header = tuple[str, str]
MAX_AT_MS = 24 * 3600 * 1000
"""The latest moment of a request, a day after the first: the real Envoy is waited for in real time."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")  # RFC 9110, 5.6.2
_UNSENDABLE_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # RFC 9110, 5.5: all controls but the tab
_UNSENDABLE_TARGET = re.compile(r"[\x00-\x20\x7f]")
_FORM = 'write a list of requests: [{"path": "/"}]'
_FRAMING = {
    "host": "use `authority`",
    "content-length": "use `body`",
    "transfer-encoding": "use `chunks`",
}


class Update(NamedTuple):
    """A file that an extension is discovered in gets another content while a request is under way.

    ``path`` is the file as the bootstrap names it, ``source`` the file, beside the bootstrap, with what it holds from
    ``after_ms`` on, counted from the moment at which the request is sent.
    """

    path: str
    source: str
    after_ms: int


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a replay, sent on a connection of its own.

    Attributes
    ----------
    listener : str or None
        Name of the listener that gets it; None is the bootstrap's first.
    body : str or None
        Whole body; ``""`` still sends ``content-length: 0``.
    chunks : tuple of str or None
        Pieces of a chunked body, each sent on its own, empty ones as pauses; an empty tuple is a chunked body without
        bytes.
    trailers : tuple of (name, value)
        Sent after the end of a chunked body.
    at_ms : int
        Not sent before this many milliseconds after the first request.
    updates : tuple of Update
        What changes while it is under way.
    """

    listener: str | None = None
    method: str = "GET"
    path: str = "/"
    authority: str = "example.com"
    headers: tuple[Header, ...] = ()
    body: str | None = None
    chunks: tuple[str, ...] | None = None
    trailers: tuple[Header, ...] = ()
    at_ms: int = 0
    updates: tuple[Update, ...] = ()

    @property
    def chunked(self) -> bool:
        """Whether the body is sent with chunked transfer encoding."""
        return self.chunks is not None or bool(self.trailers)


class Piece(NamedTuple):
    """Bytes that leave together, ``delay_ms`` after the piece before."""

    delay_ms: int
    data: bytes


def wire(request: Request) -> list[Piece]:
    r"""The pieces in which a request is sent.

    Examples
    --------
    >>> for piece in wire(Request(method="POST", chunks=("hello",), trailers=(("x-end", "1"),))):
    ...     print(piece.delay_ms, piece.data)
    0 b'POST / HTTP/1.1\r\nhost: example.com\r\ntransfer-encoding: chunked\r\n\r\n'
    50 b'5\r\nhello\r\n'
    50 b'0\r\nx-end: 1\r\n\r\n'
    """
    body = None if request.body is None else request.body.encode()
    fields = [("host", request.authority), *request.headers]
    if request.chunked:
        fields.append(("transfer-encoding", "chunked"))
    elif body is not None:
        fields.append(("content-length", str(len(body))))
    head = f"{request.method} {request.path} HTTP/1.1\r\n".encode() + _lines(fields) + b"\r\n"
    if not request.chunked:
        return [Piece(0, head + (body or b""))]
    datas = [chunk.encode() for chunk in request.chunks or ()]
    chunks = [Piece(PACE_MS, b"%x\r\n%b\r\n" % (len(data), data) if data else b"") for data in datas]
    return [Piece(0, head), *chunks, Piece(PACE_MS, b"0\r\n" + _lines(request.trailers) + b"\r\n")]


def load_requests(source: Path | str) -> list[Request]:
    """Read and check a REQUESTS.json.

    Parameters
    ----------
    source : Path or str
        A path, or the JSON text itself (a text that starts with ``[``).

    Raises
    ------
    ConfigError
        When the file cannot be read, is not JSON, or holds a request that cannot be sent as it stands.
    """
    if isinstance(source, str) and source.lstrip().startswith("["):
        return parse_requests(source)
    path = Path(source)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigError(f"cannot read the requests: {error.strerror}", str(path), "check the path") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"not UTF-8 at byte {error.start}", str(path), "save it as UTF-8") from error
    return parse_requests(text, str(path))


def parse_requests(text: str, where: str = "requests.json") -> list[Request]:
    """The requests that a JSON text describes; ``where`` names it in errors.

    Examples
    --------
    >>> parse_requests('[{"path": "/x"}]')[0].authority
    'example.com'
    >>> parse_requests('[{"headers": [["a", 1]]}]')
    Traceback (most recent call last):
    meshsim.errors.ConfigError: requests.json[0].headers[0]: a header is [name, value], two strings, not ["a", 1]
    """
    try:
        data = json.loads(text, object_pairs_hook=_distinct)
    except json.JSONDecodeError as error:
        place = f"{where}, line {error.lineno}, column {error.colno}"
        raise ConfigError(f"not JSON: {error.msg}", place, _FORM) from error
    except _RepeatedKey as error:
        raise ConfigError(f"the key `{error.key}` is there twice in one object", where) from error
    except RecursionError as error:
        raise ConfigError("nested too deeply", where) from error
    if not isinstance(data, list):
        raise ConfigError(f"requests are a list, not {_kind(data)}", where, _FORM)
    return [_request(item, f"{where}[{index}]") for index, item in enumerate(data)]


class _RepeatedKey(Exception):
    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in pairs:
        if key in out:
            raise _RepeatedKey(key)
        out[key] = value
    return out


def _request(data: Any, where: str) -> Request:
    if not isinstance(data, dict):
        raise ConfigError(f"a request is an object, not {_kind(data)}", where)
    unknown = [key for key in data if key not in _READERS]
    if unknown:
        raise ConfigError(f"unknown key `{unknown[0]}`", where, f"known keys: {', '.join(_READERS)}")
    request = Request(**{key: _READERS[key](value, f"{where}.{key}") for key, value in data.items()})
    if request.body is not None and request.chunked:
        other = "chunks" if request.chunks is not None else "trailers"
        raise ConfigError(
            f"`body` and `{other}` exclude each other",
            where,
            "`chunks` is the body of a request with trailers",
        )
    return request


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"must be a string, not {_kind(value)}", where)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ConfigError("half of a surrogate pair cannot be sent as UTF-8", where) from error
    return value


def _name(value: Any, where: str) -> str:
    text = _text(value, where)
    if not text:
        raise ConfigError("must not be empty", where)
    return text


def _method(value: Any, where: str) -> str:
    text = _text(value, where)
    if not _TOKEN.fullmatch(text):
        raise ConfigError(f"not an HTTP method: {json.dumps(text)}", where)
    return text


def _target(value: Any, where: str) -> str:
    text = _name(value, where)
    if found := _UNSENDABLE_TARGET.search(text):
        raise ConfigError(f"{json.dumps(found.group())} cannot be sent in a request line", where, "write it as %XX")
    return text


def _value(value: Any, where: str) -> str:
    text = _text(value, where)
    if found := _UNSENDABLE_VALUE.search(text):
        raise ConfigError(f"{json.dumps(found.group())} cannot be sent in a header value", where)
    return text


def _chunks(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_text(item, f"{where}[{index}]") for index, item in enumerate(_list(value, where)))


def _headers(value: Any, where: str) -> tuple[Header, ...]:
    return tuple(_header(item, f"{where}[{index}]") for index, item in enumerate(_list(value, where)))


def _header(item: Any, where: str) -> Header:
    if not (isinstance(item, list) and len(item) == 2 and all(isinstance(part, str) for part in item)):
        raise ConfigError(f"a header is [name, value], two strings, not {json.dumps(item)}", where)
    name, value = item
    if not _TOKEN.fullmatch(name):
        raise ConfigError(f"{json.dumps(name)} cannot be sent as a header name", where)
    if remedy := _FRAMING.get(name.lower()):
        raise ConfigError(f"`{name}` is written by the client itself", where, remedy)
    return name, _value(value, where)


def _milliseconds(value: Any, where: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ConfigError(f"must be a whole number of milliseconds, 0 or more, not {json.dumps(value)}", where)
    if value > MAX_AT_MS:
        raise ConfigError(f"must be at most {MAX_AT_MS}, a day, not {json.dumps(value)}", where)
    return value


def _updates(value: Any, where: str) -> tuple[Update, ...]:
    return tuple(_update(item, f"{where}[{index}]") for index, item in enumerate(_list(value, where)))


def _update(item: Any, where: str) -> Update:
    if not (isinstance(item, list) and len(item) == 3):
        raise ConfigError(f"an update is [path, source, ms], not {json.dumps(item)}", where)
    return Update(_name(item[0], where), _name(item[1], where), _milliseconds(item[2], where))


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise ConfigError(f"must be a list, not {_kind(value)}", where)
    return value


_READERS: Mapping[str, Callable[[Any, str], Any]] = {
    "listener": _name,
    "method": _method,
    "path": _target,
    "authority": _value,
    "headers": _headers,
    "body": _text,
    "chunks": _chunks,
    "trailers": _headers,
    "at_ms": _milliseconds,
    "updates": _updates,
}

_KINDS: Mapping[type, str] = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


def _kind(value: Any) -> str:
    return _KINDS[type(value)]


def _lines(fields: list[Header] | tuple[Header, ...]) -> bytes:
    return b"".join(f"{name}: {value}\r\n".encode() for name, value in fields)
