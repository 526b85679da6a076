"""A mesh at work: pods, the ways between them, a client, and one kernel for all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

from meshsim.errors import ConfigError
from meshsim.mesh.application import Application, Caller
from meshsim.mesh.client import client_of
from meshsim.mesh.deployment import Deployment
from meshsim.mesh.direct import DirectCaller
from meshsim.mesh.legs import Ledger
from meshsim.mesh.load import Load
from meshsim.mesh.result import BIN_NS, Edge, MeshEvent, Result, Usage
from meshsim.mesh.rows import CLIENT
from meshsim.mesh.timeline import Timeline
from meshsim.mesh.topology import Service
from meshsim.mesh.ways import Ways
from meshsim.sim import Kernel, Level, Recorder, Streams

if TYPE_CHECKING:
    from meshsim.mesh.mesh import Mesh

_SECOND_NS = 1_000_000_000
#: How long behind the load's end answers are waited for, in virtual time.
_PATIENCE_NS = 600 * _SECOND_NS


class World:
    """All that lives during one run.

    Parameters
    ----------
    mesh : Mesh
        What is built.
    seed : int
        Of every random number.
    level : Level
        What is recorded.
    """

    def __init__(self, mesh: Mesh, seed: int, level: Level) -> None:
        self.mesh = mesh
        self.level = level
        self.kernel = Kernel()
        self.recorder = Recorder(min(level, Level.REQUESTS))
        self.streams = Streams(seed)
        self.seed = seed
        self.ways = Ways(mesh.network, self.streams.child("network"))
        self.ways.place(CLIENT, CLIENT, "")
        self.pods: dict[str, list[Application]] = {}
        self.events: list[MeshEvent] = []
        self._direct_callers: list[DirectCaller] = []
        self.ledger = Ledger(self.recorder)
        for service in mesh.topology:
            self.pods[service.name] = [self.make_pod(service, replica) for replica in range(service.replicas)]
        self.filters = dict(mesh.filters)
        self.deployment: Deployment | None = None
        if mesh.proxies != "none":
            self.deployment = Deployment(self)
        if self.deployment is None:
            for pods in self.pods.values():
                for pod in pods:
                    pod.caller = self.direct(pod.pod)
        self.client_caller: Caller = self.deployment.client if self.deployment else self.direct(CLIENT)

    def make_pod(self, service: Service, replica: int) -> Application:
        """Make a pod, which nobody knows yet."""
        name, zone = f"{service.name}-{replica}", service.zone(replica)
        self.ways.place(name, service.name, zone)
        return Application(self.kernel, service, name, zone, self.streams.child("applications"), self.ledger)

    def direct(self, name: str) -> DirectCaller:
        """Make what calls services without proxies."""
        caller = DirectCaller(self.kernel, name, self.pods.__getitem__, self.ways, self.streams.child("balancing"))
        self._direct_callers.append(caller)
        return caller

    def pods_changed(self, service: str) -> None:
        """Tell everybody who calls a service that it has other pods now."""
        for caller in self._direct_callers:
            caller.renew(service)
        if self.deployment is not None:
            self.deployment.pods_changed(service)

    def run(self, load: Load, *, seconds: float, warmup: float) -> Result:
        """Run a load; see :meth:`meshsim.mesh.Mesh.run`."""
        if not 0 <= warmup < seconds < inf:
            raise ConfigError(f"{seconds} s with a warm-up of {warmup} s", remedy="some time has to be left")
        kernel, topology = self.kernel, self.mesh.topology
        start_ns = -(-kernel.now_ns // BIN_NS) * BIN_NS
        kernel.run(start_ns)
        run_ns, warmup_ns = round(seconds * _SECOND_NS), round(warmup * _SECOND_NS)
        self.ledger.begin(start_ns, start_ns + warmup_ns)
        client = client_of(
            load,
            kernel,
            self.client_caller,
            topology.entry.name,
            topology.request_bytes,
            self.ledger,
            self.streams.child("load"),
            start_ns + run_ns,
        )
        Timeline(self, start_ns).begin(self.mesh.timeline)
        kernel.run(start_ns + run_ns)
        if client.pending:
            kernel.run(start_ns + run_ns + _PATIENCE_NS)
        return self._result(start_ns, run_ns, warmup_ns)

    def _usage(self, start_ns: int, end_ns: int) -> Iterator[Usage]:
        for pods in self.pods.values():
            for pod in pods:
                yield pod.busy.usage(start_ns, end_ns)
        if self.deployment is not None:
            yield from self.deployment.usage(start_ns, end_ns)

    def _result(self, start_ns: int, run_ns: int, warmup_ns: int) -> Result:
        topology, ledger = self.mesh.topology, self.ledger
        return Result(
            ledger.table,
            run_ns=run_ns,
            warmup_ns=warmup_ns,
            seed=self.seed,
            services=tuple(service.name for service in topology),
            edges=tuple(dict.fromkeys(Edge(each.name, call.service) for each in topology for call in each.calls())),
            usage=[*self._usage(start_ns, start_ns + run_ns)],
            memory=[*self.deployment.memory()] if self.deployment else (),
            events=self.events,
            counters={name: Counter(counts) for name, counts in ledger.counters.items()},
            histograms=ledger.ordered(),
            stats=self.deployment.stats() if self.deployment else {},
            traces=self.deployment.traces if self.deployment else {},
            begun_ns=start_ns,
            profile=self.mesh.costs.profile.name,
        )
