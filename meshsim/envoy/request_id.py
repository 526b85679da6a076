"""Values of ``x-request-id``: UUIDs of version 4, as Envoy's default extension makes them."""

from __future__ import annotations

from functools import cache
from random import Random

#: Of the 32 digits: which ones are random, and what stands at the others, version 4 and variant with trace reason 9.
_RANDOM, _FIXED = "ffffffffffff0fff0fffffffffffffff", "00000000000040009000000000000000"
#: Where a hyphen is too many in eight groups of four digits with one behind each: the last ones first.
_TOO_MANY = (34, 29, 4)
_GROUPED, _LENGTH = 40, 36
_BITS = 128
_AT_ONCE = 64


@cache
def _patterns(count: int) -> tuple[int, int]:
    """Which of the bits of so many ids are random, and the others."""
    return int(_RANDOM * count, 16), int(_FIXED * count, 16)


def request_ids(bits: int, count: int) -> list[bytes]:
    """Write random bits as ids, 128 for each; the lowest bits are those of the last in the list.

    Examples
    --------
    >>> request_ids(0x00112233_4455_6677_8899_AABBCCDDEEFF_FEDCBA98_7654_3210_FEDC_BA9876543210, 2)
    [b'00112233-4455-4677-9899-aabbccddeeff', b'fedcba98-7654-4210-9edc-ba9876543210']
    """
    random, fixed = _patterns(count)
    digits = (bits & random | fixed).to_bytes(_BITS // 8 * count, "big")
    grouped = bytearray(digits.hex("-", 2).encode())
    for place, period in zip(_TOO_MANY, range(_GROUPED, 0, -1), strict=False):
        del grouped[place::period]
    text = bytes(grouped)
    return [text[begin : begin + _LENGTH] for begin in range(0, len(text), _LENGTH + 1)]


class RequestIds:
    """Ids in the order in which a stream of random numbers gives them, written many at a time.

    Examples
    --------
    >>> alone = Random(7)
    >>> RequestIds(Random(7)).draw() == request_ids(alone.getrandbits(128), 1)[0]
    True
    """

    __slots__ = ("_made", "_random")

    def __init__(self, random: Random) -> None:
        self._random = random
        self._made: list[bytes] = []

    def draw(self) -> bytes:
        """Give the next one."""
        if not self._made:
            # The generator fills a long number from its lowest bits upwards: what is drawn first comes last here.
            self._made = request_ids(self._random.getrandbits(_BITS * _AT_ONCE), _AT_ONCE)
        return self._made.pop()
