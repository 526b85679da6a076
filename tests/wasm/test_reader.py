from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.errors import ModuleError
from meshsim.wasm.reader import Reader


def unsigned(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


@given(st.integers(0, 2**32 - 1))
def test_u32_reads_what_was_written(value: int) -> None:
    assert Reader(unsigned(value)).u32() == value


@given(st.integers(0, 2**64 - 1))
def test_u64_reads_what_was_written(value: int) -> None:
    assert Reader(unsigned(value)).u64() == value


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"\x00", 0),
        (b"\x3f", 63),
        (b"\x40", -64),
        (b"\x7f", -1),
        (b"\x80\x01", 128),
        (b"\xff\xff\xff\xff\x0f", 2**32 - 1),
        (b"\x80\x80\x80\x80\x70", -(2**32)),
    ],
)
def test_s33(data: bytes, value: int) -> None:
    assert Reader(data).s33() == value


def test_redundant_zero_bytes_are_allowed_up_to_the_width() -> None:
    assert Reader(b"\x83\x80\x80\x80\x00").u32() == 3


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "a byte is missing in module at byte 0"),
        (b"\x80", "a byte is missing in module at byte 1"),
        (b"\x80\x80\x80\x80\x80\x00", "integer too long in module at byte 0"),
        (b"\xff\xff\xff\xff\x1f", "integer too large in module at byte 0"),
    ],
)
def test_u32_refuses_what_is_no_u32(data: bytes, problem: str) -> None:
    with pytest.raises(ModuleError, match=problem):
        Reader(data).u32()


def test_s33_refuses_a_34_bit_number() -> None:
    with pytest.raises(ModuleError, match="integer too large"):
        Reader(b"\x80\x80\x80\x80\x20").s33()


def test_names_are_utf8() -> None:
    assert Reader(b"\x03\xe2\x82\xac").name() == "€"
    with pytest.raises(ModuleError, match="not UTF-8 in module at byte 1"):
        Reader(b"\x01\xff").name()


def test_a_part_ends_before_the_module_does() -> None:
    part = Reader(b"\x01\x02\x03\x04", 1, 3, "the type section")
    assert part.take(2) == b"\x02\x03"
    with pytest.raises(ModuleError, match=r"1 bytes wanted, 0 left, in the type section at byte 3"):
        part.skip(1)
