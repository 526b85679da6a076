"""What every host function needs: the guest's memory, and a way to refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshsim.abi.allowance import SMALL_BYTES
from meshsim.abi.constants import Status

if TYPE_CHECKING:
    from meshsim.abi.proxy_wasm import ProxyWasm

# Looking a member up in its enum, by name or by number, takes up to half a microsecond: too much for every host call.
OK = Status.OK
_INVALID_MEMORY_ACCESS = Status.INVALID_MEMORY_ACCESS


class Refusal(Exception):
    """A host function ends early with a status."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


def signed64(value: int) -> int:
    """Read an unsigned 64-bit argument as signed.

    Examples
    --------
    >>> signed64(2**64 - 1)
    -1
    """
    return value - (1 << 64) if value >> 63 else value


def guest_text(data: bytes) -> str:
    """Text of a guest; a byte that is not UTF-8 becomes one surrogate, so nothing is lost and nothing raises."""
    return data.decode("utf-8", "surrogateescape")


class HostCallsBase:
    """Host functions of one VM."""

    def __init__(self, wasm: ProxyWasm) -> None:
        self._wasm = wasm
        self._host = wasm.host

    def _read(self, pointer: int, size: int) -> bytes:
        if size > SMALL_BYTES and pointer + size <= self._wasm.memory.size:
            self._wasm.allowance.spend(size)
        data = self._wasm.memory.read(pointer, size)
        if data is None:
            raise Refusal(_INVALID_MEMORY_ACCESS)
        return data

    def _write_u32(self, pointer: int, value: int) -> None:
        if not self._wasm.memory.write_u32(pointer, value):
            raise Refusal(_INVALID_MEMORY_ACCESS)

    def _write_u64(self, pointer: int, value: int) -> None:
        if not self._wasm.memory.write_u64(pointer, value):
            raise Refusal(_INVALID_MEMORY_ACCESS)

    def _give(self, data: bytes, pointer_out: int, size_out: int) -> Status:
        """Hand bytes over in a block of the module's own allocator; no bytes need no block."""
        memory, size, address = self._wasm.memory, len(data), 0
        if data:
            address = self._wasm.allocate(size)
            if not address or not memory.write(address, data):
                return _INVALID_MEMORY_ACCESS
        if memory.write_u32(pointer_out, address) and memory.write_u32(size_out, size):
            return OK
        return _INVALID_MEMORY_ACCESS
