"""Links at work: when a message that leaves now arrives."""

from __future__ import annotations

from random import Random

from meshsim.mesh.network import RETRANSMIT_NS, Link, Network
from meshsim.mesh.times import Draw
from meshsim.sim import Streams

_BITS_NS = 8 * 10**9


class Way:
    """From one pod to another, in this direction; all connections between them share it.

    What is lost is sent again after a time-out that doubles; while the way is ``cut``, that goes on until it is whole.
    """

    __slots__ = ("_bandwidth", "_chance", "_draw", "_free_ns", "_loss", "cut_until_ns", "extra_ns")

    def __init__(self, link: Link, streams: Streams, name: str) -> None:
        self._draw: Draw = link.latency.draws(streams, name)
        self._bandwidth = link.bandwidth
        self._loss = link.loss
        self._chance: Random | None = streams.stream(f"{name} loss") if link.loss else None
        self._free_ns = 0
        #: Added to every message.
        self.extra_ns = 0
        self.cut_until_ns = 0

    def arrival_ns(self, now_ns: int, size_bytes: int = 0) -> int:
        """When a message of so many bytes arrives that leaves at ``now_ns``."""
        leaves_ns = now_ns
        if self._bandwidth:
            leaves_ns = self._free_ns = max(now_ns, self._free_ns) + size_bytes * _BITS_NS // self._bandwidth
        wait_ns = RETRANSMIT_NS
        while self._is_lost(leaves_ns):
            leaves_ns += wait_ns
            wait_ns *= 2
        return leaves_ns + self._draw() + self.extra_ns

    def _is_lost(self, time_ns: int) -> bool:
        if time_ns < self.cut_until_ns:
            return True
        return self._chance is not None and self._chance.random() < self._loss

    def round_trip_ns(self, back: Way, now_ns: int) -> int:
        """How long it takes to be heard and answered, as when a connection is made."""
        there_ns = self.arrival_ns(now_ns)
        return back.arrival_ns(there_ns) - now_ns


class Ways:
    """All ways of a mesh, made when they are first taken.

    Each pod and the client are known by name; ``zone`` says where each is.
    """

    def __init__(self, network: Network, streams: Streams) -> None:
        self._network = network
        self._streams = streams
        self._ways: dict[tuple[str, str], Way] = {}
        self._places: dict[str, tuple[str, str]] = {}
        self._extra: dict[str, int] = {}
        self._cuts: dict[tuple[str, str], int] = {}

    def place(self, name: str, service: str, zone: str) -> None:
        """Say where something is."""
        self._places[name] = service, zone

    def way(self, source: str, destination: str) -> Way:
        """Return the way from one to another."""
        key = source, destination
        found = self._ways.get(key)
        if found is None:
            (_, here), (_, there) = self._places[source], self._places[destination]
            found = Way(self._network.link(here, there), self._streams, f"{source} to {destination}")
            self._ways[key] = found
            self._adjust(key, found)
        return found

    def slow_down(self, where: str, extra_ns: int) -> None:
        """Let messages to or from a zone or a service take longer; 0 takes it back."""
        self._extra[where] = extra_ns
        self._adjust_all()

    def cut(self, zone: str, other: str, until_ns: int) -> None:
        """Let nothing pass between two zones before ``until_ns``."""
        self._cuts[zone, other] = self._cuts[other, zone] = until_ns
        self._adjust_all()

    def _adjust_all(self) -> None:
        for key, way in self._ways.items():
            self._adjust(key, way)

    def _adjust(self, key: tuple[str, str], way: Way) -> None:
        (service, zone), (other, there) = (self._places[name] for name in key)
        places = {service, zone, other, there}
        way.extra_ns = sum(extra for where, extra in self._extra.items() if where in places)
        way.cut_until_ns = self._cuts.get((zone, there), 0)
