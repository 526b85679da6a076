"""What is known of a stream or connection, for attributes, access logs and texts."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any

from meshsim.envoy.account import Account
from meshsim.envoy.config.listener import Listener as ListenerConfig
from meshsim.envoy.surroundings import Surroundings

_NOWHERE = Surroundings()


class StackedState(ChainMap[bytes, bytes]):
    """A stream's objects by name, and behind them those of its connection, which every stream of it sees.

    Examples
    --------
    >>> connection = {b"wasm.who": b"alice"}
    >>> stream = StackedState({}, connection)
    >>> stream[b"wasm.who"], stream[b"wasm.path"] = b"bob", b"/"
    >>> connection, dict(stream)
    ({b'wasm.who': b'bob'}, {b'wasm.who': b'bob', b'wasm.path': b'/'})
    """

    def __setitem__(self, name: bytes, value: bytes) -> None:
        """Put an object where there is one of this name, else on the stream."""
        next((state for state in self.maps if name in state), self.maps[0])[name] = value


@dataclass(slots=True)
class StreamInfo:
    """What is known of a stream, for attributes and logs.

    Times are virtual ns, and -1 before they come. ``source`` is the client, as far as headers can be believed;
    ``peer`` the other end of the connection, where that is somebody else. ``account`` is charged for the request.
    ``transport_failure`` is why the last connection to an upstream failed, None while there was no upstream at all.
    ``pool_answered`` says whether a connection to the upstream was made, or failed.
    """

    started_ns: int
    source: tuple[str, int]
    destination: tuple[str, int]
    connection_id: int
    listener: ListenerConfig
    protocol: str = "HTTP/1.1"
    ended_ns: int = -1
    bytes_received: int = 0
    bytes_sent: int = 0
    code: int | None = None
    details: str | None = None
    flags: list[str] = field(default_factory=list)
    attempts: int = 0
    upstream: tuple[str, int] | None = None
    upstream_connected: bool = False
    pool_answered: bool = False
    transport_failure: str | None = None
    upstream_complete_ns: int = -1
    request_end_ns: int = -1
    upstream_begin_ns: int = -1
    upstream_sent_ns: int = -1
    upstream_answer_ns: int = -1
    upstream_protocol: str = ""
    peer: tuple[str, int] | None = None
    filter_chain: str = ""
    surroundings: Surroundings = _NOWHERE
    cluster: str = ""
    filter_state: MutableMapping[bytes, bytes] = field(default_factory=dict)
    dynamic_metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    account: Account | None = None
