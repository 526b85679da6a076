"""Machines: where a proxy runs, and how it reaches the proxies of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshsim.envoy.address import Address
from meshsim.envoy.cluster import Listening
from meshsim.envoy.listener import Listener
from meshsim.envoy.threads import Thread
from meshsim.envoy.wire import Socket
from meshsim.mesh.busy import Busy
from meshsim.mesh.network import Tls
from meshsim.mesh.result import BIN_NS
from meshsim.mesh.ways import Ways
from meshsim.sim import Kernel

if TYPE_CHECKING:
    from meshsim.envoy.proxy import Envoy

PERIOD_NS = 100_000_000
"""In which a limit of CPU time is counted: Linux's ``cpu.cfs_period_us``, as Kubernetes leaves it."""

_HERE = "127.0.0.1"
_NEVER_NS = 1 << 62


class Quota:
    """The processor time that a proxy's threads may use together in each period.

    A task that has begun goes on to its end; what it takes too much of is missing in the next period.
    """

    def __init__(self, processors: float) -> None:
        self._quota_ns = round(processors * PERIOD_NS)
        self._period = 0
        self._used_ns = 0
        self.throttled_ns = 0

    def ready_ns(self, now_ns: int) -> int:
        """When a task may begin that would begin now."""
        self._forgive(now_ns)
        if self._used_ns < self._quota_ns:
            return now_ns
        periods = self._used_ns // self._quota_ns
        ready_ns = (self._period + periods) * PERIOD_NS
        self.throttled_ns += ready_ns - now_ns
        return ready_ns

    def use(self, now_ns: int, spent_ns: int) -> None:
        """Take note of a task's time."""
        self._forgive(now_ns)
        self._used_ns += spent_ns

    def _forgive(self, now_ns: int) -> None:
        period = now_ns // PERIOD_NS
        if period > self._period:
            self._used_ns = max(0, self._used_ns - (period - self._period) * self._quota_ns)
            self._period = period


@dataclass(slots=True, eq=False)
class Meter:
    """Measures one thread of a proxy, and holds it back when the proxy's quota is used up."""

    busy: Busy
    quota: Quota | None = None
    halted: bool = False
    holds: bool = field(init=False)

    def __post_init__(self) -> None:
        self.holds = self.halted or self.quota is not None

    def ran(self, from_ns: int, until_ns: int) -> None:
        """Take note of a task."""
        place = from_ns // BIN_NS
        bins = self.busy.bins
        if until_ns <= (place + 1) * BIN_NS and place in bins:  # nearly always
            bins[place] += until_ns - from_ns
        else:
            self.busy.add(from_ns, until_ns)
        if self.quota is not None:
            self.quota.use(from_ns, until_ns - from_ns)

    def ready_ns(self, now_ns: int) -> int:
        """When the thread may go on: never, in a process that is gone."""
        if self.halted:
            return _NEVER_NS
        return now_ns if self.quota is None else self.quota.ready_ns(now_ns)


@dataclass(slots=True, eq=False)
class Machine:
    """Where one proxy runs, and the ends of connections that are this proxy's."""

    name: str
    ip: str
    zone: str = ""
    envoy: Envoy | None = None
    busy: list[Busy] = field(default_factory=list)
    quota: Quota | None = None
    _sockets: list[Socket] = field(default_factory=list)
    _prune_at: int = 64

    def listening(self, port: int) -> Listening | None:
        """Return what takes connections at a port."""
        return self.envoy.find((_HERE, port)) if self.envoy is not None else None

    def own(self, socket: Socket) -> None:
        """Take note of an end that is this proxy's."""
        self._sockets.append(socket)
        if len(self._sockets) > self._prune_at:
            self._sockets = [each for each in self._sockets if not each.closed]
            self._prune_at = max(64, 2 * len(self._sockets))

    def take_sockets(self) -> list[Socket]:
        """Give the ends that are open, and forget them."""
        sockets, self._sockets = [each for each in self._sockets if not each.closed], []
        return sockets

    def watch(self, envoy: Envoy) -> None:
        """Measure an Envoy's workers from now on; those of an earlier one on this machine go on in the same sums."""
        for place, worker in enumerate(envoy.workers):
            if place == len(self.busy):
                self.busy.append(Busy(self.name, worker.thread.name, self.zone, 1))
            worker.thread.meter = Meter(self.busy[place], self.quota)

    def crash(self) -> None:
        """End the proxy's process: its threads do nothing any more, and its connections are cut."""
        envoy, self.envoy = self.envoy, None
        if envoy is not None:
            for host in (envoy.main, *envoy.workers):
                host.thread.meter = Meter(Busy(self.name, "", "", 1), halted=True)
        for socket in self.take_sockets():
            socket.sever()


class Street:
    """All machines by address: what lies between them, and what connections cost."""

    def __init__(self, kernel: Kernel, ways: Ways, tls: Tls | None) -> None:
        self.kernel = kernel
        self.ways = ways
        self.tls = tls
        self._machines: dict[str, Machine] = {}
        self._by_name: dict[str, Machine] = {}

    def settle(self, machine: Machine) -> None:
        """Add a machine."""
        self._machines[machine.ip] = machine
        self._by_name[machine.name] = machine

    def machine(self, ip: str) -> Machine | None:
        """Return the machine of an address."""
        return self._machines.get(ip)

    def own(self, name: str, socket: Socket) -> None:
        """Take note of an end at a place; the client's own are not kept."""
        machine = self._by_name.get(name)
        if machine is not None:
            machine.own(socket)

    def view(self, name: str) -> View:
        """Return what is seen from a place."""
        return View(self, name)


@dataclass(frozen=True, slots=True)
class View:
    """The street as seen from one machine; an Envoy's :class:`meshsim.envoy.server.Outside`."""

    street: Street
    name: str

    def find(self, address: Address) -> Listening | None:
        """Find what listens at an address, with the way there."""
        machine = self.street.machine(address[0])
        listening = machine.listening(address[1]) if machine else None
        return Remote(self, machine, listening) if machine is not None and listening is not None else None

    def listener_at(self, address: Address) -> Listener | None:
        """Find the listener of another Envoy."""
        machine = self.street.machine(address[0])
        listening = machine.listening(address[1]) if machine else None
        return listening if isinstance(listening, Listener) else None

    def setup_ns(self, address: Address) -> int:
        """A round trip, and another one for TLS (1.3)."""
        machine = self.street.machine(address[0])
        if machine is None:
            return 0
        ways, now_ns = self.street.ways, self.street.kernel.now_ns
        there, back = ways.way(self.name, machine.name), ways.way(machine.name, self.name)
        trips = 1 if self.street.tls is None else 2
        return sum(there.round_trip_ns(back, now_ns) for _ in range(trips))


@dataclass(frozen=True, slots=True)
class Remote:
    """What listens on another machine; connections to it go over the network."""

    view: View
    machine: Machine
    listening: Listening

    def accept(self, client: Thread, *, http2: bool = False) -> Socket | None:
        """Make a connection; both ends work for its TLS handshake."""
        near = self.listening.accept(client, http2=http2)
        if near is None or near.peer is None:
            return near
        street, here, there = self.view.street, self.view.name, self.machine.name
        near.way = street.ways.way(here, there)
        near.peer.way = street.ways.way(there, here)
        street.own(here, near)
        self.machine.own(near.peer)
        if street.tls is not None:
            client.spend(street.tls.client_ns)
            near.peer.thread.post(_work(near.peer.thread, street.tls.server_ns))
        return near


def _work(thread: Thread, cost_ns: int) -> Callable[[], None]:
    return lambda: thread.spend(cost_ns)
