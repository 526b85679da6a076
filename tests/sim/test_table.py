"""Rows become columns and come back."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.sim import Table
from meshsim.sim import table as module


class Hop(NamedTuple):
    number: int
    share: float
    service: str
    failed: bool


HOPS = st.lists(
    st.builds(
        Hop,
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
        st.text(max_size=3),
        st.booleans(),
    ),
    max_size=30,
)
CHUNKS = st.sampled_from([1, 2, 7, 100])


@pytest.fixture(params=[3, 100], ids=["chunks", "tail"])
def table(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Table[Hop]:
    monkeypatch.setattr(module, "CHUNK_ROWS", request.param)
    table = Table(Hop)
    for number in range(8):
        table.append(number, number / 2, "reviews" if number % 2 else "ratings", number > 5)
    return table


def test_rows_come_back_as_objects(table: Table[Hop]) -> None:
    assert len(table) == 8
    assert table.row(0) == Hop(0, 0.0, "ratings", False)
    assert table.row(7) == table.row(-1) == Hop(7, 3.5, "reviews", True)
    assert isinstance(table.row(0), Hop)
    assert type(table.row(6).failed) is bool
    assert [table.row(i) for i in range(8)] == list(table)


@pytest.mark.parametrize("index", [8, -9])
def test_there_is_no_row_outside(table: Table[Hop], index: int) -> None:
    with pytest.raises(IndexError, match=f"no row {index} in a table of 8"):
        table.row(index)


def test_columns(table: Table[Hop]) -> None:
    assert table.names == ("number", "share", "service", "failed")
    assert table.column("number") == array("q", range(8))
    assert table.column("share") == array("d", [i / 2 for i in range(8)])
    assert table.column("service") == ["ratings", "reviews"] * 4
    assert table.column("failed") == [False] * 6 + [True] * 2
    with pytest.raises(KeyError, match="nothing"):
        table.column("nothing")


def test_a_column_is_a_copy(table: Table[Hop]) -> None:
    column: Any = table.column("number")
    column[0] = 99
    assert table.row(0).number == 0


def test_to_pandas(table: Table[Hop]) -> None:
    pytest.importorskip("pandas")
    frame = table.to_pandas()
    assert list(frame.itertuples(index=False, name=None)) == [tuple(hop) for hop in table]
    assert list(map(str, frame.dtypes)) == ["int64", "float64", "category", "bool"]
    assert len(Table(Hop).to_pandas()) == 0


@given(HOPS, CHUNKS)
def test_round_trip(hops: list[Hop], chunk_rows: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_ROWS", chunk_rows)
        table = Table(Hop)
        for hop in hops:
            table.append(*hop)
        assert len(table) == len(hops)
        assert list(table) == hops
        assert [table.row(i) for i in range(len(hops))] == hops
        for name in Hop._fields:
            assert list(table.column(name)) == [getattr(hop, name) for hop in hops]


def test_reading_between_appends_changes_nothing(table: Table[Hop]) -> None:
    before = list(table)
    table.column("service")
    table.append(8, 4.0, "details", True)
    assert list(table) == [*before, Hop(8, 4.0, "details", True)]
    assert table.column("service")[-2:] == ["reviews", "details"]


def test_a_frozen_dataclass_is_a_row_type_too() -> None:
    @dataclass(frozen=True)
    class Tick:
        at_ns: int

    ticks = Table(Tick)
    ticks.append(5)
    assert list(ticks) == [Tick(5)]


def test_a_row_type_that_does_not_fit_columns_is_refused() -> None:
    class Bad(NamedTuple):
        headers: list[str]

    with pytest.raises(TypeError, match=r"Bad\.headers: a column is of int, float, bool or str"):
        Table(Bad)


@pytest.mark.parametrize("values", [(), (1, 2.0, "x"), (1, 2.0, "x", True, 5)])
def test_a_row_of_another_length_is_refused(values: tuple[object, ...]) -> None:
    table = Table(Hop)
    with pytest.raises(TypeError, match="values for the columns number, share, service, failed"):
        table.append(*values)
    assert len(table) == 0


def test_a_value_of_another_type_is_refused_when_its_chunk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ROWS", 1)
    with pytest.raises(TypeError, match=r"column 'number'"):
        Table(Hop).append("one", 2.0, "x", True)
    with pytest.raises(TypeError, match=r"column 'number'"):
        Table(Hop).append(2**63, 2.0, "x", True)
    with pytest.raises(TypeError, match=r"column 'service': a string is required, not None"):
        Table(Hop).append(1, 2.0, None, True)


def test_strings_are_kept_once() -> None:
    table = Table(Hop)
    for number in range(3 * module.CHUNK_ROWS):
        table.append(number, 0.0, "".join(["re", "views"]), False)
    assert len(set(map(id, table.column("service")))) == 1
