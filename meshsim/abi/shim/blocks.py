"""Header maps as blocks of bytes, which the shim works on without taking them apart.

A block is four words (number of entries, how many of them are pseudo headers, bytes of all keys and values, 0), then
four words an entry (offset and size of the key, offset and size of the value; offsets count from the block's begin),
then the strings in the order of the entries. So equal maps have equal blocks, and a block can be a dictionary's key.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from meshsim.abi.codec import Pair

HEAD_BYTES = 16
ENTRY_BYTES = 16


@dataclass(frozen=True, slots=True)
class MapRules:
    """How a kind of map treats names.

    Attributes
    ----------
    once : frozenset of bytes
        Names that exist once: another value is appended to the one that is there, behind a comma.
    host_is_authority : bool
        ``host`` is another name for ``:authority``.
    """

    once: frozenset[bytes]
    host_is_authority: bool = False


@cache
def _block_format(count: int) -> struct.Struct:
    return struct.Struct(f"<{4 + 4 * count}I")


def encode_block(pairs: Sequence[Pair]) -> bytes:
    """Write a block.

    Examples
    --------
    >>> block = encode_block([(b":path", b"/"), (b"a", b"1")])
    >>> decode_block(block)
    [(b':path', b'/'), (b'a', b'1')]
    """
    count = len(pairs)
    words = [count, 0, 0, 0]
    at = start = HEAD_BYTES + ENTRY_BYTES * count
    pseudo = 0
    strings: list[bytes] = []
    for key, value in pairs:
        key_size, value_size = len(key), len(value)
        words += (at, key_size, at + key_size, value_size)
        at += key_size + value_size
        pseudo += key[:1] == b":"
        strings += (key, value)
    words[1], words[2] = pseudo, at - start
    return _block_format(count).pack(*words) + b"".join(strings)


@lru_cache(maxsize=128)
def entries_of(block: bytes) -> tuple[Pair, ...]:
    """The entries of a block; many messages are alike."""
    return tuple(decode_block(block))


def decode_block(block: bytes) -> list[Pair]:
    """Read a block."""
    count = int.from_bytes(block[:4], "little")
    words = _block_format(count).unpack_from(block)
    return [
        (block[words[i] : words[i] + words[i + 1]], block[words[i + 2] : words[i + 2] + words[i + 3]])
        for i in range(4, 4 + 4 * count, 4)
    ]
