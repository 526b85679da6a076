"""Clusters: choosing a host, and what listens there.

A host is another listener of the same bootstrap, a scripted upstream (:mod:`meshsim.envoy.scripted`), or nothing: then
connections are refused, as they are on a machine where nothing listens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from meshsim.envoy.account import Account
from meshsim.envoy.address import Address
from meshsim.envoy.balancing import Balancer, Host, InTurn
from meshsim.envoy.breakers import Breakers, Resource
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.outliers import Outliers
from meshsim.envoy.pool import Pool
from meshsim.envoy.stats import Counters
from meshsim.envoy.threads import Thread
from meshsim.envoy.upstream import NO_HOST, ResponseTaker, Upstream, UpstreamFailure
from meshsim.envoy.wire import Socket
from meshsim.errors import NotModelled

MAX_CONNECTIONS = 1024
"""Connections to a cluster at once, from one worker: where Envoy's circuit breakers begin to hold requests back."""


class Listening(Protocol):
    """What takes connections at an address."""

    def accept(self, client: Thread, *, http2: bool = False) -> Socket | None:
        """Make a connection; return the client's end, None when it is refused."""


class Onlooker(Protocol):
    """Who looks at what goes to a cluster, and what comes back."""

    def taker(
        self, cluster: str, taker: ResponseTaker, headers: HeaderMap, account: Account | None = None
    ) -> ResponseTaker:
        """Stand before a taker, and pass everything on."""


@dataclass(slots=True, eq=False)
class Cluster:
    """A cluster on one worker.

    ``find`` gives what listens at an address, or None; ``keep_trailers`` says whether HTTP/1 trailers are passed on,
    ``http2`` which protocol the hosts speak, ``max_requests`` how many requests a connection serves (0: any number).
    ``response_limits`` bound a response's head, in headers and in bytes. Without a ``balancer``, hosts take turns.
    ``breakers`` are there when the configuration sets some; ``retries`` bounds those that are under way.
    ``setup_ns`` says how long a connection to an address takes; without, as long as over the loopback interface.
    """

    name: str
    hosts: list[Address]
    thread: Thread
    stats: Counters
    find: Callable[[Address], Listening | None]
    keep_trailers: bool = False
    http2: bool = False
    max_requests: int = 0
    response_limits: tuple[int, int] = (100, 60 * 1024)
    balancer: Balancer | None = None
    witness: Onlooker | None = None
    setup_ns: Callable[[Address], int] | None = None
    breakers: Breakers | None = None
    retries: Resource | None = None
    outliers: Outliers | None = None
    _panics: bool = False
    #: What the way to a host and back costs the worker, charged when the answer comes.
    answer_ns: int = 0
    #: The host of the next request, where that is decided already.
    pinned: Address | None = None
    renewed: bool = False
    #: Requests that are under way to each host, from all workers; None where nobody wants to know.
    active: defaultdict[Address, int] | None = None
    #: Numbers a connection.
    new_connection_id: Callable[[], int] | None = None
    _pools: dict[Address, Pool] = field(default_factory=dict)
    _open: list[Socket] = field(default_factory=list)

    def request(
        self,
        taker: ResponseTaker,
        headers: HeaderMap,
        end: bool,
        timeout_ns: int = 0,
        hash_value: int | None = None,
        account: Account | None = None,
    ) -> Upstream | None:
        """Begin a request; None when it has failed at once.

        The answer must be complete ``timeout_ns`` after the request is; 0 waits for ever. What it costs is charged to
        ``account``.
        """
        if self.witness:
            taker = self.witness.taker(self.name, taker, headers, account)
        address = self.next_host(hash_value)
        if address is None:
            taker.upstream_failed(NO_HOST)
            return None
        taker.upstream_chosen(address)
        return Upstream(self, address, taker, headers, end, timeout_ns, account)

    def renew(self, hosts: Sequence[Host], balancer: Balancer | None) -> None:
        """Take other hosts from now on."""
        self.hosts, self.balancer, self.renewed = [host.address for host in hosts], balancer, True
        if self.outliers is not None:
            self.outliers.take_hosts(hosts)

    def use(self, hosts: Sequence[Host], balancer: Balancer | None, *, panics: bool) -> None:
        """Take those of the hosts that are good; when too few are, all of them in panic."""
        self.hosts, self.balancer, self.renewed = [host.address for host in hosts], balancer, True
        self._panics = panics

    def report(self, address: Address, status: int) -> None:
        """Take note of how a host has answered a request."""
        if self.outliers is not None:
            self.outliers.report(address, status, self.thread.now_ns)

    def turn(self, usual: Address) -> Address | None:
        """Choose a host for a request without a hash, as :meth:`next_host` does; ``usual`` where there is no other."""
        return self.next_host() if self.renewed or len(self.hosts) > 1 else usual

    def next_host(self, hash_value: int | None = None) -> Address | None:
        """Choose a host; None when there is none."""
        if self.pinned is not None:
            pinned, self.pinned = self.pinned, None
            return pinned
        if self.balancer is None:
            self.balancer = InTurn([Host(address, "") for address in self.hosts]) if self.hosts else None
        if self._panics:
            self.stats.add("lb_healthy_panic")
        return self.balancer.choose(hash_value) if self.balancer else None

    def count_failure(self, failure: UpstreamFailure) -> None:
        """Count an answer that Envoy made for this cluster, if it is one."""
        if failure.counts:
            self.count_answer(failure.status)

    def count_answer(self, status: int) -> None:
        """Count an answer that somebody gets."""
        self.stats.add("upstream_rq_completed")
        self.stats.add_status("upstream_rq", status)

    def pool(self, address: Address) -> Pool:
        """Return the connections to a host."""
        pool = self._pools.get(address)
        if pool is None:
            setup = self.setup_ns
            pool = self._pools[address] = Pool(
                self.thread,
                lambda: self.connect(address, http2=self.http2),
                self.max_requests,
                (lambda: setup(address)) if setup else None,
                self.breakers,
                address,
                lambda: self.dial(address),
            )
        return pool

    def dial(self, address: Address) -> bool:
        """Begin a connection to a host, which gets its number now; say whether somebody listens there."""
        if self.new_connection_id is not None:
            self.new_connection_id()
        return self.find(address) is not None

    def connect(self, address: Address, *, http2: bool = False) -> Socket | None:
        """Make a connection to a host; None when it is refused.

        Raises
        ------
        NotModelled
            More are open than Envoy's circuit breakers let be by default: as a rule requests go round in a circle.
        """
        server = self.find(address)
        socket = server.accept(self.thread, http2=http2) if server else None
        if socket is not None:
            self._open.append(socket)
            if len(self._open) > MAX_CONNECTIONS:
                self._open = [each for each in self._open if not each.closed]
            if len(self._open) > MAX_CONNECTIONS:
                what = f"more than {MAX_CONNECTIONS} connections to cluster {self.name!r} at once"
                raise NotModelled(what, remedy="does a route lead back to its own listener?")
        return socket
