from __future__ import annotations

import pytest

from meshsim.abi.dns import encode_addresses
from meshsim.envoy.names import resolve
from meshsim.errors import NotModelled


@pytest.mark.parametrize(
    ("name", "addresses"),
    [
        ("127.0.0.1", ("127.0.0.1",)),
        ("0:0::1", ("::1",)),
        ("", ()),
        ("two words", None),
        ("\udcff", None),
        ("a" * 64, None),
        ("a." * 128, None),
    ],
)
def test_what_needs_no_name_server(name: str, addresses: tuple[str, ...] | None) -> None:
    assert resolve(name) == addresses


def test_no_name_server_is_asked() -> None:
    with pytest.raises(NotModelled, match=r"example\.com"):
        resolve("example.com")


@pytest.mark.parametrize(("addresses", "size"), [(None, 0), ((), 4), (("10.0.0.1", "::1"), 4 + 8 + 11 + 8)])
def test_the_size_of_what_a_module_reads(addresses: tuple[str, ...] | None, size: int) -> None:
    assert len(encode_addresses(addresses)) == size
