"""Rows of one type, kept as columns of numbers; a row becomes an object again when somebody asks for it.

A table is written row by row and read either way. Rows gather in a chunk; a full chunk is turned into one array per
column and never changes again, so that nothing is copied when a table grows.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_type_hints

if TYPE_CHECKING:
    import pandas as pd

Row = TypeVar("Row")

CHUNK_ROWS = 4096


class _Column:
    """One column: its chunks, and how a value becomes a number and back."""

    typecode = "q"
    kind: type = int

    def __init__(self, name: str) -> None:
        self.name = name
        self.chunks: list[array[Any]] = []

    def whole(self, tail: Sequence[Any]) -> array[Any]:
        """Join all chunks and the values not yet in one."""
        numbers = array(self.typecode)
        for chunk in self.chunks:
            numbers.extend(chunk)
        numbers.extend(self.encode(tail))
        return numbers

    def encode(self, values: Sequence[Any]) -> array[Any]:
        try:
            return array(self.typecode, struct.pack(f"{len(values)}{self.typecode}", *values))
        except struct.error as error:
            raise TypeError(f"column {self.name!r}: {error}") from error

    def decode(self, numbers: array[Any]) -> Sequence[Any]:
        return numbers

    def series(self, numbers: array[Any]) -> Any:
        """Give what a data frame is made of."""
        import numpy as np

        return np.asarray(numbers)


class _Floats(_Column):
    typecode = "d"
    kind = float


class _Flags(_Column):
    typecode = "b"
    kind = bool

    def decode(self, numbers: array[Any]) -> Sequence[Any]:
        return list(map(bool, numbers))

    def series(self, numbers: array[Any]) -> Any:
        return super().series(numbers).astype(bool)


class _Strings(_Column):
    """Each distinct string once, in order of appearance, and 4 bytes a row."""

    typecode = "I"
    kind = str

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.numbers: dict[str, int] = {}
        self.strings: list[str] = []

    def encode(self, values: Sequence[Any]) -> array[Any]:
        for string in dict.fromkeys(values):  # not a set: its order differs from process to process
            if string not in self.numbers:
                if not isinstance(string, str):
                    raise TypeError(f"column {self.name!r}: a string is required, not {string!r}")
                self.numbers[string] = len(self.strings)
                self.strings.append(string)
        return super().encode(list(map(self.numbers.__getitem__, values)))

    def decode(self, numbers: array[Any]) -> Sequence[Any]:
        return list(map(self.strings.__getitem__, numbers))

    def series(self, numbers: array[Any]) -> Any:
        import pandas as pd

        return pd.Categorical.from_codes(super().series(numbers), categories=pd.Index(self.strings))


_COLUMNS: dict[type, type[_Column]] = {column.kind: column for column in (_Column, _Floats, _Flags, _Strings)}


class Table(Generic[Row]):
    """Rows of one type, kept as columns; a row becomes an object when somebody asks for it.

    Parameters
    ----------
    row_type : type
        A named tuple or frozen dataclass. Its fields are the columns, each ``int`` (64 bits), ``float``, ``bool``
        or ``str``; there is no None, so the type's author chooses a value for "not there".
    kept : bool
        False makes a table that stays empty.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> class Hop(NamedTuple):
    ...     service: str
    ...     took_ns: int
    >>> hops = Table(Hop)
    >>> for took_ns in 700, 500:
    ...     hops.append("reviews", took_ns)
    >>> hops.row(1)
    Hop(service='reviews', took_ns=500)
    >>> sum(hops.column("took_ns"))
    1200
    """

    def __init__(self, row_type: type[Row], kept: bool = True) -> None:
        fields = get_type_hints(row_type)
        for name, kind in fields.items():
            if kind not in _COLUMNS:
                raise TypeError(f"{row_type.__name__}.{name}: a column is of int, float, bool or str, not {kind}")
        self._columns = {name: _COLUMNS[kind](name) for name, kind in fields.items()}
        self._row = cast(Callable[..., Row], row_type)
        self._kept = kept
        self._frozen = 0
        self._tail: list[tuple[Any, ...]] = []

    @property
    def names(self) -> tuple[str, ...]:
        """The columns, in the order of the row type's fields."""
        return tuple(self._columns)

    def append(self, *values: Any) -> None:
        """Add a row: a value for each field, in order.

        Raises
        ------
        TypeError
            When the number of values is wrong; when one is of the wrong type, as late as its chunk is full.
        """
        if not self._kept:
            return
        if len(values) != len(self._columns):
            raise TypeError(f"{len(values)} values for the columns {', '.join(self._columns)}")
        self._tail.append(values)
        # Rows become columns a chunk at a time, which costs less than an append to every column.
        if len(self._tail) == CHUNK_ROWS:
            columns = self._columns.values()
            chunks = [column.encode(tail) for column, tail in zip(columns, self._turned(), strict=True)]
            for column, chunk in zip(columns, chunks, strict=True):
                column.chunks.append(chunk)
            self._frozen += CHUNK_ROWS
            self._tail.clear()

    def row(self, index: int) -> Row:
        """Make row ``index`` (negative counts from the end).

        Raises
        ------
        IndexError
            When there is no such row.
        """
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"no row {index} in a table of {len(self)}")
        if place >= self._frozen:
            return self._row(*self._tail[place - self._frozen])
        chunk, offset = divmod(place, CHUNK_ROWS)
        return self._row(*(c.decode(c.chunks[chunk][offset : offset + 1])[0] for c in self._columns.values()))

    def column(self, name: str) -> Sequence[Any]:
        """Give a copy of a column: an ``array`` of numbers (numpy takes it without copying), or a list.

        Raises
        ------
        KeyError
            When there is no such column.
        """
        return self._columns[name].decode(self._whole(name))

    def coded(self, name: str) -> tuple[array[Any], tuple[str, ...]]:
        """Give a column of strings as it is kept: each distinct string once, and which of them each row has.

        Raises
        ------
        KeyError
            When there is no such column, or it is not one of strings.

        Examples
        --------
        >>> from typing import NamedTuple
        >>> class Hop(NamedTuple):
        ...     service: str
        >>> hops = Table(Hop)
        >>> for service in "reviews", "ratings", "reviews":
        ...     hops.append(service)
        >>> hops.coded("service")
        (array('I', [0, 1, 0]), ('reviews', 'ratings'))
        """
        column = self._columns[name]
        if not isinstance(column, _Strings):
            raise KeyError(f"{name} is no column of strings")
        numbers = self._whole(name)
        return numbers, tuple(column.strings)

    def to_pandas(self) -> pd.DataFrame:
        """Make a data frame; strings become categories. Needs pandas (the ``data`` extra)."""
        import pandas as pd

        return pd.DataFrame({name: column.series(self._whole(name)) for name, column in self._columns.items()})

    def __len__(self) -> int:
        return self._frozen + len(self._tail)

    def __iter__(self) -> Iterator[Row]:
        columns = self._columns.values()
        for chunk in zip(*(column.chunks for column in columns), strict=True):
            decoded = (column.decode(numbers) for column, numbers in zip(columns, chunk, strict=True))
            yield from map(self._row, *decoded)
        for values in tuple(self._tail):
            yield self._row(*values)

    def _whole(self, name: str) -> array[Any]:
        tail = dict(zip(self._columns, self._turned(), strict=True))
        return self._columns[name].whole(tail[name])

    def _turned(self) -> Sequence[Sequence[Any]]:
        """Give the rows that are not yet in chunks, column by column."""
        return list(zip(*self._tail, strict=True)) or [()] * len(self._columns)
