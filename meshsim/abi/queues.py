"""Shared queues: one set a process, named within a ``vm_id``, each with one consumer that is told of messages.

Rules of Envoy's host, seen in Envoy 1.40: tokens count from 1 through the whole process; opening a queue again keeps
its messages and makes the caller its consumer; each message put in tells the consumer once, later, on the consumer's
thread, whether or not the message is still there by then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from meshsim.abi.allowance import AllowanceExceeded

#: Tells a consumer, later and on its own thread, that the queue with this token has a message.
Consumer = Callable[[int], None]


MAX_BYTES = 64 << 20
"""Bytes of messages and names that the queues of one process may hold, :data:`MESSAGE_BYTES` more for each.
Envoy has no such limit: there a queue that nobody empties takes the process's memory."""

MESSAGE_BYTES = 1024
"""What a message takes besides its bytes, about: its consumer is told of it."""


@dataclass(slots=True)
class Queue:
    """Messages, and who is told of new ones."""

    consumer: Consumer
    messages: deque[bytes] = field(default_factory=deque)


@dataclass(slots=True)
class SharedQueues:
    """The shared queues of one Envoy process.

    Examples
    --------
    >>> queues = SharedQueues()
    >>> token = queues.register(b"vm", b"jobs", lambda token: print("ready", token))
    >>> queues.enqueue(token, b"one")
    ready 1
    True
    >>> queues.resolve(b"vm", b"jobs"), queues.resolve(b"vm", b"other")
    (1, None)
    """

    _tokens: dict[tuple[bytes, bytes], int] = field(default_factory=dict)
    _next_token: count[int] = field(default_factory=lambda: count(1))
    _queues: dict[int, Queue] = field(default_factory=dict)
    _held_bytes: int = 0

    def register(self, vm_id: bytes, name: bytes, consumer: Consumer) -> int:
        """Open a queue, new or not; the caller becomes its consumer."""
        token = self._tokens.get((vm_id, name))
        if token is not None:
            self._queues[token].consumer = consumer
            return token
        self._hold(len(name))
        token = self._tokens[vm_id, name] = next(self._next_token)
        self._queues[token] = Queue(consumer)
        return token

    def resolve(self, vm_id: bytes, name: bytes) -> int | None:
        """Find a queue's token."""
        return self._tokens.get((vm_id, name))

    def enqueue(self, token: int, message: bytes) -> bool:
        """Put a message in; False when there is no such queue."""
        queue = self._queues.get(token)
        if queue is None:
            return False
        self._hold(len(message))
        queue.messages.append(message)
        queue.consumer(token)
        return True

    def dequeue(self, queue: Queue) -> bytes | None:
        """Take the oldest message out of a queue; None when it is empty."""
        if not queue.messages:
            return None
        message = queue.messages.popleft()
        self._held_bytes -= len(message) + MESSAGE_BYTES
        return message

    def forget(self, vm_id: bytes) -> None:
        """Erase the queues of a ``vm_id``, when its last VM goes."""
        for key in [key for key in self._tokens if key[0] == vm_id]:
            queue = self._queues.pop(self._tokens.pop(key))
            self._held_bytes -= len(key[1]) + MESSAGE_BYTES
            self._held_bytes -= sum(len(message) + MESSAGE_BYTES for message in queue.messages)

    def _hold(self, size: int) -> None:
        self._held_bytes += size + MESSAGE_BYTES
        if self._held_bytes > MAX_BYTES:
            self._held_bytes -= size + MESSAGE_BYTES
            raise AllowanceExceeded.of("the shared queues", MAX_BYTES)

    def find(self, token: int) -> Queue | None:
        """Return a queue."""
        return self._queues.get(token)
