"""What is known of a stream or connection, for attributes, access logs and texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from meshsim.envoy.account import Account
from meshsim.envoy.config.listener import Listener as ListenerConfig
from meshsim.envoy.surroundings import Surroundings

_NOWHERE = Surroundings()


@dataclass(slots=True)
class StreamInfo:
    """What is known of a stream, for attributes and logs.

    Times are virtual ns, and -1 before they come. ``source`` is the client, as far as headers can be believed;
    ``peer`` the other end of the connection, where that is somebody else. ``account`` is charged for the request.
    ``transport_failure`` is why the last connection to an upstream failed.
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
    transport_failure: str = ""
    upstream_complete_ns: int = -1
    request_end_ns: int = -1
    upstream_begin_ns: int = -1
    upstream_sent_ns: int = -1
    upstream_answer_ns: int = -1
    upstream_protocol: str = ""
    upstreams_tried: list[tuple[str, int]] = field(default_factory=list)
    peer: tuple[str, int] | None = None
    filter_chain: str = ""
    surroundings: Surroundings = _NOWHERE
    cluster: str = ""
    filter_state: dict[bytes, bytes] = field(default_factory=dict)
    dynamic_metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    account: Account | None = None
