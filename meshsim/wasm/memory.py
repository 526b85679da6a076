"""A guest's linear memory as the host sees it: every access checked, never a stale view."""

from __future__ import annotations

import struct
from typing import Any

from meshsim.wasm.rawcall import NO_BYTES, Store

_U32 = struct.Struct("<I")
_U64 = struct.Struct("<Q")


class Memory:
    """Reads and writes that cannot leave the memory.

    A buffer over the memory is kept between accesses. It goes stale when the guest grows the memory, which any call of
    an allocator may do: a longer memory is noticed because an access seems out of range, and the buffer is made anew
    before the answer is no. Where the engine may also *move* a growing memory (``movable``), the buffer is made anew
    for every access.

    Without a memory, that is until :meth:`attach` and after :meth:`detach`, every access is out of range.

    Parameters
    ----------
    store : Store
        Whose memory it is; kept alive.
    """

    __slots__ = ("_buffer", "_extern", "_movable", "_size", "_store")

    def __init__(self, store: Store) -> None:
        self._store = store
        self._extern: Any = None
        self.detach()

    def attach(self, extern: Any, movable: bool) -> None:
        """Show the memory ``extern``, whose address changes when it grows (``movable``) or stays."""
        self._extern, self._movable = extern, movable

    def detach(self) -> None:
        """Show no memory."""
        self._extern = None
        self._movable = False
        self._buffer: Any = NO_BYTES
        self._size = 0

    @property
    def size(self) -> int:
        """Bytes of the memory, now."""
        return len(self._renewed())

    def read(self, ptr: int, size: int) -> bytes | None:
        """The ``size`` bytes at ``ptr``; None when they are not all in the memory."""
        if 0 <= ptr <= (end := ptr + size) <= self._size:
            return self._buffer[ptr:end]  # type: ignore[no-any-return]  # a slice of cffi's buffer is bytes
        buffer = self._renewed()
        return buffer[ptr:end] if 0 <= ptr <= end <= len(buffer) else None

    def write(self, ptr: int, data: bytes) -> bool:
        """Put ``data`` at ``ptr``; False, and nothing is written, when it does not fit into the memory."""
        if ptr >= 0 and (end := ptr + len(data)) <= self._size:
            self._buffer[ptr:end] = data
            return True
        buffer = self._renewed()
        if not 0 <= ptr <= (end := ptr + len(data)) <= len(buffer):
            return False
        buffer[ptr:end] = data
        return True

    def read_u32(self, ptr: int) -> int | None:
        """The little-endian u32 at ``ptr``, aligned or not; None when out of range."""
        if 0 <= ptr <= self._size - 4:
            return _U32.unpack_from(self._buffer, ptr)[0]  # type: ignore[no-any-return]
        data = self.read(ptr, 4)
        return None if data is None else int.from_bytes(data, "little")

    def write_u32(self, ptr: int, value: int) -> bool:
        """Put the low 32 bits of ``value`` at ``ptr``; False when out of range."""
        if 0 <= ptr <= self._size - 4:
            _U32.pack_into(self._buffer, ptr, value & 0xFFFFFFFF)
            return True
        return self.write(ptr, _U32.pack(value & 0xFFFFFFFF))

    def write_u64(self, ptr: int, value: int) -> bool:
        """Put the low 64 bits of ``value`` at ``ptr``; False when out of range."""
        return self.write(ptr, _U64.pack(value & 0xFFFFFFFFFFFFFFFF))

    def _renewed(self) -> Any:
        """A fresh buffer; kept as long as it stays where it is."""
        buffer, size = self._store.window(self._extern) if self._extern is not None else (NO_BYTES, 0)
        if not self._movable:
            self._buffer, self._size = buffer, size
        return buffer
