"""What a filter did with the rows of a table; taken apart when somebody looks."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Any, NamedTuple

from meshsim.abi.constants import LogLevel
from meshsim.abi.ports import LocalResponse
from meshsim.abi.shim.blocks import entries_of
from meshsim.abi.shim.layout import LAYOUT
from meshsim.envoy.headers import Pair

if TYPE_CHECKING:
    from meshsim.envoy.batch.table import Table

#: Of a row: where its changed maps and the end of its log records are.
_RESULTS = Struct("<5I")
_WORD = Struct("<I")
_ROW_BYTES = LAYOUT["ROW_SIZE"]
_RECORD = Struct("<2I")
_LEVELS = tuple(level.envoy_name for level in LogLevel)

Line = tuple[str, str]
"""A log line: level in Envoy's word, text without Envoy's prefix."""


class Outcome(NamedTuple):
    """What became of one row.

    Attributes
    ----------
    action : str
        ``continue``, ``stop`` (the filter waits for something, here for ever), or ``reply`` (it answered itself).
    request, response : tuple of (bytes, bytes)
        The headers behind the filter; a response only where the row has one and the request went on.
    logs : tuple of (str, str)
        Level and text of the lines that the filter wrote.
    reply : LocalResponse or None
        The filter's own answer.
    """

    action: str
    request: tuple[Pair, ...]
    response: tuple[Pair, ...] | None
    logs: tuple[Line, ...]
    reply: LocalResponse | None = None


class Stretch(NamedTuple):
    """Rows that came to their end in one crossing, as the shim left them.

    ``changed`` begins at the shim's address ``changed_at``, ``logs`` at ``logs_at``.
    """

    first: int
    rows: bytes
    changed: bytes
    changed_at: int
    logs: bytes
    logs_at: int

    def outcome(self, place: int, table: Table) -> Outcome:
        """One row's."""
        at = (place - self.first) * _ROW_BYTES
        request, request_size, response, response_size, logs_end = _RESULTS.unpack_from(self.rows, at + 24)
        logs_from = _WORD.unpack_from(self.rows, at - 8)[0] if at else self.logs_at
        given = table[place]
        answered = given.response and self._map(response, response_size, given.response)
        lines = lines_of(self.logs[logs_from - self.logs_at : logs_end - self.logs_at])
        return Outcome("continue", self._map(request, request_size, given.request), answered, lines)

    def _map(self, at: int, size: int, otherwise: bytes) -> tuple[Pair, ...]:
        return entries_of(self.changed[at - self.changed_at : at - self.changed_at + size] if at else otherwise)


def lines_of(records: bytes) -> tuple[Line, ...]:
    """Read log records of the shim."""
    lines, at = [], 0
    while at < len(records):
        level, size = _RECORD.unpack_from(records, at)
        at += _RECORD.size + size
        lines.append((_LEVELS[level], records[at - size : at].decode("utf-8", "surrogateescape")))
    return tuple(lines)


class BatchResult(Sequence[Outcome]):
    """The outcomes of a table's rows, by their places in it.

    Attributes
    ----------
    fuel : int
        Fuel that the module has burnt for all rows.
    """

    def __init__(
        self,
        table: Table,
        stretches: Sequence[Stretch],
        single: Mapping[int, Outcome],
        metrics: Mapping[tuple[int, str], int],
        fuel: int,
    ) -> None:
        self._table = table
        self._stretches = stretches
        self._single = single
        self._metrics = metrics
        self.fuel = fuel

    @property
    def metrics(self) -> dict[str, int]:
        """The filter's counters and gauges after the last row."""
        return {name: value for (_, name), value in self._metrics.items()}

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = range(len(self))[index]
        if place in self._single:
            return self._single[place]
        # A stretch begins with its first row, so it can be held against a row's place.
        return self._stretches[bisect_right(self._stretches, (place + 1,)) - 1].outcome(place, self._table)

    def columns(self) -> dict[str, list[Any]]:
        """A list for each field of :class:`Outcome`, texts as texts."""
        outcomes = list(self)
        return {
            "action": [outcome.action for outcome in outcomes],
            "status": [_status(outcome) for outcome in outcomes],
            "request": [_texts(outcome.request) for outcome in outcomes],
            "response": [outcome.response and _texts(outcome.response) for outcome in outcomes],
            "logs": [[text for _, text in outcome.logs] for outcome in outcomes],
        }

    def to_pandas(self) -> Any:
        """The columns as a data frame (the extra ``data``)."""
        import pandas

        return pandas.DataFrame(self.columns())

    def to_arrow(self) -> Any:
        """The columns as an Arrow table (the extra ``data``)."""
        import pyarrow

        return pyarrow.table(self.columns())


def _status(outcome: Outcome) -> int | None:
    """The status that the client would get, as far as it is known."""
    if outcome.reply is not None:
        return outcome.reply.status
    return int(dict(outcome.response)[b":status"]) if outcome.response else None


def _texts(pairs: tuple[Pair, ...]) -> list[list[str]]:
    return [[part.decode("utf-8", "replace") for part in pair] for pair in pairs]
