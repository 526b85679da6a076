"""A running Envoy as its listeners, connection managers and routers see it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from time import gmtime, strftime
from typing import TYPE_CHECKING, Protocol

from meshsim.envoy.address import Address, local_address
from meshsim.envoy.balancing import HASHING
from meshsim.envoy.cluster import Listening
from meshsim.envoy.clusters import Clusters
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.discovery import Discovery
from meshsim.envoy.hops import HopLog
from meshsim.envoy.listener import Listener
from meshsim.envoy.process import Process
from meshsim.envoy.remote_code import RemoteCode
from meshsim.envoy.request_id import RequestIds
from meshsim.envoy.surroundings import Surroundings
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import LOOPBACK_NS
from meshsim.sim import Level

if TYPE_CHECKING:
    from meshsim.envoy.express import Express


class Outside(Protocol):
    """What there is beyond an Envoy's own machine."""

    def find(self, address: Address) -> Listening | None:
        """Find what listens at an address."""

    def listener_at(self, address: Address) -> Listener | None:
        """Find the listener of another Envoy at an address."""

    def setup_ns(self, address: Address) -> int:
        """How long it takes to make a connection to an address, in ns."""


class Server:
    """Threads, clusters and listeners at work, where they are found, and what is numbered and dated for all of them.

    Parameters
    ----------
    bootstrap : Bootstrap
        What it works by.
    process, main, workers : Process, ThreadHost, list of ThreadHost
        What it runs on.
    local_address : str
        The machine's address, which an edge proxy appends to ``x-forwarded-for``.
    outside : Outside, optional
        What there is beyond its own machine.
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        process: Process,
        main: ThreadHost,
        workers: list[ThreadHost],
        local_address: str,
        outside: Outside | None,
    ) -> None:
        self.bootstrap = bootstrap
        self.process = process
        self.kernel = process.kernel
        self.recorder = process.recorder
        self.main = main
        self.workers = workers
        self.local_address = local_address
        self._outside = outside
        clusters = bootstrap.static_resources.clusters
        self.clusters = Clusters(clusters, process, main.thread, self.find, self.setup_ns if outside else None)
        process.make_clusters = self.clusters.of
        #: Deals a connection to one of so many workers; each in turn without.
        self.deal: Callable[[int], int] | None = None
        self.network: dict[Address, Listening] = {}
        self.listeners: list[Listener] = []
        self.discovery = Discovery()
        self.remote_code = RemoteCode(main)
        self._surroundings: dict[ThreadHost, Surroundings] = {}
        self.hops = HopLog(self.recorder)
        self.request_ids = RequestIds(process.random("request-id"))
        #: Whether it takes connections.
        self.is_listening = False
        self._next_worker = 0

    # -- listeners and workers ---

    def start_listening(self) -> None:
        """Take connections from now on."""
        self.is_listening = True

    def add_listener(self, listener: Listener) -> None:
        """Put a listener to work at its address."""
        self.listeners.append(listener)
        self.network[listener.address] = listener

    def listener(self, name: str | None = None) -> Listener | None:
        """Return a listener by name, the first one without a name; None when there is none."""
        return next((at_work for at_work in self.listeners if name in (None, at_work.config.name)), None)

    def pick_worker(self, worker: int | None = None) -> ThreadHost:
        """Deal a connection to a worker: the given one, or each in turn."""
        if worker is None and self.deal is not None:
            worker = self.deal(len(self.workers))
        elif worker is None:
            worker = self._next_worker
            self._next_worker = (self._next_worker + 1) % len(self.workers)
        return self.workers[worker]

    @cached_property
    def express(self) -> Express | None:
        """The ways of requests whose course is known; None when each call into a module is wanted.

        Their answers leave at once, and know no rounds of a loop (:mod:`meshsim.envoy.loop`).
        """
        from meshsim.envoy.express import Express  # it knows this module

        if self.recorder.level >= Level.ABI or self.main.thread.turns is not None or self.process.costs.under_load:
            return None
        return Express(self)

    # -- where things are ---

    def set_hosts(self, cluster: str, addresses: Sequence[Address]) -> None:
        """Say where a cluster's hosts are from now on, as endpoint discovery does.

        Requests under way stay where they are. Lanes are given up where a request's hash chooses.
        """
        config = self.clusters.configs.get(cluster)
        if config is None:
            return
        self.clusters.renew(config, addresses, (host.clusters[cluster] for host in (self.main, *self.workers)))
        if config.lb_policy in HASHING and self.express is not None:
            self.express.close()

    def find(self, address: Address) -> Listening | None:
        """Find what listens at an address; names and wildcards of this machine are all one.

        Listeners take connections from the moment at which the workers begin to start.
        """
        here = self.network.get(local_address(address))
        if isinstance(here, Listener) and not self.is_listening:
            here = None
        return here if here is not None or self._outside is None else self._outside.find(address)

    def listener_at(self, address: Address) -> Listener | None:
        """Find the listener at an address, this Envoy's own or another one's; None where something else listens."""
        here = self.network.get(local_address(address)) if self.is_listening else None
        if here is None and self._outside is not None:
            return self._outside.listener_at(address)
        return here if isinstance(here, Listener) else None

    def setup_ns(self, address: Address) -> int:
        """How long it takes to make a connection to an address."""
        if self._outside is None or local_address(address) in self.network:
            return LOOPBACK_NS
        return self._outside.setup_ns(address)

    # -- for the texts of streams ---

    def surroundings(self, host: ThreadHost) -> Surroundings:
        """Return what texts about a worker's streams show of this Envoy."""
        around = self._surroundings.get(host)
        if around is None:
            around = self._surroundings[host] = Surroundings(
                self.process.epoch_ns,
                lambda: host.thread.now_ns,
                self.clusters.configs.get,
                lambda: self.new_request_id().decode(),
            )
        return around

    def next_connection_id(self) -> int:
        """Number a downstream connection."""
        return next(self.process.connection_ids)

    def new_request_id(self) -> bytes:
        """Make an ``x-request-id``."""
        return self.request_ids.draw()

    def http_date(self, thread: Thread) -> Callable[[], bytes]:
        """Return what gives the ``date`` header's value, in virtual time."""
        return lambda: self.date(thread.now_ns)

    def date(self, time_ns: int) -> bytes:
        """Write a virtual time as the ``date`` header has it."""
        return strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime((self.process.epoch_ns + time_ns) // 10**9)).encode()
