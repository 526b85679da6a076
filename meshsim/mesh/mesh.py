"""A mesh: services, a proxy beside each or not, a network, and what runs a load through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from meshsim.cost import CostModel
from meshsim.errors import ConfigError
from meshsim.mesh.actions import Action
from meshsim.mesh.load import Load
from meshsim.mesh.network import Network
from meshsim.mesh.ranges import among, within
from meshsim.mesh.topology import Topology
from meshsim.sim import Level

if TYPE_CHECKING:
    import networkx as nx

    from meshsim.mesh.result import Result

Proxies: TypeAlias = Literal["sidecar", "none", "node"]
Deal: TypeAlias = Literal["hash", "turn"]
Direction: TypeAlias = Literal["inbound", "outbound", "both"]
GATEWAY = "gateway"
"""The gateway's name among services."""

FailPolicy: TypeAlias = Literal["FAIL_CLOSED", "FAIL_OPEN", "FAIL_RELOAD"]


@dataclass(frozen=True, slots=True)
class WasmFilter:
    """A Wasm filter in the sidecars of a service.

    Attributes
    ----------
    module : bytes
        The module itself.
    configuration : str
        What ``proxy_on_configure`` reads.
    direction : {"inbound", "outbound", "both"}
        Which of the sidecar's listeners have it.
    """

    name: str
    module: bytes
    configuration: str = ""
    direction: Direction = "inbound"
    fail_policy: FailPolicy = "FAIL_CLOSED"
    root_id: str = ""
    vm_id: str = ""


