"""Shared queues: one set a process, named within a ``vm_id``, each with one consumer that is told of messages.

Rules of Envoy's host, seen in Envoy 1.40: tokens count from 1 through the whole process; opening a queue again keeps
its messages and makes the caller its consumer; each message put in tells the consumer once, later, on the consumer's
thread, whether or not the message is still there by then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

#: Tells a consumer, later and on its own thread, that the queue with this token has a message.
Consumer = Callable[[int], None]


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
    _queues: dict[int, Queue] = field(default_factory=dict)

    def register(self, vm_id: bytes, name: bytes, consumer: Consumer) -> int:
        """Open a queue, new or not; the caller becomes its consumer."""
        token = self._tokens.setdefault((vm_id, name), len(self._tokens) + 1)
        if token in self._queues:
            self._queues[token].consumer = consumer
        else:
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
        queue.messages.append(message)
        queue.consumer(token)
        return True

    def find(self, token: int) -> Queue | None:
        """Return a queue."""
        return self._queues.get(token)
