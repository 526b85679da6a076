"""A recorded table of requests, as blocks of bytes that are put into a VM as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from meshsim.envoy.headers import HeaderMap, Kind, Pair
from meshsim.errors import ConfigError

#: What a row may say; the defaults are those of a replay's requests.
COLUMNS = ("method", "scheme", "authority", "path", "headers", "status", "response_headers")
_DEFAULTS = {"method": "GET", "scheme": "http", "authority": "example.com", "path": "/"}

Pairs = tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One request and, where a filter is to see it, its response; as a filter sees them."""

    request: bytes
    response: bytes | None


class Table(Sequence[Row]):
    """Rows, ready to be run any number of times.

    Parameters
    ----------
    rows : list, pandas.DataFrame or pyarrow.Table
        A path, or a mapping with any of the columns ``method``, ``scheme``, ``authority``, ``path``, ``headers``
        (pairs, or a mapping), ``status`` and ``response_headers``. A row with a status has a response.

    Raises
    ------
    ConfigError
        A column is unknown, or a value is none of these.

    Examples
    --------
    >>> table = Table(["/", {"path": "/shop", "headers": {"x-user": "ada"}, "status": 200}])
    >>> len(table), table[0].response is None
    (2, True)
    """

    def __init__(self, rows: Any) -> None:
        self._rows = [_row(record, place) for place, record in enumerate(_records(rows))]

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: Any) -> Any:
        return self._rows[index]


def _records(rows: Any) -> Iterable[Any]:
    """The rows of whatever kind of table it is; neither library is loaded for this."""
    if hasattr(rows, "to_pylist"):
        return rows.to_pylist()  # type: ignore[no-any-return]  # of pyarrow
    if hasattr(rows, "to_dict"):
        return rows.to_dict("records")  # type: ignore[no-any-return]  # of pandas
    return rows  # type: ignore[no-any-return]


def _row(record: Any, place: int) -> Row:
    if isinstance(record, str):
        record = {"path": record}
    if not isinstance(record, Mapping):
        raise ConfigError(f"a row is a path or a mapping, not {type(record).__name__}", f"rows[{place}]")
    unknown = [name for name in record if name not in COLUMNS]
    if unknown:
        raise ConfigError(f"no such column: {unknown[0]}", f"rows[{place}]", f"known: {', '.join(COLUMNS)}")
    told = {name: value for name, value in record.items() if not _is_missing(value)}
    heads = [(f":{name}", told.get(name, default)) for name, default in _DEFAULTS.items()]
    request = _pairs([*heads, *_listed(told.get("headers", ()))], place)
    if "status" not in told:
        return Row(_block(request, Kind.REQUEST), None)
    response = _pairs([(":status", str(int(told["status"]))), *_listed(told.get("response_headers", ()))], place)
    return Row(_block(request, Kind.REQUEST), _block(response, Kind.RESPONSE))


def _is_missing(value: Any) -> bool:
    """Whether it is what the libraries put where nothing is."""
    return value is None or (isinstance(value, float) and value != value)


def _listed(headers: Any) -> list[tuple[Any, Any]]:
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [tuple(pair) for pair in pairs]


def _pairs(pairs: list[tuple[Any, Any]], place: int) -> Pairs:
    try:
        return tuple((_bytes(key).lower(), _bytes(value)) for key, value in pairs)
    except (TypeError, ValueError):
        raise ConfigError("headers are pairs of texts", f"rows[{place}].headers") from None


def _bytes(text: Any) -> bytes:
    if isinstance(text, bytes):
        return text
    if not isinstance(text, str):
        raise TypeError(text)
    return text.encode("utf-8", "surrogateescape")


@lru_cache(maxsize=1024)
def _block(pairs: Pairs, kind: Kind) -> bytes:
    block = HeaderMap(pairs, kind).block()
    assert block is not None  # a map that was made by adding obeys its rules
    return block
