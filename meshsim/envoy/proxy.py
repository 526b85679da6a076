"""One Envoy: its threads, listeners, clusters and plugins, started from a bootstrap, driven in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from pathlib import Path
from time import gmtime, strftime
from typing import NamedTuple

from meshsim.abi.events import Crossing
from meshsim.cost import CostModel
from meshsim.envoy.assembly import Assembly, Enough, local_address
from meshsim.envoy.client import Exchange
from meshsim.envoy.cluster import Cluster, Listening
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.config.cluster import Cluster as ClusterConfig
from meshsim.envoy.config.cluster import LbEndpoint
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.listener import Listener
from meshsim.envoy.loader import load_bootstrap, parse_bootstrap
from meshsim.envoy.outcome import Response
from meshsim.envoy.plugins import PluginRefused, Vm
from meshsim.envoy.process import DEFAULT_EPOCH_NS, Process, ThreadHost
from meshsim.envoy.requests import Request
from meshsim.envoy.threads import Task, Thread
from meshsim.envoy.upstream import Address
from meshsim.envoy.wire import Socket
from meshsim.errors import ConfigError, MeshsimError
from meshsim.sim import Kernel, Level, Recorder, Streams
from meshsim.wasm import Engine, Limits, shared_engine

_MS = 1_000_000


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
    local_address : str
        The machine's address, which an edge proxy appends to ``x-forwarded-for`` for clients on the loopback interface.
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
    ) -> None:
        self.bootstrap = bootstrap
        self.local_address = local_address
        self.kernel = Kernel()
        self.recorder = Recorder(level)
        self.process = Process(
            self.kernel,
            self.recorder,
            Streams(seed),
            costs or CostModel(),
            engine or shared_engine(),
            node=bootstrap.node,
            epoch_ns=epoch_ns,
            limits=limits,
        )
        self.process.make_clusters = self._make_clusters
        self.main = ThreadHost(self.process, Thread("main", self.kernel))
        self.workers = [ThreadHost(self.process, Thread(f"worker_{i}", self.kernel)) for i in range(concurrency)]
        self.network: dict[Address, Listening] = {}
        self.listeners: list[Listener] = []
        self._client = Thread("client", self.kernel)
        self._connections = 0
        self._listening = False
        self._next_worker = 0

    # -- for users ---

    @classmethod
    def from_yaml(
        cls,
        source: str | Path,
        *,
        concurrency: int = 1,
        seed: int = 0,
        level: Level = Level.ABI,
        ignore_unmodelled: bool = False,
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
        envoy = cls(bootstrap, concurrency=concurrency, seed=seed, level=level)
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
        listener = self.listener(request.listener)
        if listener is None and request.listener is not None:
            names = ", ".join(at_work.config.name for at_work in self.listeners)
            raise ConfigError(f"no listener {request.listener!r}", remedy=f"the bootstrap has: {names}")

        def connect(client: Thread) -> Socket | None:
            return listener.accept(client, worker) if listener else None

        exchange = Exchange(request, self._client, done)
        self._client.post(lambda: exchange.begin(connect))

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

    def stats(self) -> dict[str, int]:
        """Return counters and gauges that are not zero, named as in Envoy's ``/stats``."""
        return self.process.all_stats()

    def memory(self) -> list[VmMemory]:
        """Return a row for each live VM; ``v8_bytes`` is an estimate by the cost profile."""
        return [self._memory_of(vm) for vm in self.process.vms]

    def _memory_of(self, vm: Vm) -> VmMemory:
        costs, code_bytes = self.process.costs, vm.wasm.code.compiled.facts.size_bytes
        shared = costs.module_bytes(code_bytes) if vm.kind == "base" else 0
        v8_bytes = costs.vm_bytes(code_bytes) + shared
        return VmMemory(vm.thread, vm.vm_id, vm.kind, code_bytes, vm.wasm.vm.memory.size, v8_bytes)

    # -- starting ---

    def start(self) -> None:
        """Load everything on the main thread, then start the workers; raise :class:`ConfigRefused` as Envoy would."""
        self.load_plugins()
        for worker in self.workers:
            worker.thread.post_at(partial(self._start_worker, worker), self.main.thread.idle_from_ns)
        self.kernel.run(self.main.thread.idle_from_ns)
        self.kernel.run(max(worker.thread.idle_from_ns for worker in self.workers))

    def _start_worker(self, worker: ThreadHost) -> None:
        worker.thread.post(self._listen)
        worker.load_plugins()

    def _listen(self) -> None:
        self._listening = True

    def load_plugins(self, count: int | None = None) -> None:
        """Load listeners and their plugins on the main thread; only the first ``count`` plugins when it is given."""
        resources = self.bootstrap.static_resources
        self.process.cluster_hosts = {cluster.name: len(list(cluster.endpoints())) for cluster in resources.clusters}
        refused: list[PluginRefused] = []

        def load() -> None:
            try:
                Assembly(self, count).run()
            except Enough:
                pass
            except PluginRefused as error:
                refused.append(error)

        self.main.thread.post(load)
        self.kernel.run(self.kernel.now_ns)
        if refused:
            raise ConfigRefused(str(refused[0]))

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
        if worker is None:
            worker = self._next_worker
            self._next_worker = (self._next_worker + 1) % len(self.workers)
        return self.workers[worker]

    def _make_clusters(self, thread: Thread) -> dict[str, Cluster]:
        """Make a thread's clusters."""
        return {config.name: self._cluster(config, thread) for config in self.bootstrap.static_resources.clusters}

    def _cluster(self, config: ClusterConfig, thread: Thread) -> Cluster:
        hosts = [address for endpoint in config.endpoints() if (address := _endpoint_address(endpoint))]
        stats = self.process.stats.scope(f"cluster.{config.alt_stat_name or config.name}")
        return Cluster(config.name, hosts, thread, stats, self.find, _keeps_trailers(config), _speaks_http2(config))

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
        return self.network.get(local_address(address)) if self._listening else None

    def next_connection_id(self) -> int:
        """Number a downstream connection."""
        self._connections += 1
        return self._connections

    def new_request_id(self) -> bytes:
        """Make an ``x-request-id``."""
        digits = f"{self.process.random('request-id').getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], "4" + digits[13:16], "9" + digits[17:20], digits[20:])).encode()

    def http_date(self, thread: Thread) -> Callable[[], bytes]:
        """Return the ``date`` header's value, in virtual time."""

        def date() -> bytes:
            return strftime(
                "%a, %d %b %Y %H:%M:%S GMT", gmtime((self.process.epoch_ns + thread.now_ns) // 10**9)
            ).encode()

        return date

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


def _endpoint_address(endpoint: LbEndpoint) -> Address | None:
    address = endpoint.endpoint.address if endpoint.endpoint else None
    socket = address.socket_address if address else None
    return (socket.address, socket.port) if socket else None


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
