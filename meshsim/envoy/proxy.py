"""One Envoy, started from a bootstrap and driven in virtual time: what its users do with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from meshsim.abi.dialect import Dialect
from meshsim.abi.events import Crossing
from meshsim.cost import CostModel
from meshsim.envoy.address import local_address
from meshsim.envoy.answers import Script
from meshsim.envoy.client import Exchange, parts_of
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.lifecycle import Lifecycle
from meshsim.envoy.listener import Listener
from meshsim.envoy.load import ClosedLoop, Driven
from meshsim.envoy.loader import load_bootstrap, parse_bootstrap
from meshsim.envoy.loop import Loop
from meshsim.envoy.outcome import Response
from meshsim.envoy.process import DEFAULT_EPOCH_NS, Process
from meshsim.envoy.records import AbiLine, Crash, Failure, VmMemory
from meshsim.envoy.requests import Request
from meshsim.envoy.rounds import Rounds
from meshsim.envoy.scripted import ScriptedUpstream
from meshsim.envoy.server import Outside, Server
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.thread_plugin import Vm
from meshsim.envoy.threads import Thread, Turns
from meshsim.envoy.wire import Socket
from meshsim.envoy.witness import Answered, Sent
from meshsim.errors import ConfigError, MeshsimError
from meshsim.sim import Kernel, Level, Recorder, Streams
from meshsim.wasm import Engine, Limits, shared_engine

if TYPE_CHECKING:
    from meshsim.envoy.express.lane import Lane

_MS = 1_000_000

Interleave: TypeAlias = Literal["callback", "hostcall"]


class Envoy(Server):
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
        kernel = kernel or Kernel()
        process = Process(
            kernel,
            Recorder(level),
            streams or Streams(seed),
            costs or CostModel(),
            engine or shared_engine(),
            node=bootstrap.node,
            epoch_ns=epoch_ns,
            limits=limits,
            dialect=_dialect(abi),
        )
        turns = Turns(kernel, process.random("turns")) if interleave == "hostcall" else None
        main = ThreadHost(process, Thread("main", kernel, turns))
        workers = [ThreadHost(process, _worker(f"worker_{i}", process, turns)) for i in range(concurrency)]
        super().__init__(bootstrap, process, main, workers, local_address, outside)
        self.lifecycle = Lifecycle(self)
        self._client = Thread("client", kernel)
        self._upstreams: dict[str, ScriptedUpstream] = {}
        self._begun = 0
        #: What it was made from, where :meth:`from_yaml` made it: a path, or the YAML text itself.
        self.source: str | Path | None = None

    # -- its life ---

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

    def start(self) -> None:
        """Load everything on the main thread, then start the workers; raise :class:`ConfigRefused` as Envoy would."""
        self.lifecycle.start()

    def launch(self, ready: Callable[[], None], refused: Callable[[ConfigRefused], None] | None = None) -> None:
        """Begin to start, and let the clock's owner run it; see :meth:`.Lifecycle.launch`."""
        self.lifecycle.launch(ready, refused)

    @property
    def is_ready(self) -> bool:
        """Whether every worker takes connections."""
        return self.lifecycle.is_ready

    def run(self, *, ms: int) -> None:
        """Let virtual time pass: timers fire, connections close."""
        self.kernel.run(self.kernel.now_ns + ms * _MS)

    def shut_down(self) -> None:
        """End in order: the workers, then the main thread, then the base VMs."""
        self.lifecycle.shut_down()

    # -- requests ---

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

    def _connector(self, request: Request, worker: int | None = None) -> Callable[[Thread], Socket | None]:
        listener = self.listener(request.listener)
        if listener is None and request.listener is not None:
            names = ", ".join(at_work.config.name for at_work in self.listeners)
            raise ConfigError(f"no listener {request.listener!r}", remedy=f"the bootstrap has: {names}")
        return lambda client: listener.accept(client, worker) if listener else None

    # -- upstreams ---

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
        if not clusters[name].hosts:
            self.set_hosts(name, self.clusters.known_by_name(name))
        hosts = map(local_address, clusters[name].hosts)
        free = [host for host in hosts if not isinstance(self.network.get(host), Listener)]
        if not free:
            raise ConfigError(f"no free endpoint in cluster {name!r}", remedy="a listener of the bootstrap stays one")
        upstream = ScriptedUpstream(name, Thread(f"upstream {name}", self.kernel))
        self.network.update(dict.fromkeys(free, upstream))
        return upstream

    # -- what has happened ---

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


def _worker(name: str, process: Process, turns: Turns | None) -> Thread:
    """Make a worker's thread: one that goes in rounds under load, or one that knows the order of its rounds."""
    costs = process.costs
    if turns is not None:
        return Thread(name, process.kernel, turns, wake_ns=costs.wake_ns)
    if costs.under_load:
        return Loop(
            name,
            process.kernel,
            wake_ns=costs.wake_ns,
            reentry_ns=costs.reentry_ns,
            cold_entry_ns=costs.cold_entry_ns,
        )
    thread = Thread(name, process.kernel)
    thread.rounds = Rounds(thread)
    return thread


def _dialect(name: Dialect | str) -> Dialect:
    """Return the dialect of a name."""
    if name not in list(Dialect):
        raise MeshsimError(f"abi: {name!r} is none of {', '.join(Dialect)}")
    return Dialect(name)
