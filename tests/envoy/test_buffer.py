from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.constants import Status
from meshsim.envoy.buffer import BodyBuffer, ReadOnlyBuffer


@pytest.mark.parametrize(
    ("start", "length", "data", "after"),
    [
        (0, 0, b"prepend.", b"prepend.hello"),
        (5, 0, b".append", b"hello.append"),
        (2**32 - 1, 7, b".append", b"hello.append"),
        (0, 5, b"replace", b"replace"),
        (0, 2**32 - 1, b"replace", b"replace"),
        (0, 1, b"partial.", b"partial.ello"),
        (0, 5, b"", b""),
        (0, 1, b"", b"ello"),
        (1, 1, b"x", None),
        (4, 0, b"x", None),
    ],
)
def test_writes_as_in_envoy(start: int, length: int, data: bytes, after: bytes | None) -> None:
    body = BodyBuffer(bytearray(b"hello"))
    assert body.splice(start, length, data) is (Status.BAD_ARGUMENT if after is None else Status.OK)
    assert bytes(body.data) == (b"hello" if after is None else after)
    assert body.size() == len(body.data)


@given(st.binary(max_size=9), st.integers(0, 12), st.integers(0, 12), st.binary(max_size=4))
def test_a_write_keeps_all_that_it_does_not_replace(old: bytes, start: int, length: int, data: bytes) -> None:
    body = BodyBuffer(bytearray(old))
    status = body.splice(start, length, data)
    if start == 0:
        assert body.data == data + old[length:]
    elif start >= len(old):
        assert body.data == old + data
    else:
        assert (status, bytes(body.data)) == (Status.BAD_ARGUMENT, old)


def test_bytes_move_from_one_buffer_to_another_and_not_to_itself() -> None:
    one, other = BodyBuffer(bytearray(b"a")), BodyBuffer(bytearray(b"b"))
    one.take(other)
    one.take(one)
    assert (bytes(one.data), bytes(other.data)) == (b"ab", b"")


def test_what_is_the_hosts_cannot_be_written() -> None:
    buffer = ReadOnlyBuffer(b"hello")
    assert buffer.splice(0, 0, b"x") is Status.BAD_ARGUMENT
    assert (buffer.size(), buffer.read(1, 3)) == (5, b"ell")
