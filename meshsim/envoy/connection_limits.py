"""How long a downstream connection goes on."""

from __future__ import annotations

from dataclasses import dataclass

from meshsim.envoy.config.http import HttpConnectionManager
from meshsim.envoy.wire import LINGER_NS


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How long a connection goes on: so many requests, so long (ns), 0 for ever.

    ``linger_ns`` is Envoy's ``delayed_close_timeout``: how long a server waits for a client that may still be sending.
    """

    requests: int
    duration_ns: int
    linger_ns: int

    @classmethod
    def of(cls, config: HttpConnectionManager) -> ConnectionLimits:
        """Read the limits off a configuration."""
        common, linger_ns = config.common_http_protocol_options, config.delayed_close_timeout
        return cls(
            (common.max_requests_per_connection if common else None) or 0,
            (common.max_connection_duration if common else None) or 0,
            LINGER_NS if linger_ns is None else linger_ns,
        )
