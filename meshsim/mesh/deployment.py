"""Putting proxies beside applications: machines, their Envoys, and the connections of applications to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from meshsim.envoy.address import Address
from meshsim.envoy.asked import Asked
from meshsim.envoy.collector import paused_collector
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import LOOPBACK_NS, Socket
from meshsim.errors import ConfigError, MeshsimError
from meshsim.mesh.application import Application
from meshsim.mesh.bootstraps import (
    APP_PORT,
    GATEWAY_PORT,
    INBOUND_PORT,
    OUTBOUND_PORT,
    Part,
    Upstream,
    WasmPart,
    Writer,
    local_cluster,
)
from meshsim.mesh.callouts import CalloutLeg
from meshsim.mesh.endpoints import Endpoint, Outlet
from meshsim.mesh.legs import Leg
from meshsim.mesh.machines import Machine, Quota, Street
from meshsim.mesh.mesh import GATEWAY, WasmFilter
from meshsim.mesh.result import MemoryPart, Usage
from meshsim.mesh.rows import CLIENT
from meshsim.mesh.topology import Service
from meshsim.sim import Level, Recorder

if TYPE_CHECKING:
    from meshsim.mesh.engine import World

_HERE = "127.0.0.1"


class Deployment:
    """The proxies of a mesh.

    Parameters
    ----------
    world : World
        Whose applications they stand beside.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._mesh = mesh = world.mesh
        self.street = Street(world.kernel, world.ways, mesh.network.tls)
        self.machines: dict[str, Machine] = {}
        self._writer = Writer(envoy_headers=mesh.envoy_headers)
        self._numbers = 0
        self._generations: Counter[str] = Counter()
        #: What each proxy records, where every call is recorded.
        self.traces: dict[str, list[Recorder]] = {}
        #: Where each pod takes requests of others.
        self._addresses: dict[str, Address] = {}
        self._groups: dict[str, list[Application]] = {}
        for service in mesh.topology:
            for pod in world.pods[service.name]:
                self.house(pod)
        with paused_collector():
            for name, pods in self._groups.items():
                self.start(self.machines[name], pods, lambda: None)
            if mesh.gateway:
                self._start_gateway()
            self._wait()
        self.client = self._client()

    # -- building ---

    def house(self, pod: Application) -> Machine:
        """Give a pod its machine: its own, or the node whose turn it is."""
        world = self._world
        if self._mesh.proxies == "node":
            name = f"node-{sum(map(len, self._groups.values())) % self._mesh.nodes}"
        else:
            name = pod.pod
        if name not in self.machines:
            if name != pod.pod:
                world.ways.place(name, name, pod.zone)
            self._new_machine(name, pod.zone)
        group = self._groups.setdefault(name, [])
        self._addresses[pod.pod] = self.machines[name].ip, INBOUND_PORT + len(group)
        group.append(pod)
        return self.machines[name]

    def _new_machine(self, name: str, zone: str) -> Machine:
        self._numbers += 1
        high, low = divmod(self._numbers, 250)
        machine = self.machines[name] = Machine(name, f"10.{high // 250}.{high % 250}.{low + 1}", zone)
        self.street.settle(machine)
        return machine

    def start(self, machine: Machine, pods: Sequence[Application], ready: Callable[[], None]) -> None:
        """Start a machine's proxy, and connect its applications to it."""
        service = pods[0].service
        machine.quota = Quota(service.cpu_limit) if service.cpu_limit else None
        envoy = machine.envoy = self.make(machine, pods)
        self.attach(machine, envoy, pods)
        envoy.launch(ready)

    def make(self, machine: Machine, pods: Sequence[Application]) -> Envoy:
        """Make the proxy of some pods."""
        return self._envoy(machine, self.bootstrap(machine.name, pods), pods[0].service.workers)

    def bootstrap(self, name: str, pods: Sequence[Application]) -> Bootstrap:
        """Write the bootstrap of the proxy of some pods."""
        called = dict.fromkeys(call.service for pod in pods for call in pod.service.calls())
        outbound = [part for pod in pods for part in self._parts(pod.service, "outbound")]
        named = {part.name if isinstance(part, WasmPart) else str(part): part for part in outbound}
        label = pods[0].service.name if self._mesh.proxies != "node" else name
        inbound = [self._parts(pod.service, "inbound") for pod in pods]
        return self._writer.sidecar(label, inbound, list(named.values()), map(self.upstream, called))

    def upstream(self, service: str) -> Upstream:
        """Return a service as proxies know it."""
        return Upstream(self._mesh.topology[service], self.addresses(service))

    def addresses(self, service: str) -> tuple[Address, ...]:
        """Where a service's pods take requests."""
        return tuple(self._addresses[pod.pod] for pod in self._world.pods[service] if pod.pod in self._addresses)

    def machine_of(self, pod: str) -> Machine:
        """Return the machine of a pod, or the machine of that name.

        Raises
        ------
        ConfigError
            There is none.
        """
        found = next((name for name, pods in self._groups.items() if any(each.pod == pod for each in pods)), pod)
        if found not in self.machines:
            raise ConfigError(f"no pod {pod!r}", remedy=f"there are: {', '.join(self.machines)}")
        return self.machines[found]

    def pods_of(self, machine: Machine) -> Sequence[Application]:
        """Return the pods behind a machine's proxy."""
        return self._groups[machine.name]

    def pods_changed(self, service: str) -> None:
        """Tell every proxy where a service's pods are now."""
        for machine in self.machines.values():
            if machine.envoy is not None:
                machine.envoy.set_hosts(service, self.addresses(service))

    def _parts(self, service: Service, direction: str) -> list[Part]:
        filters = self._world.filters.get(service.name, ())
        own = service.http_filters if direction == "inbound" else ()
        return [*own, *(_part(each) for each in filters if each.direction in (direction, "both"))]

    def _start_gateway(self) -> None:
        self._world.ways.place(GATEWAY, GATEWAY, "")
        entry = self._mesh.topology.entry
        parts = [_part(each) for each in self._world.filters.get(GATEWAY, ())]
        bootstrap = self._writer.gateway(parts, self.upstream(entry.name))
        machine = self._new_machine(GATEWAY, "")
        machine.envoy = self._envoy(machine, bootstrap, entry.workers)
        machine.envoy.launch(lambda: None)

    def _envoy(self, machine: Machine, bootstrap: Bootstrap, workers: int) -> Envoy:
        world, name = self._world, machine.name
        envoy = Envoy(
            bootstrap,
            concurrency=workers,
            level=Level.ABI if world.level is Level.ABI else Level.OFF,
            costs=self._mesh.costs,
            kernel=world.kernel,
            streams=world.streams.child(f"proxy {name} {self._generation(name)}"),
            outside=self.street.view(name),
        )
        envoy.process.open_account = partial(self._open_account, machine)
        if world.level is Level.ABI:
            self.traces.setdefault(name, []).append(envoy.recorder)
        if self._mesh.deal == "hash":
            chance = world.streams.stream(f"connections of {name}")
            envoy.deal = lambda count: int(chance.random() * count)
        machine.watch(envoy)
        return envoy

    def _open_account(self, machine: Machine, asked: Asked) -> CalloutLeg:
        """Make a callout of a filter on a machine a leg of the request that the filter works on."""
        begun_by = asked.asker.account
        assert isinstance(begun_by, Leg)
        pods = self._groups.get(machine.name, ())
        places = {local_cluster(place): pod.service.name for place, pod in enumerate(pods)}
        source = machine.name if len(pods) != 1 else pods[0].service.name
        return CalloutLeg(asked, begun_by, source, places.get(asked.cluster, asked.cluster), self._world.ledger)

    def _generation(self, name: str) -> int:
        self._generations[name] += 1
        return self._generations[name]

    def _wait(self) -> None:
        """Run the clock until every proxy takes connections and every worker is idle."""
        kernel = self._world.kernel
        envoys = [machine.envoy for machine in self.machines.values() if machine.envoy is not None]
        while not all(envoy.is_ready for envoy in envoys):
            if not kernel.step():
                raise MeshsimError("a proxy does not come up")

    # -- applications and the client ---

    def attach(self, machine: Machine, envoy: Envoy, pods: Sequence[Application]) -> None:
        """Put applications behind a proxy, and let them send through it, or through the one that follows it."""

        def connect(client: Thread) -> Socket | None:
            listening = machine.listening(OUTBOUND_PORT)
            near = listening.accept(client) if listening else None
            if near is not None and near.peer is not None:
                machine.own(near.peer)
            return near

        for place, pod in enumerate(pods):
            thread = Thread(pod.pod, self._world.kernel)
            envoy.network[_HERE, APP_PORT + place] = Endpoint(pod, thread, machine.own)
            if pod.caller is None:
                pod.caller = Outlet(thread, connect, lambda: LOOPBACK_NS)

    def _client(self) -> _Entrance:
        """How the client comes in: through the gateway, or to the entry's pods in turn."""
        thread = Thread(CLIENT, self._world.kernel)
        view = self.street.view(CLIENT)

        def outlet(address: Address) -> Outlet:
            def connect(client: Thread) -> Socket | None:
                listening = view.find(address)
                return listening.accept(client) if listening else None

            return Outlet(thread, connect, lambda: view.setup_ns(address))

        entry = self._mesh.topology.entry.name
        gateway = self.machines.get(GATEWAY)

        def addresses() -> Sequence[Address]:
            return [(gateway.ip, GATEWAY_PORT)] if gateway else self.addresses(entry)

        return _Entrance(outlet, addresses)

    # -- what is left ---

    def usage(self, start_ns: int, end_ns: int) -> Iterable[Usage]:
        """How busy every worker was."""
        for machine in self.machines.values():
            for busy in machine.busy:
                yield busy.usage(start_ns, end_ns)

    def stats(self) -> dict[str, dict[str, int]]:
        """What each proxy that runs has counted since it was started, by Envoy's names."""
        machines = self.machines.values()
        return {machine.name: machine.envoy.stats() for machine in machines if machine.envoy is not None}

    def memory(self) -> Iterable[MemoryPart]:
        """What the VMs of each proxy weigh."""
        for machine in self.machines.values():
            sizes: Counter[str] = Counter()
            for row in machine.envoy.memory() if machine.envoy else ():
                sizes["code"] += row.code_bytes if row.kind == "base" else 0
                sizes["linear"] += row.linear_bytes
                sizes["v8"] += row.v8_bytes
            for part, size_bytes in sizes.items():
                yield MemoryPart(machine.name, part, size_bytes)


class _Entrance:
    """The client's connections: to each address in turn."""

    def __init__(self, outlet: Callable[[Address], Outlet], addresses: Callable[[], Sequence[Address]]) -> None:
        self._outlet = outlet
        self._addresses = addresses
        self._outlets: dict[Address, Outlet] = {}
        self._turn = 0

    def send(self, leg: Leg, request_bytes: int, done: Callable[[Leg], None]) -> None:
        """Send a request."""
        addresses = self._addresses()
        address = addresses[self._turn % len(addresses)]
        self._turn += 1
        if address not in self._outlets:
            self._outlets[address] = self._outlet(address)
        self._outlets[address].send(leg, request_bytes, done)


def _part(wasm: WasmFilter) -> WasmPart:
    fields = {
        "root_id": wasm.root_id,
        "failure_policy": wasm.fail_policy,
        "vm_config": {"vm_id": wasm.vm_id},
        **({"configuration": _string(wasm.configuration)} if wasm.configuration else {}),
    }
    return WasmPart(wasm.name, wasm.module, fields)


def _string(text: str) -> dict[str, str]:
    return {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": text}
