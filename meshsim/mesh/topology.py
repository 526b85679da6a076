"""Who is in a mesh and who calls whom: values, which a run reads and never changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from meshsim.errors import ConfigError
from meshsim.mesh.ranges import among, within
from meshsim.mesh.times import AT_ONCE, Times

if TYPE_CHECKING:
    import networkx as nx

Discipline: TypeAlias = Literal["fifo", "ps"]
Policy: TypeAlias = Literal["ROUND_ROBIN", "LEAST_REQUEST", "RANDOM", "RING_HASH", "MAGLEV"]


@dataclass(frozen=True, slots=True)
class Sleep:
    """Wait; nothing is busy meanwhile."""

    time: Times


@dataclass(frozen=True, slots=True)
class Call:
    """Call a service and wait for its answer; ``probability`` says how often that is done at all."""

    service: str
    request_bytes: int = 0
    probability: float = 1.0

    def __post_init__(self) -> None:
        within(self, request_bytes=(0, inf), probability=(0, 1))


@dataclass(frozen=True, slots=True)
class Together:
    """Begin all steps at once, and wait for the last."""

    steps: tuple[Sleep | Call, ...]


Step: TypeAlias = Sleep | Call | Together


@dataclass(frozen=True, slots=True)
class Retry:
    """Retries of a route, in Envoy's words: ``retry_on``, ``num_retries``, ``per_try_timeout``."""

    on: str = "5xx"
    times: int = 1
    per_try_ns: int = 0


@dataclass(frozen=True, slots=True)
class Traffic:
    """How callers reach a service: what the route and the cluster in their proxies say.

    ``route`` and ``cluster`` are more fields of Envoy's ``RouteAction`` and ``Cluster`` in its own words, as
    ``{"circuit_breakers": ...}``; they count more than the others.
    """

    policy: Policy = "ROUND_ROBIN"
    timeout_ns: int = 15_000_000_000
    retry: Retry | None = None
    http2: bool = False
    requests_per_connection: int = 0
    route: Mapping[str, Any] = field(default_factory=dict)
    cluster: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Service:
    """A service: some equal pods, each an application, with a proxy beside it or without.

    Attributes
    ----------
    replicas : int
        Pods.
    concurrency : int
        Requests that one application works on at once; 0 for any number. Others wait, ``queue`` of them (None: any
        number); who finds no room gets 503.
    service_time : Times
        How long a request holds its place, before the script.
    holds : bool
        Keep the place until the answer is given, as a thread for each request does.
    discipline : {"fifo", "ps"}
        First come first served; or all at once, each the slower the more there are, ``concurrency`` processors
        together.
    error_rate : float
        Share of requests that are answered with 500 instead.
    response_bytes : int
        Body of the answer.
    script : tuple of Step
        What a request does there, step by step.
    is_entry : bool
        Whether the client's requests come in here.
    zones : tuple of str
        Replica k is in zone k modulo their number.
    workers : int
        Worker threads of each sidecar.
    cpu_limit : float
        Processors that each sidecar may use, counted in periods of 100 ms; 0 for no limit.
    traffic : Traffic
        How callers reach it.
    http_filters : tuple of mapping
        HTTP filters of the sidecar's inbound listener in Envoy's own words, before the Wasm filters.

    Raises
    ------
    ConfigError
        A number or a word is out of its range.
    """

    name: str
    replicas: int = 1
    service_time: Times = AT_ONCE
    concurrency: int = 0
    queue: int | None = None
    holds: bool = False
    discipline: Discipline = "fifo"
    error_rate: float = 0.0
    response_bytes: int = 0
    script: tuple[Step, ...] = ()
    is_entry: bool = False
    zones: tuple[str, ...] = ("",)
    workers: int = 2
    cpu_limit: float = 0.0
    traffic: Traffic = field(default_factory=Traffic)
    http_filters: tuple[Mapping[str, Any], ...] = ()

    def __post_init__(self) -> None:
        within(
            self, replicas=(1, inf), workers=(1, inf), concurrency=(0, inf), response_bytes=(0, inf),
            error_rate=(0, 1), cpu_limit=(0, inf),
        )  # fmt: skip
        among(self, discipline=get_args(Discipline))
        if not self.zones:
            raise ConfigError(f"service {self.name!r} is in no zone", remedy='name one; ("",) where it does not matter')

    def calls(self) -> Iterator[Call]:
        """Every call of the script."""
        for step in self.script:
            for inner in step.steps if isinstance(step, Together) else (step,):
                if isinstance(inner, Call):
                    yield inner

    def zone(self, replica: int) -> str:
        """The zone of a replica."""
        return self.zones[replica % len(self.zones)]


