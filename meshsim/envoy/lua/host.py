"""What the methods of a script's handles call: the host's side of them, for all runs of one state."""

from __future__ import annotations

import base64
import binascii
from calendar import timegm
from collections.abc import Callable, Iterable, Mapping, Sequence
from time import gmtime, strftime
from typing import TYPE_CHECKING, Any

from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.headers import HeaderMap
from meshsim.errors import NotModelled

if TYPE_CHECKING:
    from meshsim.envoy.lua.run import Run

_U64 = 1 << 64
_UNITS = frozenset((b"ms", b"milliseconds", b"microseconds", b"nanoseconds", b"bytes", b"unspecified"))
_DATE = "%a %b %d %H:%M:%S %Y"
_RANKS: Mapping[type, int] = {int: 0, float: 0, bytes: 1, bool: 2}


class Functions:
    """The functions; ``runs`` finds a run by its number, and ``table`` makes a Lua table of a sequence.

    Texts are bytes. Where a run of a script may or may not go on, the answer is a word, or an error in Envoy's words.
    """

    def __init__(
        self,
        runs: Mapping[int, Run],
        table: Callable[[Iterable[Any]], Any],
        log: Callable[[str, bytes], None],
        has_cluster: Callable[[str], bool],
        epoch_ns: Callable[[], int],
    ) -> None:
        self._runs = runs
        self._table = table
        self._log = log
        self._has_cluster = has_cluster
        self._epoch_ns = epoch_ns

    def all(self) -> dict[str, Callable[..., Any]]:
        """Return them by name."""
        return {name: getattr(self, name) for name in dir(self) if name[0] != "_" and name != "all"}

    # -- without a stream ---

    def log(self, level: bytes, text: bytes) -> None:
        """Write a line to Envoy's log."""
        self._log(level.decode(), text)

    def sorted(self, keys: Any) -> Any:
        """Put a table's keys in an order: numbers, texts, booleans, the rest as it comes."""
        return self._table(sorted(keys.values(), key=lambda key: _rank(key)))

    def has_cluster(self, name: bytes) -> bool:
        """Whether there is a cluster of this name."""
        return self._has_cluster(name.decode("utf-8", "surrogateescape"))

    def is_unit(self, name: bytes) -> bool:
        """Whether histograms can have this unit."""
        return name in _UNITS

    def epoch(self, parts: int) -> float:
        """Read the wall clock, in whole parts of a second."""
        return float(self._epoch_ns() * parts // 10**9)

    def seconds(self) -> float:
        """Read the wall clock in seconds."""
        return self.epoch(1)

    def clock(self) -> float:
        """Read the wall clock in seconds, with what is behind the point."""
        return self._epoch_ns() / 1e9

    def date(self, form: bytes = _DATE.encode(), at: float | None = None) -> bytes:
        """Write a time, always of UTC."""
        text = form.decode("utf-8", "surrogateescape").removeprefix("!")
        return strftime(text, gmtime(self.seconds() if at is None else at)).encode("utf-8", "surrogateescape")

    def time(self, fields: Any) -> float:
        """Make a time of its fields, always of UTC."""
        found = {name.decode(): int(value) for name, value in fields.items() if isinstance(value, int | float)}
        names = ("year", "month", "day", "hour", "min", "sec")
        return float(timegm((*(found.get(name, 12 if name == "hour" else 0) for name in names), 0, 0, 0)))

    def base64(self, text: bytes) -> bytes:
        """Encode."""
        return base64.b64encode(text)

    def unbase64(self, text: bytes) -> bytes | None:
        """Decode; None for what is no base 64. Padding may be missing."""
        try:
            return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
        except binascii.Error:
            return None

    def not_modelled(self, method: bytes) -> None:
        """End the run."""
        raise NotModelled(f"{method.decode()} of a Lua script")

    # -- header maps: ``which`` is headers, request headers or trailers ---

    def _map(self, run: int, which: bytes) -> HeaderMap:
        return self._runs[run].map(which)

    def may_change(self, run: int, which: bytes) -> bool:
        """Whether a map may still be changed; a request that changes is routed anew."""
        return self._runs[run].may_change(which)

    def get(self, run: int, which: bytes, name: bytes) -> bytes | None:
        """Return all values of a header, joined by commas; None without any."""
        values = self._map(run, which).all(name.lower())
        return b",".join(values) if values else None

    def get_at(self, run: int, which: bytes, name: bytes, index: float) -> bytes | None:
        """Return one of a header's values."""
        values = self._map(run, which).all(name.lower())
        return values[int(index)] if 0 <= index < len(values) else None

    def count(self, run: int, which: bytes, name: bytes) -> int:
        """Return how many values a header has."""
        return len(self._map(run, which).all(name.lower()))

    def entries(self, run: int, which: bytes) -> Any:
        """Return names and values in a row."""
        return self._table(part for pair in self._map(run, which).pairs() for part in pair)

    def add(self, run: int, which: bytes, name: bytes, value: bytes) -> None:
        """Add a value."""
        self._map(run, which).add(name.lower(), value)

    def replace(self, run: int, which: bytes, name: bytes, value: bytes) -> None:
        """Set a header to one value: where it stands, or at the end."""
        self._map(run, which).replace(name.lower(), value)

    def remove(self, run: int, which: bytes, name: bytes) -> None:
        """Remove a header."""
        self._map(run, which).remove(name.lower())

    # -- bodies: ``which`` is body or chunk ---

    def _buffer(self, run: int, which: bytes) -> BodyBuffer:
        return self._runs[run].buffer(which)

    def length(self, run: int, which: bytes) -> int:
        """Return how many bytes there are."""
        return self._buffer(run, which).size()

    def body_bytes(self, run: int, which: bytes, start: float, length: float) -> bytes | None:
        """Return bytes; None for a range that is not all inside."""
        buffer = self._buffer(run, which)
        if start < 0 or length < 0 or start + length > buffer.size():
            return None
        return buffer.read(int(start), int(length))

    def set_bytes(self, run: int, which: bytes, data: bytes) -> int:
        """Replace everything, and say so in the message's headers."""
        self._buffer(run, which).data = bytearray(data)
        self._runs[run].headers.put(b"content-length", b"%d" % len(data))
        return len(data)

    # -- waiting ---

    def body(self, run: int, always: bool) -> Any:
        """Ask for the whole body: ``body``, ``wait``, an error, or nothing when there is none."""
        return self._runs[run].ask_body(always)

    def saw_body(self, run: int) -> bool:
        """Whether some of the body has been seen."""
        return self._runs[run].saw_body

    def chunk(self, run: int) -> bool:
        """Ask for the next piece of the body; False at the end."""
        return self._runs[run].ask_chunk()

    def trailers(self, run: int) -> Any:
        """Ask for the trailers: ``trailers``, ``wait``, or nothing when there are none."""
        return self._runs[run].ask_trailers()

    def may_respond(self, run: int) -> bytes | None:
        """Say why the script cannot answer any more."""
        return self._runs[run].may_respond()

    def respond(self, run: int, entries: Any, body: bytes | None) -> bytes | None:
        """Answer; an error says why not."""
        return self._runs[run].respond(_pairs(entries), body)

    def call(
        self, run: int, cluster: bytes, entries: Any, body: bytes | None, timeout_ms: float, detached: bool, plain: bool
    ) -> bytes | None:
        """Call a cluster; ``detached`` when nobody waits for the answer, ``plain`` without ``x-forwarded-for``."""
        name = cluster.decode("utf-8", "surrogateescape")
        return self._runs[run].call(name, _pairs(entries), body, int(timeout_ms), detached, plain)

    def answer(self, run: int) -> tuple[Any, bytes | None]:
        """Return what a cluster has answered: names and values in a row, and the body if there is one."""
        answer = self._runs[run].answer
        assert answer is not None
        return self._table(part for pair in answer.headers for part in pair), answer.body or None

    # -- facts of the stream ---

    def fact(self, run: int, name: bytes) -> bytes:
        """Return a text of the stream's information."""
        return self._runs[run].fact(name.decode())

    def metadata(self, run: int, whose: bytes, key: bytes) -> Any:
        """Return an entry of the metadata that the configuration has for the filter."""
        values = self._runs[run].metadata(whose)
        name = key.decode("utf-8", "surrogateescape")
        return self._told(values[name]) if name in values else None

    def metadata_keys(self, run: int, whose: bytes) -> Any:
        """Return the keys of that metadata."""
        return self._table(key.encode("utf-8", "surrogateescape") for key in sorted(self._runs[run].metadata(whose)))

    def dynamic(self, run: int, name: bytes) -> Any:
        """Return what filters have left for a filter of this name."""
        found = self._runs[run].dynamic.get(name.decode("utf-8", "surrogateescape"))
        return None if found is None else self._told(found)

    def dynamic_keys(self, run: int) -> Any:
        """Return the filters that something has been left for."""
        return self._table(key.encode("utf-8", "surrogateescape") for key in sorted(self._runs[run].dynamic))

    def set_dynamic(self, run: int, name: bytes, key: bytes, value: Any) -> None:
        """Leave a value."""
        left = self._runs[run].dynamic.setdefault(name.decode("utf-8", "surrogateescape"), {})
        left[key.decode("utf-8", "surrogateescape")] = _value(value)

    def clear_route_cache(self, run: int) -> None:
        """Choose the route anew."""
        self._runs[run].clear_route_cache()

    def _told(self, value: Any) -> Any:
        """Write a value for ``value_of`` of ``facts.lua``: its kind, and what belongs to it."""
        match value:
            case dict():
                parts = [part for key in sorted(value) for part in (key.encode(), self._told(value[key]))]
                return self._table([b"map", self._table(parts)])
            case list() | tuple():
                return self._table([b"list", self._table([self._told(item) for item in value])])
            case None:
                return self._table([b"nil"])
            case str():
                return self._table([b"string", value.encode("utf-8", "surrogateescape")])
        return self._table([b"plain", value])

    # -- statistics ---

    def change_stat(self, run: int, name: bytes, change: float) -> None:
        """Change a counter or gauge; gauges are unsigned, and wrap."""
        stats, key = self._runs[run].stats, name.decode("utf-8", "surrogateescape")
        stats.put(key, (stats.value(key) + int(change)) % _U64)

    def set_stat(self, run: int, name: bytes, value: float) -> None:
        """Set a gauge."""
        self._runs[run].stats.put(name.decode("utf-8", "surrogateescape"), int(value) % _U64)

    def stat(self, run: int, name: bytes) -> float:
        """Return a counter's or a gauge's value."""
        return float(self._runs[run].stats.value(name.decode("utf-8", "surrogateescape")))


def _rank(key: object) -> tuple[int, Any]:
    rank = _RANKS.get(type(key), 3)
    return rank, key if rank < 3 else 0


def _pairs(entries: Any) -> list[tuple[bytes, bytes]]:
    flat: Sequence[bytes] = list(entries.values())
    return [(name.lower(), value) for name, value in zip(flat[::2], flat[1::2], strict=True)]


def _value(written: Any) -> Any:
    """Read a value that ``written`` of ``facts.lua`` wrote."""
    kind, content = written[1], written[2]
    if kind == b"list":
        return [_value(item) for item in content.values()]
    if kind == b"map":
        flat = list(content.values())
        return {
            key.decode("utf-8", "surrogateescape"): _value(item)
            for key, item in zip(flat[::2], flat[1::2], strict=True)
        }
    return content.decode("utf-8", "surrogateescape") if kind == b"string" else content
