"""One Envoy: its threads, listeners, clusters and plugins, started from a bootstrap, driven in virtual time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from time import gmtime, strftime
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias, get_args

from meshsim.abi.dialect import Dialect
from meshsim.abi.events import Crossing
from meshsim.cost import CostModel
from meshsim.envoy.answers import Script
from meshsim.envoy.assembly import Assembly, Enough, local_address
from meshsim.envoy.balancing import Balancer, Host, balancer_of, hosts_of
from meshsim.envoy.breakers import Breakers
from meshsim.envoy.client import Exchange, parts_of
from meshsim.envoy.cluster import Cluster, Listening
from meshsim.envoy.collector import paused_collector
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.config.cluster import Cluster as ClusterConfig
from meshsim.envoy.config.cluster import Thresholds
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.discovery import Discovered, Discovery
from meshsim.envoy.hops import HopLog
from meshsim.envoy.listener import Listener
from meshsim.envoy.load import ClosedLoop, Driven
from meshsim.envoy.loader import load_bootstrap, parse_bootstrap
from meshsim.envoy.outcome import Response
from meshsim.envoy.outliers import Outliers
from meshsim.envoy.plugins import FilterRefused, Vm
from meshsim.envoy.process import DEFAULT_EPOCH_NS, Crash, Failure, Process, ThreadHost
from meshsim.envoy.remote_code import RemoteCode
from meshsim.envoy.request_id import request_id
from meshsim.envoy.requests import Request
from meshsim.envoy.scripted import ScriptedUpstream
from meshsim.envoy.surroundings import Surroundings
from meshsim.envoy.threads import Task, Thread, Turns
from meshsim.envoy.upstream import Address
from meshsim.envoy.wire import LOOPBACK_NS, Socket
from meshsim.envoy.witness import Answered, Sent, Witness
from meshsim.errors import ConfigError, MeshsimError
from meshsim.sim import Kernel, Level, Recorder, Streams
from meshsim.wasm import Engine, Limits, shared_engine

if TYPE_CHECKING:
    from meshsim.envoy.express import Express
    from meshsim.envoy.express.lane import Lane

_MS = 1_000_000

Interleave: TypeAlias = Literal["callback", "hostcall"]


class AbiLine(NamedTuple):
    """One line of the ABI trace: when (virtual ns) and on which thread the border was crossed, and how."""

    thread: str
    time_ns: int
    text: str
    event: Crossing


class VmMemory(NamedTuple):
    """What one VM weighs, in bytes; ``kind`` is ``base`` or ``local``.

    Compiled code is shared by all VMs of a key: its weight is in the ``v8_bytes`` of the base VM.
    """

    thread: str
    vm: str
    kind: str
    code_bytes: int
    linear_bytes: int
    v8_bytes: int


class Outside(Protocol):
    """What there is beyond an Envoy's own machine."""

    def find(self, address: Address) -> Listening | None:
        """Find what listens at an address."""

    def listener_at(self, address: Address) -> Listener | None:
        """Find the listener of another Envoy at an address."""

    def setup_ns(self, address: Address) -> int:
        """How long it takes to make a connection to an address, in ns."""