@dataclass(frozen=True)
class Mesh:
    """A mesh that is not running; every method that changes something gives another one.

    Parameters
    ----------
    topology : Topology
        Services and their calls.
    network : Network
        Between pods.
    proxies : {"sidecar", "none", "node"}
        A sidecar beside each application; no proxies at all; or one proxy for all pods of a node.
    gateway : bool
        Whether the client's requests come in through a gateway, an Envoy of its own.
    nodes : int
        How many nodes pods are dealt to, in turn; matters with ``proxies="node"``.
    envoy_headers : bool
        Whether proxies add headers of their own such as ``x-envoy-upstream-service-time`` to what they pass on (Istio's
        ``proxyHeaders.envoyDebugHeaders``). Responses that tell how long they took are all different, and runs slower.
    deal : {"hash", "turn"}
        How a proxy's connections come to its workers: by the kernel's hash of addresses and ports, which may give one
        worker all of them, or each worker in turn.
    filters : mapping of str to tuple of WasmFilter
        By service; :meth:`with_filter` adds to them.
    timeline : tuple of (int, Action)
        What happens, and when the load has gone on for so many ns; :meth:`at` adds to it.
    costs : CostModel
        What proxies' work takes.

    Raises
    ------
    ConfigError
        A number or a word is out of its range.

    Examples
    --------
    >>> from meshsim.mesh import ClosedLoop, Constant, Mesh, Service, Topology
    >>> shop = Topology([Service("shop", service_time=Constant(1_000_000), concurrency=1)])
    >>> result = Mesh(shop, proxies="none").run(ClosedLoop(users=1), seconds=1, seed=1)
    >>> result.counters["shop"]["requests"]
    667
    """

    topology: Topology
    network: Network = field(default_factory=Network)
    proxies: Proxies = "sidecar"
    gateway: bool = False
    nodes: int = 1
    envoy_headers: bool = False
    deal: Deal = "hash"
    filters: Mapping[str, tuple[WasmFilter, ...]] = field(default_factory=dict)
    timeline: tuple[tuple[int, Action], ...] = ()
    costs: CostModel = field(default_factory=CostModel)

    def __post_init__(self) -> None:
        among(self, proxies=get_args(Proxies), deal=get_args(Deal))
        within(self, nodes=(1, inf))

    @classmethod
    def from_isotope(cls, source: str | Path, **options: Any) -> Mesh:
        """Make a mesh of an isotope topology: a path, or the YAML text itself; ``options`` go to :class:`Mesh`."""
        from meshsim.mesh.loader import load_isotope

        return cls(load_isotope(source), **options)

    @classmethod
    def from_networkx(cls, graph: nx.DiGraph, **options: Any) -> Mesh:
        """Make a mesh of a graph; see :meth:`meshsim.mesh.Topology.from_networkx`."""
        return cls(Topology.from_networkx(graph), **options)

    def with_filter(
        self, *services: str, module: bytes | str | Path, configuration: str = "", name: str = "", **options: Any
    ) -> Mesh:
        """Put a Wasm filter into the sidecars of some services, all of them when none is named.

        It comes behind the filters that are there. Requests to a service pass its sidecar's ``inbound`` listener, those
        that it makes the ``outbound`` one.

        Parameters
        ----------
        services : str
            Names of services; ``"gateway"`` is the gateway.
        module : bytes or path
            The module, or where it is.
        configuration : str
            What ``proxy_on_configure`` reads.
        name : str
            The filter's; that of the file when it is left out.
        options
            Other fields of :class:`WasmFilter`: ``direction``, ``fail_policy``, ``root_id``, ``vm_id``.

        Raises
        ------
        ConfigError
            There is no such service, or no such file.

        Examples
        --------
        >>> from importlib.resources import files
        >>> from meshsim.mesh import OpenLoop
        >>> shop = files("meshsim") / "scenarios/topologies/shop.yaml"
        >>> work = files("meshsim") / "scenarios/mesh/modules/work.wasm"
        >>> mesh = Mesh.from_isotope(shop)
        >>> mesh = mesh.with_filter("cart", "stock", module=work, direction="both", configuration="5")
        >>> {service: [each.direction for each in filters] for service, filters in mesh.filters.items()}
        {'cart': ['both'], 'stock': ['both']}
        >>> mesh.run(OpenLoop(rate=100), seconds=0.1, seed=1).stats["cart-0"]["wasm.envoy.wasm.runtime.v8.active"]
        4
        """
        from meshsim.mesh.loader import load_module

        code, found = load_module(module)
        added = WasmFilter(name or found, code, configuration, **options)
        places = services or tuple(service.name for service in self.topology)
        for place in places:
            if place != GATEWAY and place not in self.topology:
                raise ConfigError(f"no service {place!r} for filter {added.name!r}")
        filters = {place: (*self.filters.get(place, ()), added) for place in places}
        return replace(self, filters={**self.filters, **filters})

    def at(self, time_ns: int, action: Action) -> Mesh:
        """Do something when the load has gone on for ``time_ns``."""
        return replace(self, timeline=(*self.timeline, (time_ns, action)))

    def run(
        self, load: Load, *, seconds: float, seed: int = 0, level: Level = Level.REQUESTS, warmup: float = 0.0
    ) -> Result:
        """Run a load through the mesh.

        Parameters
        ----------
        load : OpenLoop, ClosedLoop, Trace or Phases
            What the client sends, to the topology's entry.
        seconds : float
            How long it sends, in virtual time; answers are taken also later.
        seed : int
            Of every random number of the run.
        level : Level
            ``REQUESTS`` keeps a row for each call, ``OFF`` sums only; with ``ABI`` no request of a proxy takes an
            express lane.
        warmup : float
            Seconds at the beginning that do not count.
        """
        from meshsim.mesh.engine import World

        return World(self, seed, level).run(load, seconds=seconds, warmup=warmup)

    def replicate(self, load: Load, *, replications: int, seed: int = 0, **options: Any) -> Iterator[Result]:
        """Run the same load so many times, each with its own random numbers; ``options`` go to :meth:`run`.

        Means of each run are independent of those of the others, and go into
        :func:`meshsim.sim.confidence_interval`.
        """
        for number in range(replications):
            yield self.run(load, seed=replication_seed(seed, number), **options)


def replication_seed(seed: int, number: int) -> int:
    """Make the seed of a replication: no two runs of any seeds share one."""
    return int.from_bytes(sha256(f"replication {number} of {seed}".encode()).digest()[:8], "big")
