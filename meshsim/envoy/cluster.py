"""Clusters: choosing a host, and what listens there.

A host is another listener of the same bootstrap, a simulated service, or nothing: then connections are refused, as
they are on a machine where nothing listens.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.pool import Pool
from meshsim.envoy.stats import Counters
from meshsim.envoy.threads import Thread
from meshsim.envoy.upstream import NO_HOST, Address, ResponseTaker, Upstream, UpstreamFailure
from meshsim.envoy.wire import Socket


class Listening(Protocol):
    """What takes connections at an address."""

    def accept(self, client: Thread, *, http2: bool = False) -> Socket:
        """Make a connection; return the client's end."""


@dataclass(slots=True, eq=False)
class Cluster:
    """A cluster on one worker.

    ``find`` gives what listens at an address, or None; ``keep_trailers`` says whether HTTP/1 trailers are passed on,
    ``http2`` which protocol the hosts speak.
    """

    name: str
    hosts: list[Address]
    thread: Thread
    stats: Counters
    find: Callable[[Address], Listening | None]
    keep_trailers: bool = False
    http2: bool = False
    _next: int = 0
    _pools: dict[Address, Pool] = field(default_factory=dict)

    def request(self, taker: ResponseTaker, headers: HeaderMap, end: bool, timeout_ns: int = 0) -> Upstream | None:
        """Begin a request; None when it has failed at once.

        The answer must be complete ``timeout_ns`` after the request is; 0 waits for ever.
        """
        address = self.next_host()
        if address is None:
            self.count_failure(NO_HOST)
            taker.upstream_failed(NO_HOST)
            return None
        taker.upstream_chosen(address)
        return Upstream(self, address, taker, headers, end, timeout_ns)

    def next_host(self) -> Address | None:
        """Choose a host: each in turn; None when there is none."""
        if not self.hosts:
            return None
        address = self.hosts[self._next % len(self.hosts)]
        self._next += 1
        return address

    def count_failure(self, failure: UpstreamFailure) -> None:
        """Count an answer that Envoy made for this cluster."""
        self.count_answer(failure.status)

    def count_answer(self, status: int) -> None:
        """Count an answer."""
        self.stats.add("upstream_rq_completed")
        self.stats.add_status("upstream_rq", status)

    def pool(self, address: Address) -> Pool:
        """Return the connections to a host."""
        if address not in self._pools:
            self._pools[address] = Pool(self.thread, lambda: self._connect(address))
        return self._pools[address]

    def _connect(self, address: Address) -> Socket | None:
        server = self.find(address)
        return server.accept(self.thread, http2=self.http2) if server else None
