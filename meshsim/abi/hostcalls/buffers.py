"""Bodies and other buffers."""

from __future__ import annotations

from meshsim.abi.constants import BufferType, Status
from meshsim.abi.hostcalls.base import OK, HostCallsBase, Refusal
from meshsim.abi.ports import Buffer

_BUFFERS = tuple(BufferType)


class BufferCalls(HostCallsBase):
    """Host functions that read and write buffers."""

    def _buffer(self, kind: int) -> Buffer:
        if kind >= len(_BUFFERS):
            raise Refusal(Status.BAD_ARGUMENT)
        buffer = self._wasm.acting.host.buffer(_BUFFERS[kind])
        if buffer is None:
            raise Refusal(Status.NOT_FOUND)
        return buffer

    def proxy_get_buffer_status(self, kind: int, length_out: int, flags_out: int) -> int:
        """Give the length of a buffer; the flags are always 0."""
        self._write_u32(length_out, self._buffer(kind).size())
        self._write_u32(flags_out, 0)
        return OK

    def proxy_get_buffer_bytes(self, kind: int, start: int, length: int, pointer_out: int, size_out: int) -> int:
        """Give a piece of a buffer, cut to what is there."""
        buffer = self._buffer(kind)
        length = max(0, min(length, buffer.size() - start))
        return self._give(buffer.read(start, length) if length else b"", pointer_out, size_out)

    def proxy_set_buffer_bytes(self, kind: int, start: int, length: int, data: int, size: int) -> int:
        """Prepend, replace from the start, or append."""
        buffer = self._buffer(kind)
        return buffer.splice(start, length, self._read(data, size))
