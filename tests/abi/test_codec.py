from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.codec import (
    MAX_PAIRS,
    MAX_PAIRS_BYTES,
    Nanoseconds,
    Uint,
    Unserialisable,
    decode_pairs,
    encode_pairs,
    encode_value,
    split_path,
)

PAIRS = st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40)), max_size=30)


@given(PAIRS)
def test_pairs_come_back_as_they_were(pairs: list[tuple[bytes, bytes]]) -> None:
    assert decode_pairs(encode_pairs(pairs)) == pairs


@given(PAIRS.filter(bool))
def test_pairs_take_the_bytes_that_the_specification_counts(pairs: list[tuple[bytes, bytes]]) -> None:
    assert len(encode_pairs(pairs)) == 4 + sum(8 + len(key) + 1 + len(value) + 1 for key, value in pairs)


def test_the_example_of_the_specification() -> None:
    block = encode_pairs([(b"a", b"1"), (b"b", b"22")])
    assert block == struct.pack("<5I", 2, 1, 1, 1, 2) + b"a\x001\x00b\x0022\x00"


def test_no_pairs_are_no_bytes_but_a_count_of_zero_is_read_too() -> None:
    assert encode_pairs([]) == b""
    assert decode_pairs(b"") == decode_pairs(b"\0") == decode_pairs(bytes(4)) == []


@given(st.binary(max_size=200))
def test_no_block_of_bytes_raises(block: bytes) -> None:
    assert isinstance(decode_pairs(block), list)


@given(PAIRS.filter(bool), st.data())
def test_a_damaged_block_raises_nothing_and_invents_nothing(
    pairs: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    block = bytearray(encode_pairs(pairs))
    at = data.draw(st.integers(0, len(block) - 1))
    block[at] = data.draw(st.integers(0, 255))
    for key, value in decode_pairs(bytes(block)):
        assert key in block
        assert value in block


@given(PAIRS.filter(bool), st.integers(1, 100))
def test_a_block_that_is_cut_or_followed_by_more_is_empty(pairs: list[tuple[bytes, bytes]], change: int) -> None:
    block = encode_pairs(pairs)
    assert decode_pairs(block[:-change]) == []
    assert decode_pairs(block + bytes(change)) == []


@pytest.mark.parametrize("count", [2**32 - 1, 2**31, 2**29, 1 << 24])
def test_a_count_that_no_block_can_hold_is_empty(count: int) -> None:
    assert decode_pairs(struct.pack("<I", count) + bytes(100)) == []


def test_a_length_near_the_end_of_numbers_is_empty() -> None:
    assert decode_pairs(struct.pack("<3I", 1, 2**32 - 1, 2**32 - 1) + bytes(100)) == []


def test_the_limits_of_the_number_of_pairs_and_of_bytes() -> None:
    most = [(b"k", b"")] * MAX_PAIRS
    assert decode_pairs(encode_pairs(most)) == most
    assert decode_pairs(encode_pairs([*most, (b"k", b"")])) == []
    room = MAX_PAIRS_BYTES - len(encode_pairs([(b"", b"")]))
    largest = [(b"", b"v" * room)]
    assert decode_pairs(encode_pairs(largest)) == largest
    assert decode_pairs(encode_pairs([(b"", b"v" * (room + 1))])) == []


@pytest.mark.parametrize(
    ("path", "segments"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\0", [b"a"]),
        (b"a\0b", [b"a", b"b"]),
        (b"\0a", [b"", b"a"]),
        (b"\0", [b""]),
        (b"a\0\0", [b"a", b""]),
    ],
)
def test_a_path_is_cut_at_its_nul_bytes(path: bytes, segments: list[bytes]) -> None:
    assert split_path(path) == segments


@pytest.mark.parametrize(
    ("value", "data"),
    [
        (b"", b""),
        (b"text", b"text"),
        (True, b"\1"),
        (False, b"\0"),
        (-1, b"\xff" * 8),
        (200, struct.pack("<q", 200)),
        (Uint(2**64 - 1), b"\xff" * 8),
        (Nanoseconds(15_000_000), struct.pack("<q", 15_000_000)),
        (-2.5, struct.pack("<d", -2.5)),
        ({}, bytes(4)),
        ([], bytes(4)),
        ({b"a": b"1"}, encode_pairs([(b"a", b"1")])),
        ({b"n": 1}, encode_pairs([(b"n", struct.pack("<q", 1))])),
        ([b"x", True], encode_pairs([(b"x", b""), (b"\1", b"")])),
        ({b"m": {b"k": b"v"}}, encode_pairs([(b"m", encode_pairs([(b"k", b"v")]))])),
    ],
)
def test_a_value_has_its_wire_form(value: object, data: bytes) -> None:
    assert encode_value(value) == data  # type: ignore[arg-type]


def test_null_has_no_wire_form_wherever_it_stands() -> None:
    for value in (None, [None], {b"k": None}, {b"k": [None]}):
        with pytest.raises(Unserialisable):
            encode_value(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**60])
def test_a_number_of_more_than_64_bits_loses_the_upper_ones(value: int) -> None:
    for wrapped in (value, Uint(value), Nanoseconds(value)):
        assert int.from_bytes(encode_value(wrapped), "little") == value % 2**64