@dataclass(frozen=True)
class Topology:
    """Services by name, in the order in which they were given.

    Raises
    ------
    ConfigError
        A service is there twice, calls one that is not there, or calls lead back to where they came from.

    Examples
    --------
    >>> shop = Topology([Service("cart", script=(Call("db"),), is_entry=True), Service("db")])
    >>> [service.name for service in shop], shop.entry.name
    (['cart', 'db'], 'cart')
    """

    services: tuple[Service, ...]
    request_bytes: int = 0

    def __init__(self, services: Iterable[Service], request_bytes: int = 0) -> None:
        object.__setattr__(self, "services", tuple(services))
        object.__setattr__(self, "request_bytes", request_bytes)
        self._check()

    def __iter__(self) -> Iterator[Service]:
        return iter(self.services)

    def __len__(self) -> int:
        return len(self.services)

    def __getitem__(self, name: str) -> Service:
        for service in self.services:
            if service.name == name:
                return service
        raise ConfigError(f"no service {name!r}", remedy=f"there are: {', '.join(each.name for each in self.services)}")

    def __contains__(self, name: object) -> bool:
        return any(service.name == name for service in self.services)

    @property
    def entry(self) -> Service:
        """Where requests come in: the first that is said to be an entry, or else that nobody calls."""
        called = {call.service for service in self.services for call in service.calls()}
        marked = [service for service in self.services if service.is_entry]
        free = [service for service in self.services if service.name not in called]
        return (marked or free)[0]

    def with_service(self, name: str, **changes: Any) -> Topology:
        """Change some of a service."""
        changed = replace(self[name], **changes)
        return Topology([changed if each.name == name else each for each in self.services], self.request_bytes)

    def visits(self) -> dict[str, float]:
        """How often a request comes to each service, on average, without retries and failures.

        Examples
        --------
        >>> Topology([Service("a", script=(Call("b"), Call("b", probability=0.5))), Service("b")]).visits()
        {'a': 1.0, 'b': 1.5}
        """
        visits = dict.fromkeys((service.name for service in self.services), 0.0)
        visits[self.entry.name] = 1.0
        for service in self._callers_first():
            for call in service.calls():
                visits[call.service] += visits[service.name] * call.probability
        return visits

    def to_networkx(self) -> nx.DiGraph:
        """Make a graph: a node for each service, with its fields; an edge for each pair, with ``calls`` a request."""
        import networkx as nx

        graph = nx.DiGraph(request_bytes=self.request_bytes)
        for service in self.services:
            graph.add_node(service.name, service=service, replicas=service.replicas, is_entry=service.is_entry)
        for service in self.services:
            for call in service.calls():
                before = graph.get_edge_data(service.name, call.service, {"calls": 0.0})["calls"]
                graph.add_edge(service.name, call.service, calls=before + call.probability)
        return graph

    @classmethod
    def from_networkx(cls, graph: nx.DiGraph, **defaults: Any) -> Topology:
        """Make a topology of any directed graph: a service a node, which calls its successors one after the other.

        A node of :meth:`to_networkx` gives its service back; other nodes take their attributes, where they name fields
        of :class:`Service`, and ``defaults``.
        """
        return cls([_service_of(graph, node, defaults) for node in graph.nodes], graph.graph.get("request_bytes", 0))

    def _check(self) -> None:
        names = [service.name for service in self.services]
        if not names:
            raise ConfigError("a mesh without services")
        twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if twice is not None:
            raise ConfigError(f"two services are named {twice!r}")
        known = set(names)
        for service in self.services:
            for call in service.calls():
                if call.service not in known:
                    raise ConfigError(f"{service.name!r} calls {call.service!r}, which is not there")
        self._callers_first()

    def _callers_first(self) -> list[Service]:
        """All services, each behind everybody who calls it (Kahn 1962)."""
        left = dict.fromkeys((service.name for service in self.services), 0)
        by_name = {service.name: service for service in self.services}
        for service in self.services:
            for call in service.calls():
                left[call.service] += 1
        ready = [service for service in self.services if not left[service.name]]
        for service in ready:
            for call in service.calls():
                left[call.service] -= 1
                if not left[call.service]:
                    ready.append(by_name[call.service])
        if len(ready) < len(by_name):
            around = next(name for name, count in left.items() if count)
            raise ConfigError(f"calls go round in a circle through {around!r}", remedy="a request would never end")
        return ready


def _service_of(graph: nx.DiGraph, node: Any, defaults: Mapping[str, Any]) -> Service:
    given = dict(graph.nodes[node])
    if isinstance(given.get("service"), Service):
        whole: Service = given["service"]
        return whole
    fields = {name: value for name, value in given.items() if name in Service.__dataclass_fields__}
    script = tuple(Call(str(successor)) for successor in graph.successors(node))
    return Service(**{"script": script, **defaults, **fields, "name": str(node)})
