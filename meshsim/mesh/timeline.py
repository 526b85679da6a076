"""What happens to a mesh while it runs: each action of :mod:`meshsim.mesh.actions`, carried out at its time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.connection import ServerConnection
from meshsim.envoy.wire import Socket
from meshsim.errors import ConfigError
from meshsim.mesh.actions import Action, AddLatency, CrashWorker, Partition, RollOut, Scale, SetFault
from meshsim.mesh.application import Application
from meshsim.mesh.deployment import Deployment
from meshsim.mesh.machines import Machine
from meshsim.mesh.result import MeshEvent

if TYPE_CHECKING:
    from meshsim.mesh.engine import World

_MS = 1_000_000
_LOOK_NS = 100 * _MS
#: How long an old proxy's connections are left to those who use them.
_DRAIN_NS = 30_000 * _MS


class Timeline:
    """Carries actions out.

    Parameters
    ----------
    world : World
        To which they are done.
    start_ns : int
        When the load begins; actions' times count from then.
    """

    def __init__(self, world: World, start_ns: int) -> None:
        self._world = world
        self._start_ns = start_ns

    def begin(self, actions: Sequence[tuple[int, Action]]) -> None:
        """Schedule actions; with the same time, in their order."""
        for time_ns, action in actions:
            self._world.kernel.at(self._start_ns + time_ns, self._do, action)

    def _do(self, action: Action) -> None:
        world, ways = self._world, self._world.ways
        match action:
            case AddLatency(where, ns):
                ways.slow_down(where, ns)
                self._note("latency", f"{ns / _MS:g} ms more to and from {where}" if ns else f"none more for {where}")
            case Partition(zone, other, for_ns):
                ways.cut(zone, other, world.kernel.now_ns + for_ns)
                self._note("partition", f"nothing between {zone} and {other} for {for_ns / _MS:g} ms")
            case SetFault(service, error_rate, delay_ns):
                for pod in self._pods(service):
                    pod.error_rate, pod.delay_ns = error_rate, delay_ns
                self._note("fault", f"{service}: {error_rate:.1%} errors, {delay_ns / _MS:g} ms more")
            case Scale(service, replicas):
                self._scale(service, replicas)
            case CrashWorker(pod, worker, down_ns):
                self._crash(pod, worker, down_ns)
            case RollOut():
                self._roll_out(action)

    def _note(self, kind: str, what: str) -> None:
        self._world.events.append(MeshEvent(self._world.kernel.now_ns - self._start_ns, kind, what))

    def _pods(self, service: str) -> list[Application]:
        if service not in self._world.pods:
            raise ConfigError(f"no service {service!r}", remedy=f"there are: {', '.join(self._world.pods)}")
        return self._world.pods[service]

    def _deployment(self, what: str) -> Deployment:
        if self._world.deployment is None:
            raise ConfigError(f"{what} of a proxy, in a mesh without")
        return self._world.deployment

    # -- scaling ---

    def _scale(self, service: str, replicas: int) -> None:
        pods = self._pods(service)
        self._note("scale", f"{service} from {len(pods)} to {replicas}")
        if replicas < len(pods):
            del pods[replicas:]
            self._world.pods_changed(service)
        for replica in range(len(pods), replicas):
            self._add(service, replica)

    def _add(self, service: str, replica: int) -> None:
        world = self._world
        pod = world.make_pod(world.mesh.topology[service], replica)

        def ready() -> None:
            world.pods[service].append(pod)
            world.pods_changed(service)
            self._note("ready", pod.pod)

        if world.deployment is None:
            pod.caller = world.direct(pod.pod)
            ready()
        else:
            machine = world.deployment.house(pod)
            world.deployment.start(machine, [pod], ready)

    # -- crashes ---

    def _crash(self, pod: str, worker: str, down_ns: int) -> None:
        deployment = self._deployment("a crash")
        machine = deployment.machine_of(pod)
        self._note("crash", f"{worker} of {pod}: its process is gone")
        machine.crash()

        def back(_: object) -> None:
            deployment.start(machine, deployment.pods_of(machine), lambda: self._note("ready", pod))

        self._world.kernel.after(down_ns, back)

    # -- roll-outs ---

    def _roll_out(self, action: RollOut) -> None:
        world = self._world
        filters = world.filters.get(action.service, ())
        if all(found.name != action.filter for found in filters):
            raise ConfigError(f"no filter {action.filter!r} in {action.service!r}")
        deployment = self._deployment("a roll-out")
        world.filters[action.service] = tuple(
            replace(
                found,
                module=action.module,
                configuration=found.configuration if action.configuration is None else action.configuration,
            )
            if found.name == action.filter
            else found
            for found in filters
        )
        self._note("roll-out", f"{action.filter} in {action.service}")
        for place, pod in enumerate(list(self._pods(action.service))):
            machine = deployment.machine_of(pod.pod)
            world.kernel.after(place * action.pause_ns, self._renew, machine)

    def _renew(self, machine: Machine) -> None:
        """Start a new proxy beside the old one; it takes the connections when it is up."""
        deployment = self._deployment("a roll-out")
        pods = deployment.pods_of(machine)
        try:
            envoy = deployment.make(machine, pods)
        except ConfigRefused as error:
            self._note("refused", f"{machine.name}: {error}")
            return

        def ready() -> None:
            self._note("ready", machine.name)
            machine.envoy = envoy
            old = machine.take_sockets()
            self._drain((old, self._world.kernel.now_ns + _DRAIN_NS))

        def refused(error: ConfigRefused) -> None:
            self._note("refused", f"{machine.name}: {error}")

        deployment.attach(machine, envoy, pods)
        envoy.launch(ready, refused)

    def _drain(self, job: tuple[list[Socket], int]) -> None:
        """Close what nobody uses, again and again, until nothing is left or patience ends."""
        sockets, until_ns = job
        left = [socket for socket in sockets if not socket.closed]
        for socket in left:
            reader = socket.reader
            if (isinstance(reader, ServerConnection) and reader.is_unused) or self._world.kernel.now_ns >= until_ns:
                socket.thread.post(socket.close)
        if left and self._world.kernel.now_ns < until_ns:
            self._world.kernel.after(_LOOK_NS, self._drain, (left, until_ns))
