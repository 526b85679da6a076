"""What VMs share: data and queues."""

from __future__ import annotations

from meshsim.abi.constants import Status
from meshsim.abi.hostcalls.base import HostCallsBase


class SharedCalls(HostCallsBase):
    """Host functions for shared data and shared queues."""

    # -- shared data ---

    @property
    def _vm_id(self) -> bytes:
        plugin = self._wasm.acting.plugin
        return plugin.vm_id.encode() if plugin else b""

    def proxy_get_shared_data(self, key: int, key_size: int, pointer_out: int, size_out: int, cas_out: int) -> int:
        """Give value and CAS of a key."""
        found = self._host.shared_data.get(self._vm_id, self._read(key, key_size))
        if found is None:
            return Status.NOT_FOUND
        value, cas = found
        status = self._give(value, pointer_out, size_out)
        self._write_u32(cas_out, cas)
        return status

    def proxy_set_shared_data(self, key: int, key_size: int, value: int, value_size: int, cas: int) -> int:
        """Write a key, if the CAS agrees."""
        name, data = self._read(key, key_size), self._read(value, value_size)
        return self._host.shared_data.set(self._vm_id, name, data, cas)

    # -- shared queues ---

    def proxy_register_shared_queue(self, name: int, name_size: int, token_out: int) -> int:
        """Open a queue; the context's root is told of its messages."""
        queue = self._read(name, name_size)
        consumer = self._host.queue_consumer(self._wasm.acting.root)
        self._write_u32(token_out, self._host.shared_queues.register(self._vm_id, queue, consumer))
        return Status.OK

    def proxy_resolve_shared_queue(self, vm_id: int, vm_id_size: int, name: int, name_size: int, token_out: int) -> int:
        """Find a queue of any VM id; an empty one is the caller's own."""
        space, queue = self._read(vm_id, vm_id_size), self._read(name, name_size)
        token = self._host.shared_queues.resolve(space or self._vm_id, queue)
        if token is None:
            return Status.NOT_FOUND
        self._write_u32(token_out, token)
        return Status.OK

    def proxy_enqueue_shared_queue(self, token: int, message: int, size: int) -> int:
        """Put a message into a queue."""
        found = self._host.shared_queues.enqueue(token, self._read(message, size))
        return Status.OK if found else Status.NOT_FOUND

    def proxy_dequeue_shared_queue(self, token: int, pointer_out: int, size_out: int) -> int:
        """Take the oldest message out of a queue."""
        queue = self._host.shared_queues.find(token)
        if queue is None:
            return Status.NOT_FOUND
        message = self._host.shared_queues.dequeue(queue)
        return Status.EMPTY if message is None else self._give(message, pointer_out, size_out)