class Envoy:
    """A simulated Envoy.

    Parameters
    ----------
    bootstrap : Bootstrap
        See :meth:`from_yaml` for files and texts.
    concurrency : int
        Number of worker threads.
    seed : int
        Of every random number of the run.
    level : Level
        What is recorded.
    costs : CostModel, optional
        What virtual time is charged by: the profile that ships, or another.
    limits : Limits, optional
        How far guests may go: memory, fuel and wall-clock time of a call, what the host keeps for it. By default there
        is no limit of fuel, as Envoy has none, and a guest that does not return within 30 s of real time ends the run
        with :class:`~meshsim.errors.DeadlineExceeded`. A call that burns more than ``fuel_per_call`` fails its VM as a
        trap does: the plugin's failure policy decides, other VMs go on.
    local_address : str
        The machine's address, which an edge proxy appends to ``x-forwarded-for`` for clients on the loopback interface.
    interleave : {"callback", "hostcall"}
        What is atomic to other threads. By default a whole callback; with ``"hostcall"`` threads hand over at each host
        call, in order of virtual time and by lot of the ``seed`` in the same instant, so that modules race for shared
        data as they do in Envoy. It costs some 10 us of real time a host call.
    abi : {"envoy", "higress"}
        Whose modules are taken: Envoy's, or also those of Higress, which Envoy itself refuses
        (:mod:`meshsim.abi.dialect`).
    kernel, streams, outside : optional
        Of an Envoy among others: the clock that they share, its own random numbers instead of those of ``seed``, and
        what there is beyond its own machine.
    """

    def __init__(
        self,
        bootstrap: Bootstrap,
        *,
        concurrency: int = 1,
        seed: int = 0,
        level: Level = Level.ABI,
        costs: CostModel | None = None,
        engine: Engine | None = None,
        epoch_ns: int = DEFAULT_EPOCH_NS,
        local_address: str = "127.0.0.1",
        limits: Limits | None = None,
        interleave: Interleave = "callback",
        abi: Dialect | str = Dialect.ENVOY,
        kernel: Kernel | None = None,
        streams: Streams | None = None,
        outside: Outside | None = None,
    ) -> None:
        if interleave not in get_args(Interleave):
            raise MeshsimError(f"interleave: {interleave!r} is none of {', '.join(get_args(Interleave))}")
        self.bootstrap = bootstrap
        self.local_address = local_address
        self.kernel = kernel or Kernel()
        self.recorder = Recorder(level)
        self._outside = outside
        #: Deals a connection to one of so many workers; each in turn without.
        self.deal: Callable[[int], int] | None = None
        self.process = Process(
            self.kernel,
            self.recorder,
            streams or Streams(seed),
            costs or CostModel(),
            engine or shared_engine(),
            node=bootstrap.node,
            epoch_ns=epoch_ns,
            limits=limits,
            dialect=_dialect(abi),
        )
        self.process.make_clusters = self._make_clusters
        turns = Turns(self.kernel, self.process.random("turns")) if interleave == "hostcall" else None
        self.main = ThreadHost(self.process, Thread("main", self.kernel, turns))
        self.workers = [ThreadHost(self.process, Thread(f"worker_{i}", self.kernel, turns)) for i in range(concurrency)]
        self.network: dict[Address, Listening] = {}
        self.listeners: list[Listener] = []
        self.discovery = Discovery()
        self.remote_code = RemoteCode(self.main)
        self._surroundings: dict[ThreadHost, Surroundings] = {}
        self.hops = HopLog(self.recorder)
        self._request_ids = self.process.random("request-id")
        self._client = Thread("client", self.kernel)
        self._upstreams: dict[str, ScriptedUpstream] = {}
        self._connections = 0
        self._listening = False
        self._starting = 0
        self._next_worker = 0
        self._begun = 0
        #: What it was made from, where :meth:`from_yaml` made it: a path, or the YAML text itself.
        self.source: str | Path | None = None

    # -- for users ---

    @classmethod
    def from_yaml(
        cls,
        source: str | Path,
        *,
        concurrency: int = 1,
        seed: int = 0,
        level: Level = Level.ABI,
        costs: CostModel | None = None,
        limits: Limits | None = None,
        ignore_unmodelled: bool = False,
        interleave: Interleave = "callback",
        abi: Dialect | str = Dialect.ENVOY,
    ) -> Envoy:
        """Start an Envoy from a bootstrap: a path, or the YAML text itself.

        Raises
        ------
        ConfigRefused
            Envoy refuses the configuration, and says why.
        ConfigError
            The bootstrap cannot be read, or uses what is not modelled.
        """
        if isinstance(source, str) and "\n" in source:
            bootstrap = parse_bootstrap(source, ignore_unmodelled=ignore_unmodelled)
        else:
            bootstrap = load_bootstrap(source, ignore_unmodelled=ignore_unmodelled)
        envoy = cls(
            bootstrap,
            concurrency=concurrency,
            seed=seed,
            level=level,
            costs=costs,
            limits=limits,
            interleave=interleave,
            abi=abi,
        )
        envoy.source = source
        envoy.start()
        return envoy

    def get(
        self,
        path: str = "/",
        *,
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
        authority: str = "example.com",
        listener: str | None = None,
        worker: int | None = None,
    ) -> Response:
        """Send a GET request now and run the clock until its reply; see :meth:`send`."""
        pairs = tuple(headers.items() if isinstance(headers, Mapping) else headers)
        return self.send(Request(listener, "GET", path, authority, pairs), worker=worker)

    def send(self, request: Request, *, worker: int | None = None) -> Response:
        """Send a request now and run the clock until its reply.

        Parameters
        ----------
        request : Request
            What to send; its ``at_ms`` is not looked at.
        worker : int, optional
            Which worker gets the connection; by default each in turn.
        """
        replies: list[Response] = []
        self.begin(request, replies.append, worker=worker)
        while not replies:
            if not self.kernel.step():
                raise MeshsimError("the request has no answer, and nothing is left to happen")
        return replies[0]

    def begin(self, request: Request, done: Callable[[Response], None], *, worker: int | None = None) -> None:
        """Send a request now; ``done`` is called with the reply, when the clock comes to it."""
        number, self._begun = self._begun, self._begun + 1
        client, recorder = self._client, self.recorder

        def answered(response: Response) -> None:
            recorder.note(client.now_ns, client.name, Answered(number, response))
            done(response)

        recorder.note(client.now_ns, client.name, Sent(number, request))
        exchange = Exchange(request, client, answered)
        connect = self._connector(request, worker)
        self._client.post(lambda: exchange.begin(connect))

    def drive(
        self,
        request: Request,
        *,
        count: int,
        connections: int = 8,
        heard: Callable[[Response], None] | None = None,
        pause_ns: Callable[[int], int] | None = None,
    ) -> Driven:
        """Send one request again and again, and run the clock until all are answered.

        Each connection sends its next request as soon as it has an answer, as ``wrk`` does, or after a pause.

        Parameters
        ----------
        request : Request
            What to send; its ``at_ms`` is not looked at.
        count : int
            How many requests all connections send together.
        connections : int
            How many there are; each is dealt to a worker in turn.
        heard : callable, optional
            Called with every response.
        pause_ns : callable, optional
            Gives how long a connection, by its number, waits before each of its requests, in ns.

        Raises
        ------
        ConfigError
            There is no such listener, or a number is not positive.
        """
        if count < 1 or connections < 1:
            raise ConfigError(f"{count} requests over {connections} connections", remedy="both have to be positive")
        load = ClosedLoop(
            request, count, self._client, self._connector(request), self.kernel.stop, heard, self._lane_of, pause_ns
        )
        load.begin(connections)
        self.kernel.run()
        if load.answered < count:
            raise MeshsimError(f"{count - load.answered} requests have no answer, and nothing is left to happen")
        return load.result()

    def _lane_of(self, request: Request, server: Socket) -> Lane | None:
        """Return the lane of a request on a connection that is there; see :mod:`meshsim.envoy.express`."""
        listener, writes = self.listener(request.listener), parts_of(request)
        if self.express is None or listener is None or len(writes) > 1:
            return None
        return self.express.lane(listener, server.thread, tuple(writes[0][1]))

    @cached_property
    def express(self) -> Express | None:
        """The ways of requests whose course is known; None when each call into a module is wanted."""
        from meshsim.envoy.express import Express  # it knows this module

        return Express(self) if self.recorder.level < Level.ABI and self.main.thread.turns is None else None

    def _connector(self, request: Request, worker: int | None = None) -> Callable[[Thread], Socket | None]:
        listener = self.listener(request.listener)
        if listener is None and request.listener is not None:
            names = ", ".join(at_work.config.name for at_work in self.listeners)
            raise ConfigError(f"no listener {request.listener!r}", remedy=f"the bootstrap has: {names}")
        return lambda client: listener.accept(client, worker) if listener else None

    def upstream(self, cluster: str, script: Script | None = None, *, early: bool = False) -> ScriptedUpstream:
        """Put a scripted upstream at a cluster's endpoints, or give the one that is there another script.

        Without this, an endpoint that is no listener of the bootstrap refuses connections.

        Parameters
        ----------
        cluster : str
            Name of a cluster of the bootstrap.
        script : Answer, sequence of Answer, or function, optional
            See :class:`meshsim.envoy.scripted.ScriptedUpstream`; a new upstream answers 200 by default.
        early : bool
            Answer when a request's headers are there.

        Raises
        ------
        ConfigError
            There is no such cluster, or no endpoint of it that a service could stand at.
        """
        if cluster not in self._upstreams:
            self._upstreams[cluster] = self._new_upstream(cluster)
        upstream = self._upstreams[cluster]
        if script is not None:
            upstream.follow(script, early=early)
        return upstream

    @property
    def scripted_upstreams(self) -> tuple[str, ...]:
        """Names of the clusters that have a scripted upstream."""
        return tuple(self._upstreams)

    def _new_upstream(self, name: str) -> ScriptedUpstream:
        clusters = self.main.clusters
        if name not in clusters:
            raise ConfigError(f"no cluster {name!r}", remedy=f"the bootstrap has: {', '.join(clusters) or 'none'}")
        hosts = map(local_address, clusters[name].hosts)
        free = [host for host in hosts if not isinstance(self.network.get(host), Listener)]
        if not free:
            raise ConfigError(f"no free endpoint in cluster {name!r}", remedy="a listener of the bootstrap stays one")
        upstream = ScriptedUpstream(name, Thread(f"upstream {name}", self.kernel))
        self.network.update(dict.fromkeys(free, upstream))
        return upstream

    def run(self, *, ms: int) -> None:
        """Let virtual time pass: timers fire, connections close."""
        self.kernel.run(self.kernel.now_ns + ms * _MS)

    def abi_trace(self) -> list[AbiLine]:
        """Return every crossing between host and guest so far, in order (needs ``level`` abi)."""
        return [
            AbiLine(track, time_ns, event.text, event)
            for time_ns, track, event in self.recorder.events
            if isinstance(event, Crossing)
        ]

    def failures(self) -> list[Failure]:
        """Return every trap that failed a VM so far, in order; its error names plugin, VM and callback."""
        return list(self.process.failures)

    def crashes(self) -> list[Crash]:
        """Return what would have ended the real Envoy's process so far, in order; this one lives on.

        What that is stands in the page on differences.
        """
        return list(self.process.crashes)

    def stats(self) -> dict[str, int]:
        """Return counters and gauges that are not zero, named as in Envoy's ``/stats``."""
        return self.process.all_stats()

    def memory(self) -> list[VmMemory]:
        """Return a row for each live VM; ``v8_bytes`` is an estimate by the cost profile."""
        return [self._memory_of(vm) for vm in self.process.vms]

    def _memory_of(self, vm: Vm) -> VmMemory:
        costs, code_bytes = self.process.costs, vm.wasm.code.compiled.facts.size_bytes
        shared = costs.module_bytes(code_bytes) if vm.kind == "base" else 0
        v8_bytes = costs.vm_bytes + shared
        return VmMemory(vm.thread, vm.vm_id, vm.kind, code_bytes, vm.wasm.vm.memory.size, v8_bytes)

    # -- starting ---

    def start(self) -> None:
        """Load everything on the main thread, then start the workers; raise :class:`ConfigRefused` as Envoy would."""
        with paused_collector():
            self._start()

    def _start(self) -> None:
        self.load_plugins()
        self._fetch_code()
        starting = list(self.workers)
        for worker in self.workers:
            worker.thread.post_at(partial(self._start_worker, worker, starting.remove), self.main.thread.idle_from_ns)
        self.kernel.run(self.main.thread.idle_from_ns)
        while starting:
            self.kernel.run(max(worker.thread.idle_from_ns for worker in starting))
        self.kernel.run(max(worker.thread.idle_from_ns for worker in self.workers))

    def launch(self, ready: Callable[[], None], refused: Callable[[ConfigRefused], None] | None = None) -> None:
        """Begin to start, and let the clock's owner run it; ``ready`` is called when the last worker has started.

        When Envoy refuses the configuration, ``refused`` is called instead.

        Raises
        ------
        ConfigRefused
            From the kernel's run: Envoy refuses the configuration, and there is no ``refused``.
        """
        self._starting = len(self.workers)

        def started(worker: ThreadHost) -> None:
            worker.thread.post(over)

        def over() -> None:
            self._starting -= 1
            if not self._starting:
                ready()

        def load() -> None:
            try:
                self._load_on_main(None)
            except ConfigRefused as error:
                if refused is None:
                    raise
                refused(error)
            else:
                self.remote_code.fetch(start_workers)

        def start_workers() -> None:
            for worker in self.workers:
                worker.thread.post_at(partial(self._start_worker, worker, started), self.main.thread.now_ns)

        self.main.thread.post(load)

    def _fetch_code(self) -> None:
        """Wait for the code of plugins that is not here."""
        waiting = [True]
        self._run_to_its_end(self.main.thread, lambda: self.remote_code.fetch(waiting.clear))
        while waiting and self.kernel.step():
            pass
        self.kernel.run(self.main.thread.idle_from_ns)

    def _start_worker(self, worker: ThreadHost, done: Callable[[ThreadHost], None]) -> None:
        worker.thread.post(self.start_listening)
        worker.load_plugins()
        done(worker)

    @property
    def is_ready(self) -> bool:
        """Whether every worker takes connections."""
        return self._listening and not self._starting

    def start_listening(self) -> None:
        """Take connections from now on."""
        self._listening = True

    def load_plugins(self, count: int | None = None) -> None:
        """Load listeners and their plugins on the main thread; only the first ``count`` plugins when it is given."""
        refused: list[ConfigRefused] = []

        def load() -> None:
            try:
                self._load_on_main(count)
            except ConfigRefused as error:
                refused.append(error)

        self._run_to_its_end(self.main.thread, load)
        if refused:
            raise refused[0]

    def _load_on_main(self, count: int | None) -> None:
        """Load as a task of the main thread."""
        resources = self.bootstrap.static_resources
        self.process.cluster_hosts = {cluster.name: len(list(cluster.endpoints())) for cluster in resources.clusters}
        try:
            Assembly(self, count).run()
        except Enough:
            pass
        except FilterRefused as error:
            failures = self.process.failures
            raise ConfigRefused(str(error), cause=failures[-1].error if failures else None) from None

    def discover_again(self, found: Discovered) -> None:
        """Take what a file with extensions holds from now on; streams that are under way keep what they have."""
        bootstrap = self.bootstrap
        self.bootstrap = bootstrap.model_copy(
            update={
                "sources": bootstrap.sources.joined(found.sources),
                "discovered": {**bootstrap.discovered, found.path: found.extensions},
            }
        )
        load = Assembly(self).discover
        self.main.thread.post(lambda: self.discovery.update(found.path, load, self.main, self.workers))

    def add_listener(self, listener: Listener) -> None:
        """Put a listener to work at its address."""
        self.listeners.append(listener)
        self.network[listener.address] = listener

    def listener(self, name: str | None = None) -> Listener | None:
        """Return a listener by name, the first one without a name; None when there is none."""
        return next((at_work for at_work in self.listeners if name in (None, at_work.config.name)), None)

    # -- what listeners and routers need ---

    def pick_worker(self, worker: int | None = None) -> ThreadHost:
        """Deal a connection to a worker: the given one, or each in turn."""
        if worker is None and self.deal is not None:
            worker = self.deal(len(self.workers))
        elif worker is None:
            worker = self._next_worker
            self._next_worker = (self._next_worker + 1) % len(self.workers)
        return self.workers[worker]

    def _make_clusters(self, thread: Thread) -> dict[str, Cluster]:
        """Make a thread's clusters."""
        return {config.name: self._cluster(config, thread) for config in self.bootstrap.static_resources.clusters}

    def _cluster(self, config: ClusterConfig, thread: Thread) -> Cluster:
        hosts = hosts_of(config)
        stats = self.process.stats.scope(f"cluster.{config.alt_stat_name or config.name}")
        outliers = self._outliers.get(config.name)
        cluster = Cluster(
            config.name,
            [host.address for host in hosts],
            thread,
            stats,
            self.find,
            _keeps_trailers(config),
            _speaks_http2(config),
            config.requests_per_connection,
            config.response_limits,
            self._balancer(config, hosts),
            Witness.of(self.recorder, thread),
            self.setup_ns if self._outside else None,
            self._breakers[config.name] if config.thresholds is not None else None,
            self._breakers[config.name].retries,
            outliers=outliers,
            active=self._active[config.name],
        )
        if outliers is not None:
            outliers.users.append(cluster)
        return cluster

    @cached_property
    def _outliers(self) -> dict[str, Outliers]:
        """The outlier detection by cluster, for all threads together."""
        return {
            config.name: Outliers(
                config,
                hosts_of(config),
                self.main.thread,
                self.process.stats.scope(f"cluster.{config.alt_stat_name or config.name}.outlier_detection"),
                self.process.random("outliers"),
                partial(self._balancer, config),
            )
            for config in self.bootstrap.static_resources.clusters
            if config.outlier_detection is not None
        }

    @cached_property
    def _active(self) -> dict[str, Counter[Address]]:
        """How many requests are under way to each host of each cluster, from all threads together."""
        return {config.name: Counter() for config in self.bootstrap.static_resources.clusters}

    @cached_property
    def _breakers(self) -> dict[str, Breakers]:
        """The circuit breakers by cluster, for all threads together."""
        return {config.name: self._new_breakers(config) for config in self.bootstrap.static_resources.clusters}

    def _new_breakers(self, config: ClusterConfig) -> Breakers:
        stats = self.process.stats
        counters = stats.scope(f"cluster.{config.alt_stat_name or config.name}")
        breakers = Breakers(config.thresholds or Thresholds(), counters)
        if config.thresholds is not None:
            stats.add_source(breakers.sweep)
        return breakers

    def set_hosts(self, cluster: str, addresses: Sequence[Address]) -> None:
        """Say where a cluster's hosts are from now on, as endpoint discovery does.

        Requests under way stay where they are. Lanes are given up where it is not each host's turn.
        """
        config = next((each for each in self.bootstrap.static_resources.clusters if each.name == cluster), None)
        if config is None:
            return
        hosts = [Host(address, f"{address[0]}:{address[1]}") for address in addresses]
        for host in (self.main, *self.workers):
            host.clusters[cluster].renew(hosts, self._balancer(config, hosts))
        if config.lb_policy != "ROUND_ROBIN" and self.express is not None:
            self.express.close()

    def _balancer(self, config: ClusterConfig, hosts: Sequence[Host]) -> Balancer | None:
        return balancer_of(config, hosts, self.process.random("balancing"), self._active[config.name])

    @cached_property
    def _host_names(self) -> Mapping[str, Mapping[Address, str]]:
        return {config.name: config.host_names() for config in self.bootstrap.static_resources.clusters}

    def host_name(self, cluster: str, address: Address) -> str:
        """Return the name of one of a cluster's hosts; empty for one without a name."""
        return self._host_names.get(cluster, {}).get(address, "")

    def find(self, address: Address) -> Listening | None:
        """Find what listens at an address; names and wildcards of this machine are all one.

        Listeners take connections when the first worker has started.
        """
        here = self.network.get(local_address(address))
        if isinstance(here, Listener) and not self._listening:
            here = None
        return here if here is not None or self._outside is None else self._outside.find(address)

    def listener_at(self, address: Address) -> Listener | None:
        """Find the listener at an address, this Envoy's own or another one's; None where something else listens."""
        here = self.network.get(local_address(address)) if self._listening else None
        if here is None and self._outside is not None:
            return self._outside.listener_at(address)
        return here if isinstance(here, Listener) else None

    def setup_ns(self, address: Address) -> int:
        """How long it takes to make a connection to an address."""
        if self._outside is None or local_address(address) in self.network:
            return LOOPBACK_NS
        return self._outside.setup_ns(address)

    def surroundings(self, host: ThreadHost) -> Surroundings:
        """Return what texts about a worker's streams show of this Envoy."""
        around = self._surroundings.get(host)
        if around is None:
            clusters = {config.name: config for config in self.bootstrap.static_resources.clusters}
            around = self._surroundings[host] = Surroundings(
                self.process.epoch_ns, lambda: host.thread.now_ns, clusters.get, lambda: self.new_request_id().decode()
            )
        return around

    def next_connection_id(self) -> int:
        """Number a downstream connection."""
        self._connections += 1
        return self._connections

    def new_request_id(self) -> bytes:
        """Make an ``x-request-id``."""
        return request_id(self.draw_request_id())

    def draw_request_id(self) -> int:
        """Draw the number that an ``x-request-id`` is made of."""
        return self._request_ids.getrandbits(128)

    def http_date(self, thread: Thread) -> Callable[[], bytes]:
        """Return what gives the ``date`` header's value, in virtual time."""
        return lambda: self.date(thread.now_ns)

    def second(self, time_ns: int) -> int:
        """Return the second since 1970 that a virtual time lies in."""
        return (self.process.epoch_ns + time_ns) // 10**9

    def date(self, time_ns: int) -> bytes:
        """Write a virtual time as the ``date`` header has it."""
        return strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime(self.second(time_ns))).encode()

    # -- the end ---

    def shut_down(self) -> None:
        """End in order: the workers, then the main thread, then the base VMs."""
        for host in (*self.workers, self.main):
            self._run_to_its_end(host.thread, host.shut_down)
        self._run_to_its_end(self.main.thread, lambda: self.process.plugins.drop_bases(self.main))

    def _run_to_its_end(self, thread: Thread, task: Task) -> None:
        """Run a task on a thread, after all that the thread is busy with or has waiting."""
        over = False

        def run() -> None:
            nonlocal over
            task()
            over = True

        thread.post(run)
        while not over:
            self.kernel.run(thread.idle_from_ns)


def _dialect(name: Dialect | str) -> Dialect:
    """Return the dialect of a name."""
    if name not in list(Dialect):
        raise MeshsimError(f"abi: {name!r} is none of {', '.join(Dialect)}")
    return Dialect(name)


def _keeps_trailers(config: ClusterConfig) -> bool:
    """Whether HTTP/1 trailers are passed on to and from a cluster."""
    explicit = [options.explicit_http_config for options in config.typed_extension_protocol_options.values()]
    http1 = [config.http_protocol_options, *(choice.http_protocol_options for choice in explicit if choice)]
    return any(options.enable_trailers for options in http1 if options)


def _speaks_http2(config: ClusterConfig) -> bool:
    """Whether a cluster's hosts are spoken to in HTTP/2."""
    explicit = [options.explicit_http_config for options in config.typed_extension_protocol_options.values()]
    return config.http2_protocol_options is not None or any(
        choice.http2_protocol_options is not None for choice in explicit if choice
    )
