"""What a module reads of a resolved name."""

from __future__ import annotations

from collections.abc import Sequence


def encode_addresses(addresses: Sequence[str] | None) -> bytes:
    r"""Write addresses as Envoy does: their number, a time to live each (0 s), then texts that end with a zero byte.

    None, a failure, is nothing at all.

    Examples
    --------
    >>> encode_addresses(["::1"])
    b'\x01\x00\x00\x00\x00\x00\x00\x00[::1]:0\x00'
    """
    if addresses is None:
        return b""
    texts = (f"[{address}]:0\0" if ":" in address else f"{address}:0\0" for address in addresses)
    return len(addresses).to_bytes(4, "little") + bytes(4 * len(addresses)) + "".join(texts).encode()
