"""What a request is charged with on its way through proxies and networks, so that its time can be told apart."""

from __future__ import annotations


class Account:
    """Kept by whoever sends a request; sockets and proxies write to it, whatever they make of the request.

    Attributes
    ----------
    network_ns : int
        Time of its messages between two ends, and of waiting for connections.
    wait_ns : int
        Time that its messages had arrived and their thread was busy.
    flags : str
        Response flags, of the last proxy that had some.
    """

    __slots__ = ("flags", "network_ns", "wait_ns")

    def __init__(self) -> None:
        self.network_ns = 0
        self.wait_ns = 0
        self.flags = ""

    def close(self, status: int, size_bytes: int) -> None:
        """Take note of the end of a request that a filter has sent itself; senders of others see that end themselves.

        ``status`` is 0 when no answer came, ``size_bytes`` is of the answer's body.
        """
