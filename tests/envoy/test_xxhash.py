from __future__ import annotations

import pytest

from meshsim.envoy.xxhash import xxh64


@pytest.mark.parametrize(
    ("data", "seed", "value"),
    [
        (b"", 0, 0xEF46DB3751D8E999),
        (b"a", 0, 0xD24EC4F1A98C6E5B),
        (b"abc", 0, 0x44BC2CF5AD770999),
        (b"Nobody inspects the spammish repetition", 0, 0xFBCEA83C8A378BF1),
        (b"xxhash", 20141025, 13067679811253438005),
    ],
)
def test_published_values(data: bytes, seed: int, value: int) -> None:
    assert xxh64(data, seed) == value


def test_every_length_goes_its_way() -> None:
    assert len({xxh64(b"x" * size) for size in range(100)}) == 100
