"""Values of ``x-request-id``: UUIDs of version 4, as Envoy's default extension makes them."""

from __future__ import annotations

from random import Random

_FORM = b"00000000-0000-4000-9000-000000000000"
_BITS, _DIGITS = 128, 32
_AT_ONCE = 64


def _places() -> list[tuple[int, int]]:
    """Where which random digit stands; those of version, variant and trace reason (4 and 9) are not random."""
    places = [place for place, digit in enumerate(_FORM) if digit != ord("-")]
    return [(place, digit) for digit, place in enumerate(places) if _FORM[place] == ord("0")]


_PLACES = _places()


def request_ids(bits: int, count: int) -> list[bytes]:
    """Write random bits as ids, 128 for each; the lowest bits are those of the last in the list.

    Examples
    --------
    >>> request_ids(0x00112233_4455_6677_8899_AABBCCDDEEFF_FEDCBA98_7654_3210_FEDC_BA9876543210, 2)
    [b'00112233-4455-4677-9899-aabbccddeeff', b'fedcba98-7654-4210-9edc-ba9876543210']
    """
    digits = f"{bits:0{_DIGITS * count}x}".encode()
    text = bytearray(_FORM * count)
    for place, digit in _PLACES:
        text[place :: len(_FORM)] = digits[digit::_DIGITS]
    return [bytes(text[begin : begin + len(_FORM)]) for begin in range(0, len(text), len(_FORM))]


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
