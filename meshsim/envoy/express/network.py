"""Which requests have a lane."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from meshsim.envoy.address import Address
from meshsim.envoy.config.http import Router
from meshsim.envoy.express.course import Ahead
from meshsim.envoy.express.lane import Lane
from meshsim.envoy.express.rehearsal import NotTheSame
from meshsim.envoy.listener import Listener
from meshsim.envoy.manager import Manager
from meshsim.envoy.plugin_use import PluginUse
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Part

if TYPE_CHECKING:
    from meshsim.envoy.server import Server

#: What in a listener's configuration makes a request depend on more than itself.
_UNKNOWABLE = re.compile(
    "%|x-request-id|max_requests_per_connection|max_connection_duration|runtime_fraction|weighted_clusters"
    "|always_set_request_id_in_response|tracing",
    re.IGNORECASE,
)


@runtime_checkable
class Landing(Protocol):
    """What listens at an address and takes requests of lanes without the bytes of a connection."""

    @property
    def ahead(self) -> Ahead:
        """Where such requests go."""


class Express:
    """The lanes of one Envoy."""

    def __init__(self, envoy: Server) -> None:
        self._envoy = envoy
        self._hosts = {host.thread: host for host in envoy.workers}
        self._lanes: dict[tuple[Listener, ThreadHost, tuple[Part, ...], bool], Lane | None] = {}
        self._closed = False

    def lane_at(self, address: Address, thread: Thread, request: tuple[Part, ...], *, http2: bool) -> Ahead | None:
        """Return the lane that begins at an address, of this Envoy or of another, for a request of another lane."""
        listener = self._envoy.listener_at(address)
        if listener is None:
            found: object = self._envoy.find(address)
            return found.ahead if isinstance(found, Landing) else None
        express = listener.envoy.express
        return express.lane(listener, thread, request, http2=http2) if express is not None else None

    def lane(
        self, listener: Listener, thread: Thread, request: tuple[Part, ...], *, http2: bool = False
    ) -> Lane | None:
        """Return the lane of a request, made when it is first asked for; None when it is better off without one."""
        key = listener, self._hosts[thread], request, http2
        if key not in self._lanes:
            self._lanes[key] = self._make(*key)
        lane = self._lanes[key]
        return lane if lane is not None and lane.open else None

    def close(self) -> None:
        """Let no request take a lane any more."""
        self._closed = True
        for lane in self.lanes():
            lane.hopeless = True

    def lanes(self) -> list[Lane]:
        """Return all that there are."""
        return [lane for lane in self._lanes.values() if lane is not None]

    def _make(self, listener: Listener, worker: ThreadHost, request: tuple[Part, ...], http2: bool) -> Lane | None:
        if self._closed or not _is_plain(listener):
            return None
        try:
            return Lane(self._envoy, self, listener, worker, request, http2=http2)
        except NotTheSame:
            return None


def _is_plain(listener: Listener) -> bool:
    """Whether a listener has a connection manager, Wasm filters next to each other, a router, and nothing else."""
    match listener.chain:
        case [Manager(uses=[*wasm, (last, None)], loggers=[]) as manager] if not listener.loggers:
            plain = all(isinstance(use, PluginUse) for _, use in wasm) and isinstance(last.typed_config, Router | None)
            described = manager.config.model_dump_json(
                exclude={"http_filters"}, exclude_none=True, exclude_defaults=True
            )
            return plain and _UNKNOWABLE.search(described) is None
    return False
