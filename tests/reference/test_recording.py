"""What modules do at their start, as the simulator runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from meshsim.reference import specimens
from meshsim.reference.recording import data_pages, start_of
from meshsim.wasm import parse_module

PAGE = 4096


@pytest.mark.parametrize(
    ("data", "pages"),
    [
        ("", set()),
        ('(data (i32.const 0) "a") (data (i32.const 4095) "bc") (data (i32.const 4090) "d")', {0, 1}),
        ('(data (i32.const 61440) "a")', {15}),
        ('(data (i32.const 8192) "")', set()),
        ('(data "passive") (data (i32.const 12288) "a")', {3}),
    ],
)
def test_pages_of_data_are_those_that_a_segment_falls_into(data: str, pages: set[int]) -> None:
    assert data_pages(parse_module(bytes(wasmtime.wat2wasm(f"(module (memory 1) {data})")))) == pages


def test_a_segment_whose_place_is_not_a_constant_is_left_out() -> None:
    wat = '(module (import "env" "base" (global i32)) (memory 1) (data (global.get 0) "a"))'
    assert data_pages(parse_module(bytes(wasmtime.wat2wasm(wat)))) == set()


def test_a_start_counts_what_is_written_beside_the_data(tmp_path: Path) -> None:
    path = tmp_path / "guest.wasm"
    path.write_bytes(specimens.filler(0, 1, pages=3, touched=2))
    start = start_of(path)
    assert (start.data_bytes, start.written_bytes) == (PAGE, 2 * 65_536 - PAGE)
    assert start.callbacks == 2
