"""The shared key-value store: one a process, one name space a ``vm_id``.

Rules from Envoy's host (proxy-wasm-cpp-host, ``shared_data``): every successful write takes the next number of one
counter for the whole process as its CAS value; a write with CAS 0 always succeeds; a write with another CAS must
name the value's current one; a key that does not exist yet takes any CAS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from meshsim.abi.allowance import AllowanceExceeded
from meshsim.abi.constants import Status

MAX_BYTES = 64 << 20
"""Bytes of keys and values that one process may hold, :data:`ENTRY_BYTES` more for each. Envoy has no such limit."""

ENTRY_BYTES = 512
"""What an entry takes besides its key and value, about."""


@dataclass(slots=True)
class SharedData:
    """Shared data of one Envoy process.

    Examples
    --------
    >>> store = SharedData()
    >>> store.set(b"vm", b"key", b"one", cas=0), store.get(b"vm", b"key")
    (<Status.OK: 0>, (b'one', 1))
    >>> store.set(b"vm", b"key", b"two", cas=7)
    <Status.CAS_MISMATCH: 8>
    """

    _values: dict[tuple[bytes, bytes], tuple[bytes, int]] = field(default_factory=dict)
    _next_cas: count[int] = field(default_factory=lambda: count(1))
    _held_bytes: int = 0

    def get(self, vm_id: bytes, key: bytes) -> tuple[bytes, int] | None:
        """Value and CAS of a key, or None."""
        return self._values.get((vm_id, key))

    def set(self, vm_id: bytes, key: bytes, value: bytes, cas: int) -> Status:
        """Write a value; ``cas`` 0 writes whatever is there.

        Raises
        ------
        AllowanceExceeded
            Modules store data without end.
        """
        current = self._values.get((vm_id, key))
        if cas and current and current[1] != cas:
            return Status.CAS_MISMATCH
        more = len(value) - len(current[0]) if current else len(key) + len(value) + ENTRY_BYTES
        if self._held_bytes + more > MAX_BYTES:
            raise AllowanceExceeded.of("the shared data", MAX_BYTES)
        self._held_bytes += more
        self._values[vm_id, key] = (value, next(self._next_cas))
        return Status.OK

    def forget(self, vm_id: bytes) -> None:
        """Erase a name space, when the last VM with this ``vm_id`` goes."""
        for key in [key for key in self._values if key[0] == vm_id]:
            value, _ = self._values.pop(key)
            self._held_bytes -= len(key[1]) + len(value) + ENTRY_BYTES
