"""What the ABI layer needs of the streams around it, as Protocols: messages, attributes, answers, calls.

The layer knows nothing of Envoy's filter chains. A *context host* stands for the stream (or the plugin, for root
contexts) that a context belongs to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from meshsim.abi.codec import Pair, PropertyValue
from meshsim.abi.constants import BufferType, HeaderMapType, Status, StreamType


class HeaderMap(Protocol):
    """An ordered multimap; keys come lower-cased."""

    def pairs(self) -> Sequence[Pair]:
        """Every entry, in order."""

    def get(self, key: bytes) -> bytes | None:
        """The first value of a key, or None."""

    def add(self, key: bytes, value: bytes) -> None:
        """Append an entry."""

    def replace(self, key: bytes, value: bytes) -> None:
        """Set a key to one value."""

    def remove(self, key: bytes) -> None:
        """Remove every entry of a key."""

    def byte_size(self) -> int:
        """Bytes of all keys and values."""


class Buffer(Protocol):
    """A body, or other bytes, as a guest sees them."""

    def size(self) -> int:
        """Bytes in the buffer."""

    def read(self, start: int, length: int) -> bytes:
        """A piece that lies inside."""

    def splice(self, start: int, length: int, data: bytes) -> Status:
        """Change the buffer in the way of ``proxy_set_buffer_bytes``."""


@dataclass(frozen=True, slots=True)
class LocalResponse:
    """What ``proxy_send_local_response`` asks for; ``grpc_status`` None when none was given."""

    status: int
    details: bytes
    body: bytes
    headers: tuple[Pair, ...]
    grpc_status: int | None


class PropertyUnavailable(Exception):
    """A property that cannot be read; ``status`` is what the guest gets."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.name)
        self.status = status


class ContextHost(Protocol):
    """What stands behind a context: for a root context everything about streams is absent."""

    @property
    def in_access_log(self) -> bool:
        """Whether ``proxy_on_log`` runs: maps are copies then, and may be missing."""

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """The map for reading, or None when it is not there now."""

    def mutable_header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """The map for writing; asking may create trailers, as in Envoy."""

    def buffer(self, kind: BufferType) -> Buffer | None:
        """The buffer, or None when this context never has it."""

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """An attribute; raises :class:`PropertyUnavailable`."""

    def set_property(self, path: bytes, value: bytes) -> Status:
        """Leave a value on the stream."""

    def set_filter_state(self, name: bytes, made: bytes | None) -> Status:
        """Put an object on the stream, in its serialised form (None: it has none, and attributes do not show it)."""

    def headers_changed(self, kind: HeaderMapType) -> None:
        """A guest changed a map (a changed request clears the route cache)."""

    def clear_route_cache(self) -> None:
        """Choose the route anew."""

    def continue_stream(self, kind: StreamType) -> None:
        """Resume, after the callback that asks for it (see :meth:`ProxyWasm.after_call`)."""

    def close_stream(self, kind: StreamType) -> None:
        """Reset, after the callback that asks for it."""

    def send_local_response(self, response: LocalResponse) -> None:
        """Answer, after the callback that asks for it; nothing happens where there is no stream."""

    def fail_stream(self) -> None:
        """The VM has failed: end the stream as the plugin's policy says."""


class GrpcHandle(Protocol):
    """A call that is under way."""

    @property
    def over(self) -> bool:
        """Whether it has ended, also while it was begun."""

    @property
    def half_closed(self) -> bool:
        """Whether the module has said that it sends no more."""

    def send(self, message: bytes, end: bool) -> None:
        """Send a message; ``end`` says that no other follows."""

    def close(self) -> None:
        """Send no more."""

    def cancel(self) -> None:
        """Leave; nothing more is heard."""


class NoStream:
    """The context host of contexts without a stream: root contexts, and the VM's own."""

    in_access_log = False

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """None: there is no message."""
        return None

    mutable_header_map = header_map

    def buffer(self, kind: BufferType) -> Buffer | None:
        """None: there is no body."""
        return None

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """Nothing is known."""
        raise PropertyUnavailable(Status.NOT_FOUND)

    def set_property(self, path: bytes, value: bytes) -> Status:
        """There is nothing to put it on."""
        return Status.NOT_FOUND

    def set_filter_state(self, name: bytes, made: bytes | None) -> Status:
        """There is nothing to put it on."""
        return Status.NOT_FOUND

    def headers_changed(self, kind: HeaderMapType) -> None:
        """Cannot happen without maps."""

    def clear_route_cache(self) -> None:
        """There is no route."""

    def continue_stream(self, kind: StreamType) -> None:
        """There is nothing to resume."""

    def close_stream(self, kind: StreamType) -> None:
        """There is nothing to reset."""

    def send_local_response(self, response: LocalResponse) -> None:
        """There is nobody to answer."""

    def fail_stream(self) -> None:
        """There is no stream to fail."""
