from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.protobuf import MAX_DEPTH, MAX_FIELD, Message, Wire, parse, varint, write

_FIELDS = st.tuples(st.integers(1, MAX_FIELD), st.one_of(st.integers(0, 2**64 - 1), st.binary()))


@given(st.lists(_FIELDS))
def test_what_is_written_is_read(fields: list[tuple[int, int | bytes]]) -> None:
    assert [(number, value) for number, _, value in parse(write(fields))] == fields


@given(st.binary())
def test_any_bytes_are_a_message_or_a_value_error(data: bytes) -> None:
    try:
        fields = parse(data)
    except ValueError:
        return
    assert all(0 < number <= MAX_FIELD for number, _, _ in fields)


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # no value
        b"\x0a\x05ab",  # shorter than it says
        b"\x00\x00",  # field 0
        b"\x0c",  # the end of no group
        b"\x0b\x14",  # the end of another group
        b"\x0b",  # a group without an end
        b"\x0e",  # wire type 6
        b"\x08" + b"\x80" * 10,  # eleven bytes
        b"\x8a\x80\x80\x80\x80\x00\x01x",  # a tag of six bytes
        b"\x0d\0\0\0",
        b"\x0b" * (MAX_DEPTH + 1) + b"\x0c" * (MAX_DEPTH + 1),
    ],
)
def test_malformed_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(data)


def test_every_wire_type_has_a_value() -> None:
    data = b"\x08\x01\x11\1\0\0\0\0\0\0\0\x1a\1x\x23\x08\1\x24\x2d\2\0\0\0"
    assert [(number, kind, value) for number, kind, value in parse(data)] == [
        (1, Wire.VARINT, 1),
        (2, Wire.FIXED64, 1),
        (3, Wire.BYTES, b"x"),
        (4, Wire.GROUP, b"\x08\1"),
        (5, Wire.FIXED32, 2),
    ]


def test_the_last_of_a_field_counts_and_another_wire_type_is_another_field() -> None:
    message = Message(write([(1, "a"), (1, "b"), (1, 7)]))
    assert (message.text(1), message.integer(1), message.integer(2), message.data(2)) == ("b", 7, 0, b"")


def test_a_string_is_utf_8() -> None:
    with pytest.raises(ValueError, match="utf-8"):
        Message(write([(1, b"\xed\xa0\x80")])).text(1)


@pytest.mark.parametrize(("value", "size"), [(0, 1), (127, 1), (128, 2), (2**63, 10), (-1, 10)])
def test_a_varint_takes_seven_bits_a_byte(value: int, size: int) -> None:
    assert len(varint(value)) == size
