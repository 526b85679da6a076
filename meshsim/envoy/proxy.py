"""One Envoy: its threads, listeners, clusters and plugins, started from a bootstrap, driven in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import gmtime, strftime
from typing import Any

from meshsim.abi.constants import LogLevel
from meshsim.abi.events import Crossing
from meshsim.cost import CostModel
from meshsim.envoy import formatter
from meshsim.envoy.cluster import Address, Cluster, Listening
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.config.cluster import Cluster as ClusterConfig
from meshsim.envoy.config.http import HttpConnectionManager, HttpFilter as HttpFilterConfig
from meshsim.envoy.config.http import Router as RouterConfig
from meshsim.envoy.config.listener import Listener as ListenerConfig
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.config.wasm import PluginConfig
from meshsim.envoy.config.wasm import Wasm as WasmConfig
from meshsim.envoy.connection import ManagerHost, ServerConnection
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.filters.router import Router
from meshsim.envoy.filters.wasm import FailedFilter, WasmFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.loader import load_bootstrap, parse_bootstrap
from meshsim.envoy.plugins import PluginRefused, PluginSpec, PluginUse
from meshsim.envoy.process import DEFAULT_EPOCH_NS, Process, ThreadHost
from meshsim.envoy.routing import Match, find_route
from meshsim.envoy.stream import StreamInfo
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Socket
from meshsim.sim import Kernel, Level, Recorder, Streams
from meshsim.wasm import Engine, Limits, shared_engine

_DEFAULT_LIMIT_BYTES = 1 << 20


@dataclass(eq=False, slots=True)
class Listener:
    """A listener at work: gives each connection to a worker."""

    envoy: Envoy
    config: ListenerConfig
    manager: HttpConnectionManager
    uses: list[tuple[HttpFilterConfig, PluginUse | None]]
    address: Address

    def accept(self, client: Thread, worker: int | None = None) -> Socket:
        """Make a connection; return the client's end."""
        host = self.envoy.pick_worker(worker)
        near, far = Socket.pair(client, host.thread)
        ServerConnection(self.manager, self._manager_host(host), far, self._info(host))
        return near

    def _manager_host(self, host: ThreadHost) -> ManagerHost:
        envoy = self.envoy
        limit = self.config.per_connection_buffer_limit_bytes
        return ManagerHost(
            host.thread,
            envoy.process.stats.scope(f"http.{self.manager.stat_prefix}"),
            lambda: self._filters(host),
            self._route,
            envoy.new_request_id,
            envoy.http_date(host.thread),
            _DEFAULT_LIMIT_BYTES if limit is None else limit,
        )

    def _info(self, host: ThreadHost) -> Callable[[], StreamInfo]:
        connection = self.envoy.next_connection_id()
        source = ("127.0.0.1", 40_000 + connection)
        return lambda: StreamInfo(host.thread.now_ns, source, self.address, connection, self.config)

    def _route(self, headers: HeaderMap) -> Match | None:
        if self.manager.route_config is None:
            return None
        return find_route(self.manager.route_config, headers, self.envoy.process.random("routes"))

    def _filters(self, host: ThreadHost) -> list[HttpFilter]:
        filters: list[HttpFilter] = []
        for config, use in self.uses:
            if use is not None:
                wasm = self._wasm_filter(use, host)
                if wasm is not None:
                    filters.append(wasm)
            elif isinstance(config.typed_config, RouterConfig | None):
                filters.append(self._router(config.typed_config or RouterConfig(), host))
        return filters

    def _wasm_filter(self, use: PluginUse, host: ThreadHost) -> HttpFilter | None:
        plugin = use.plugin_for_stream(host)
        if plugin is not None:
            return WasmFilter(plugin)
        return None if use.spec.fails_open else FailedFilter()

    def _router(self, config: RouterConfig, host: ThreadHost) -> Router:
        return Router(
            config,
            self.envoy.clusters(host),
            self.envoy.process.stats.scope(f"http.{self.manager.stat_prefix}"),
            lambda: host.thread.now_ns,
            formatter.values_of,
        )


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
        limits: Limits | None = None,
    ) -> None:
        self.bootstrap = bootstrap
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
        self.main = ThreadHost(self.process, Thread("main", self.kernel))
        self.workers = [
            ThreadHost(self.process, Thread(f"worker_{i}", self.kernel)) for i in range(concurrency)
        ]
        self.network: dict[Address, Listening] = {}
        self.listeners: list[Listener] = []
        self._clusters: dict[str, dict[str, Cluster]] = {}
        self._connections = 0
        self._next_worker = 0

    # -- starting ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Load everything on the main thread, then start the workers; raise :class:`ConfigRefused` as Envoy would."""
        self.load_plugins()
        for worker in self.workers:
            worker.thread.post_at(lambda w=worker: w.load_plugins(), self.main.thread.idle_from_ns)
        self.kernel.run(self.main.thread.idle_from_ns)
        self.kernel.run(max(worker.thread.idle_from_ns for worker in self.workers))

    def load_plugins(self, count: int | None = None) -> None:
        """Load listeners and their plugins on the main thread; only the first ``count`` plugins when it is given."""
        resources = self.bootstrap.static_resources
        self.process.cluster_hosts = {cluster.name: len(list(cluster.endpoints())) for cluster in resources.clusters}
        refused: list[PluginRefused] = []

        def load() -> None:
            try:
                self._load_listeners(count)
            except PluginRefused as error:
                refused.append(error)

        self.main.thread.post(load)
        self.kernel.run(self.kernel.now_ns)
        if refused:
            raise ConfigRefused(str(refused[0]))

    def _load_listeners(self, count: int | None) -> None:
        managers = [
            (config, network_filter.typed_config)
            for config in self.bootstrap.static_resources.listeners
            for chain in config.filter_chains
            for network_filter in chain.filters
            if network_filter.typed_config is not None
        ]
        for config, manager in managers:
            wasm_filters = sum(isinstance(f.typed_config, WasmConfig) for f in manager.http_filters)
            if count is not None and count < wasm_filters:
                for http_filter in [f for f in manager.http_filters if isinstance(f.typed_config, WasmConfig)][:count]:
                    self._use(http_filter)
                return
            self._load_manager(config, manager)
            count = None if count is None else count - wasm_filters

    def _load_manager(self, config: ListenerConfig, manager: HttpConnectionManager) -> None:
        uses = [(http_filter, self._use(http_filter)) for http_filter in manager.http_filters]
        address = _address_of(config)
        listener = Listener(self, config, manager, uses, address)
        self.listeners.append(listener)
        self.network[address] = listener

    def _use(self, http_filter: HttpFilterConfig) -> PluginUse | None:
        if not isinstance(http_filter.typed_config, WasmConfig):
            return None
        config = http_filter.typed_config.config
        spec = PluginSpec.of(config, self._code(config), self._environment(config))
        self.process.plugins.load(spec, self.main)
        return PluginUse(spec)

    def _code(self, config: PluginConfig) -> bytes:
        code = config.vm_config.code if config.vm_config else None
        return self.bootstrap.sources.bytes_of(code.local) if code and code.local else b""

    def _environment(self, config: PluginConfig) -> Mapping[str, str]:
        wanted = config.vm_config.environment_variables if config.vm_config else None
        if wanted is None:
            return {}
        outside = self.bootstrap.sources.environment
        return {name: outside[name] for name in wanted.host_env_keys if name in outside} | wanted.key_values

    def listener(self, name: str | None = None) -> Listener | None:
        """Return a listener by name, the first one without a name; None when there is none."""
        return next((at_work for at_work in self.listeners if name in (None, at_work.config.name)), None)

    # -- what listeners and routers need ---------------------------------------------------------------------------------

    def pick_worker(self, worker: int | None = None) -> ThreadHost:
        """Deal a connection to a worker: the given one, or each in turn."""
        if worker is None:
            worker = self._next_worker
            self._next_worker = (self._next_worker + 1) % len(self.workers)
        return self.workers[worker]

    def clusters(self, host: ThreadHost) -> dict[str, Cluster]:
        """Return a worker's clusters."""
        name = host.thread.name
        if name not in self._clusters:
            self._clusters[name] = {
                config.name: self._cluster(config, host) for config in self.bootstrap.static_resources.clusters
            }
        return self._clusters[name]

    def _cluster(self, config: ClusterConfig, host: ThreadHost) -> Cluster:
        hosts = [address for endpoint in config.endpoints() if (address := _endpoint_address(endpoint))]
        stats = self.process.stats.scope(f"cluster.{config.alt_stat_name or config.name}")
        options = config.http_protocol_options
        return Cluster(
            config.name, hosts, host.thread, stats, self.find, bool(options and options.enable_trailers)
        )

    def find(self, address: Address) -> Listening | None:
        """Find what listens at an address; names and wildcards of this machine are all one."""
        return self.network.get(_local(address))

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
            return strftime("%a, %d %b %Y %H:%M:%S GMT", gmtime((self.process.epoch_ns + thread.now_ns) // 10**9)).encode()

        return date

    # -- the end -------------------------------------------------------------------------------------------------------

    def shut_down(self) -> None:
        """End in order: the workers, then the main thread, then the base VMs."""
        for worker in self.workers:
            worker.thread.post(worker.shut_down)
            self.kernel.run(self.kernel.now_ns)
        self.main.thread.post(self.main.shut_down)
        self.kernel.run(self.kernel.now_ns)
        self.main.thread.post(lambda: self.process.plugins.drop_bases(self.main))
        self.kernel.run(self.kernel.now_ns)


def _address_of(config: ListenerConfig) -> Address:
    socket = config.address.socket_address if config.address else None
    return _local((socket.address, socket.port) if socket else ("", 0))


def _endpoint_address(endpoint: Any) -> Address | None:
    address = endpoint.endpoint.address if endpoint.endpoint else None
    socket = address.socket_address if address else None
    return (socket.address, socket.port) if socket else None


def _local(address: Address) -> Address:
    """One name for every way to name this machine."""
    host = "127.0.0.1" if address[0] in ("0.0.0.0", "localhost", "::1", "::", "127.0.0.1") else address[0]
    return host, address[1]
