from __future__ import annotations

import tracemalloc
import zlib

import pytest

from meshsim.abi import foreign
from meshsim.abi.constants import Status
from meshsim.abi.context import Context
from meshsim.abi.foreign import FOREIGN
from meshsim.errors import NotModelled
from tests.abi.conftest import PLUGIN, FakeStream


@pytest.fixture
def stream() -> FakeStream:
    return FakeStream()


@pytest.fixture
def context(stream: FakeStream) -> Context:
    return Context(None, 2, PLUGIN, stream)  # type: ignore[arg-type]


def test_what_is_compressed_comes_back(context: Context) -> None:
    small = foreign.call("compress", context, b"a" * 2000)
    assert isinstance(small, bytes)
    assert len(small) == 23
    assert foreign.call("uncompress", context, small) == b"a" * 2000


@pytest.mark.parametrize("data", [b"", b"nonsense", zlib.compress(b"abc")[:-1]])
def test_what_cannot_be_read_is_a_status(context: Context, data: bytes) -> None:
    assert foreign.call("uncompress", context, data) is Status.SERIALIZATION_FAILURE


def test_the_route_is_chosen_anew(context: Context, stream: FakeStream) -> None:
    assert foreign.call("clear_route_cache", context, b"ignored") == b""
    assert stream.asked == [("clear route",)]


def test_unknown_names_and_known_ones_that_are_not_modelled(context: Context) -> None:
    assert foreign.call("no_such_function", context, b"") is Status.NOT_FOUND
    with pytest.raises(NotModelled, match="expr_create"):
        foreign.call("expr_create", context, b"")
    assert "expr_create" not in FOREIGN


@pytest.mark.xfail(strict=True, reason="uncompress makes as much as the data says: a thousandfold of a guest's memory")
def test_a_bomb_does_not_fill_the_hosts_memory(context: Context) -> None:
    """A guest has 1 GiB at most; what does not fit there need not be made."""
    bomb = zlib.compress(bytes(64 << 20), 9)
    tracemalloc.start()
    foreign.call("uncompress", context, bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100 * len(bomb)
