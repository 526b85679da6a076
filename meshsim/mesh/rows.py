"""What a mesh keeps of each request: one flat row a hop, and views of such rows by numpy.

One row is one request as one instance of a service saw it. A request that goes through three services has four rows:
theirs, and one of the client's own. Flat rows are what people analyse (Ciw keeps one record a visit for the same
reason): every question is a filter and a quantile.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from meshsim.mesh.latency import Latency, RowsLatency
from meshsim.sim import Table

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

#: The service of the rows that clients keep.
CLIENT = "client"


class HopRow(NamedTuple):
    """One request as one instance of a service had it; times in virtual ns.

    Attributes
    ----------
    request : int
        Number of the client's request, from 0.
    hop : int
        Number of the hop within the request, in order of start; 0 is the client's own row.
    parent : int
        Hop of the caller; -1 for the client's row.
    source, service : str
        Who called, and who was called; the client's row has ``""`` and ``"client"``.
    pod, worker, zone : str
        The instance (``reviews-0``), the worker of its sidecar (``""`` without one), and where it stands.
    start_ns, end_ns : int
        From the sending of the request to the end of its answer, as the caller sees it.
    proxy_ns, queue_ns, app_ns, network_ns : int
        Of that time: work of this hop's proxies, waiting for a busy worker or application, the application
        itself without its own calls, and the wire.
    status : int
        0 when no answer came.
    flags : str
        Envoy's response flags, joined by commas.
    tries : int
        How often it was sent; 2 after one retry.
    bytes_sent : int
        Of the answer's body.
    warm : int
        1 when it began after the warm-up, which measures leave out.
    filter : str
        Of a *callout*: the filter in the caller's proxy that sent this request itself, while it worked on the request
        of the parent. Empty for what applications and clients send.
    """

    request: int
    hop: int
    parent: int
    source: str
    service: str
    pod: str
    worker: str
    zone: str
    start_ns: int
    end_ns: int
    proxy_ns: int
    queue_ns: int
    app_ns: int
    network_ns: int
    status: int
    flags: str
    tries: int
    bytes_sent: int
    warm: int
    filter: str = ""

    @property
    def failed(self) -> bool:
        """Whether no answer came, or a 5xx."""
        return self.status == 0 or self.status >= 500


class Coded(NamedTuple):
    """A column of strings: each distinct one once, and which of them each row has."""

    codes: NDArray[Any]
    strings: tuple[str, ...]


class Columns:
    """The columns of a table as numpy arrays, each made when it is first asked for."""

    def __init__(self, table: Table[HopRow]) -> None:
        self.table = table
        self._numbers: dict[str, NDArray[np.int64]] = {}
        self._coded: dict[str, Coded] = {}

    def numbers(self, name: str) -> NDArray[np.int64]:
        """Return a column of whole numbers."""
        if name not in self._numbers:
            import numpy as np

            self._numbers[name] = np.asarray(self.table.column(name), dtype=np.int64)
        return self._numbers[name]

    def coded(self, name: str) -> Coded:
        """Return a column of strings."""
        if name not in self._coded:
            import numpy as np

            codes, strings = self.table.coded(name)
            self._coded[name] = Coded(np.asarray(codes, dtype=np.int64), strings)
        return self._coded[name]


class Hops(Sequence[HopRow]):
    """Some rows of a run, in order; asks numpy, makes an object when one row is wanted.

    Examples
    --------
    >>> table = Table(HopRow)
    >>> for request, took_ns in enumerate((2_000_000, 9_000_000)):
    ...     table.append(request, 0, -1, "", "client", "", "", "", 0, took_ns, 0, 0, 0, 0, 200, "", 1, 5, 1, "")
    >>> hops = Hops.of(table)
    >>> slow = hops.find("rt > 5")
    >>> len(slow), slow[0].request, hops.latency.p99
    (1, 1, 9000000)
    """

    def __init__(self, columns: Columns, index: NDArray[np.intp] | None = None) -> None:
        self.columns = columns
        self._index = index

    @classmethod
    def of(cls, table: Table[HopRow]) -> Hops:
        """Return all rows of a table."""
        return cls(Columns(table))

    def __len__(self) -> int:
        return len(self.columns.table) if self._index is None else len(self._index)

    @overload
    def __getitem__(self, place: int) -> HopRow: ...
    @overload
    def __getitem__(self, place: slice) -> Hops: ...
    def __getitem__(self, place: int | slice) -> HopRow | Hops:
        if isinstance(place, slice):
            return Hops(self.columns, self.places[place])
        row = place if self._index is None else int(self._index[place])
        return self.columns.table.row(row)

    def __iter__(self) -> Iterator[HopRow]:
        if self._index is None:
            return iter(self.columns.table)
        return map(self.columns.table.row, self._index.tolist())

    @property
    def places(self) -> NDArray[np.intp]:
        """Places of these rows in the whole table."""
        import numpy as np

        return np.arange(len(self.columns.table)) if self._index is None else self._index

    def numbers(self, name: str) -> NDArray[np.int64]:
        """Return a column of whole numbers, of these rows."""
        whole = self.columns.numbers(name)
        return whole if self._index is None else whole[self._index]

    def coded(self, name: str) -> Coded:
        """Return a column of strings, of these rows."""
        whole = self.columns.coded(name)
        return whole if self._index is None else Coded(whole.codes[self._index], whole.strings)

    def strings(self, name: str) -> list[str]:
        """Return a column of strings as a list."""
        codes, strings = self.coded(name)
        return [strings[code] for code in codes.tolist()]

    @property
    def took_ns(self) -> NDArray[np.int64]:
        """How long each took, as its caller saw it."""
        return self.numbers("end_ns") - self.numbers("start_ns")

    @property
    def latency(self) -> Latency:
        """How long these took, as their callers saw it."""
        return RowsLatency(self.numbers("start_ns"), self.took_ns)

    def where(self, mask: NDArray[Any]) -> Hops:
        """Return the rows for which ``mask`` is true."""
        return Hops(self.columns, self.places[mask])

    def find(self, expression: str) -> Hops:
        """Return the rows for which an expression holds: see :mod:`meshsim.mesh.find`.

        Raises
        ------
        ConfigError
            The expression is not understood; the error says where, and what there is.
        """
        from meshsim.mesh.find import holds

        return self.where(holds(expression, self))

    def to_pandas(self) -> pd.DataFrame:
        """Make a data frame; strings become categories. Needs pandas (the ``data`` extra)."""
        whole = self.columns.table.to_pandas()
        return whole if self._index is None else whole.iloc[self._index].reset_index(drop=True)
