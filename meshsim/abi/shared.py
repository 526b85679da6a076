"""The shared key-value store: one a process, one name space a ``vm_id``.

Rules from Envoy's host (proxy-wasm-cpp-host, ``shared_data``): every successful write takes the next number of one
counter for the whole process as its CAS value; a write with CAS 0 always succeeds; a write with another CAS must
name the value's current one; a key that does not exist yet takes any CAS.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from meshsim.abi.constants import Status


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

    def get(self, vm_id: bytes, key: bytes) -> tuple[bytes, int] | None:
        """Value and CAS of a key, or None."""
        return self._values.get((vm_id, key))

    def set(self, vm_id: bytes, key: bytes, value: bytes, cas: int) -> Status:
        """Write a value; ``cas`` 0 writes whatever is there."""
        current = self._values.get((vm_id, key))
        if cas and current and current[1] != cas:
            return Status.CAS_MISMATCH
        self._values[vm_id, key] = (value, next(self._next_cas))
        return Status.OK

    def forget(self, vm_id: bytes) -> None:
        """Erase a name space, when the last base VM with this ``vm_id`` goes."""
        for key in [key for key in self._values if key[0] == vm_id]:
            del self._values[key]
