"""Bodies on their way through the filters, and bytes that a guest may only read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

from meshsim.abi.constants import Status


@dataclass(slots=True)
class BodyBuffer:
    """A body, or the piece of it that is under way; filters change it in place.

    ``changed`` is called after a filter's change, by whoever keeps the body and must not let it grow over a limit.

    Examples
    --------
    >>> body = BodyBuffer(bytearray(b"hello"))
    >>> body.splice(0, 1, b"J"), bytes(body.data)
    (<Status.OK: 0>, b'Jello')
    >>> body.splice(2, 1, b"?")
    <Status.BAD_ARGUMENT: 2>
    """

    constant: ClassVar[bool] = False
    data: bytearray = field(default_factory=bytearray)
    changed: Callable[[], None] | None = None

    def size(self) -> int:
        """Bytes in the buffer."""
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        """A piece that lies inside."""
        return bytes(self.data[start : start + length])

    def splice(self, start: int, length: int, data: bytes) -> Status:
        """Replace ``length`` bytes at the start (0 prepends), or append from the end on; nothing in between.

        Envoy's ``Buffer::copyFrom``: an offset inside the buffer is refused.
        """
        if start == 0:
            self.data[:length] = data
        elif start >= len(self.data):
            self.data += data
        else:
            return Status.BAD_ARGUMENT
        if self.changed is not None:
            self.changed()
        return Status.OK

    def take(self, other: BodyBuffer) -> None:
        """Move another buffer's bytes to the end of this one."""
        if other is not self:
            self.data += other.data
            other.data = bytearray()


@dataclass(frozen=True, slots=True)
class ReadOnlyBuffer:
    """Bytes of the host's: configurations, and bodies that are not there now (empty)."""

    constant: ClassVar[bool] = True
    data: bytes = b""

    def size(self) -> int:
        """Bytes in the buffer."""
        return len(self.data)

    def read(self, start: int, length: int) -> bytes:
        """A piece that lies inside."""
        return self.data[start : start + length]

    def splice(self, start: int, length: int, data: bytes) -> Status:
        """Refuse."""
        return Status.BAD_ARGUMENT
