"""The network between pods: what a message on its way from one machine to another takes.

TCP is there by its effects: what is lost comes later (a time-out of the sender, doubled each time), what is sent behind
it waits for it, a new connection takes a round trip and TLS another one with work at both ends. Pods of one machine
talk over its loopback interface.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from typing import TypeAlias

from meshsim.mesh.ranges import within
from meshsim.mesh.times import Constant, Times

RETRANSMIT_NS = 200_000_000
"""Linux's least retransmission time-out (``TCP_RTO_MIN``)."""

MOST_LOSS = 0.9
"""The greatest share of messages that can be lost: beyond, doubled time-outs take years."""

_NEAR = Constant(250_000)
"""One way between two machines of a zone: assumed, not measured."""

Zones: TypeAlias = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Link:
    """One way between two machines.

    Attributes
    ----------
    latency : Times
        Of each message; none overtakes another on its connection.
    bandwidth : int
        Bits a second, shared by all connections of the two pods in this direction; 0 for no bound.
    loss : float
        Share of messages that have to be sent again, at most :data:`MOST_LOSS`.

    Raises
    ------
    ConfigError
        A number is out of its range.
    """

    latency: Times = _NEAR
    bandwidth: int = 0
    loss: float = 0.0

    def __post_init__(self) -> None:
        within(self, bandwidth=(0, inf), loss=(0, MOST_LOSS))


@dataclass(frozen=True, slots=True)
class Tls:
    """What a TLS handshake takes beside its round trip: work of the worker at either end, in ns.

    The default is of the order of an ECDHE handshake with P-256 certificates at both ends; assumed, not measured.
    """

    client_ns: int = 300_000
    server_ns: int = 300_000


@dataclass(frozen=True)
class Network:
    """Links by zone.

    Attributes
    ----------
    default : Link
        Between two pods of one zone.
    zones : mapping of (zone, zone) to Link
        From one zone to another; where only the other way is given, that is taken. Zones without: ``default``.
    tls : Tls or None
        Handshakes of connections between proxies (mutual TLS); None for plain text.

    Examples
    --------
    >>> far = Network(zones={("a", "b"): Link(Constant(1_000_000))})
    >>> far.link("b", "a").latency.mean_ns, far.link("a", "a").latency.mean_ns
    (1000000.0, 250000.0)
    """

    default: Link = field(default_factory=Link)
    zones: Mapping[Zones, Link] = field(default_factory=dict)
    tls: Tls | None = None

    def link(self, source: str, destination: str) -> Link:
        """The link from one zone to another."""
        zones = self.zones
        return zones.get((source, destination)) or zones.get((destination, source)) or self.default
