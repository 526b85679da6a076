"""Rows of hops as CSV, as an Arrow table and as Parquet."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from meshsim.errors import MeshsimError
from meshsim.export.files import write_whole
from meshsim.mesh.find import TEXTS
from meshsim.mesh.rows import HopRow

if TYPE_CHECKING:
    from meshsim.mesh.result import Result


def csv_text(result: Result) -> str:
    """Return the rows as CSV, with the names of the columns in the first line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HopRow._fields)
    writer.writerows(result.hops)
    return out.getvalue()


def arrow_table(result: Result) -> Any:
    """Return the rows as a ``pyarrow.Table``; strings are dictionaries.

    Raises
    ------
    MeshsimError
        pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as error:
        raise MeshsimError("Arrow and Parquet need pyarrow", remedy="pip install 'meshsim[data]'") from error

    def column(name: str) -> Any:
        if name not in TEXTS:
            return pa.array(result.rows.numbers(name))
        codes, strings = result.rows.coded(name)
        return pa.DictionaryArray.from_arrays(codes.astype("int32"), pa.array(strings, pa.string()))

    return pa.table({name: column(name) for name in HopRow._fields})


def write_csv(result: Result, path: str | Path) -> None:
    """Write the rows as CSV."""
    write_whole(path, csv_text(result))


def parquet_bytes(result: Result) -> bytes:
    """Return the rows as a Parquet file, compressed by zstd."""
    table = arrow_table(result)
    from pyarrow import parquet

    out = io.BytesIO()
    parquet.write_table(table, out, compression="zstd")
    return out.getvalue()


def write_parquet(result: Result, path: str | Path) -> None:
    """Write the rows as Parquet."""
    write_whole(path, parquet_bytes(result))
