"""Which host of a cluster gets a request.

Only hosts of the first priority are used: without health checks, all of them are healthy. Hosts of one weight take
turns; with other weights each comes as often as its weight says, by earliest deadline. RANDOM draws one, LEAST_REQUEST
draws two and takes the less busy; with different weights both are done as if hosts took turns. The two that hash send
all requests of one hash to one host; their tables are those of Envoy 1.40, entry by entry (``RingHashLoadBalancer``,
``MaglevLoadBalancer``), and a request without a hash gets a random one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heapreplace
from math import ceil
from random import Random
from types import MappingProxyType
from typing import Protocol

from meshsim.envoy.address import Address, address_text
from meshsim.envoy.config.cluster import Cluster, LbEndpoint
from meshsim.envoy.xxhash import xxh64

NOBODY: Mapping[Address, int] = MappingProxyType({})
"""No host is busy."""

HASHING = frozenset({"RING_HASH", "MAGLEV"})
"""Policies by which a request's hash chooses."""

_RING_SIZE, _RING_LIMIT, _TABLE_SIZE = 1024, 8 << 20, 65_537


@dataclass(frozen=True, slots=True)
class Host:
    """One host: ``key`` is what stands for it in a hash, its address, or what its metadata say."""

    address: Address
    key: str
    weight: int = 1


class Balancer(Protocol):
    """Chooses among hosts, of which there is at least one."""

    def choose(self, hash_value: int | None) -> Address:
        """Choose a host for a request with this hash, None when its route wants none."""


class InTurn:
    """Each host as often as its weight says."""

    def __init__(self, hosts: Sequence[Host]) -> None:
        self._hosts = hosts
        self._due = [(1 / host.weight, number) for number, host in enumerate(hosts)]
        heapify(self._due)

    def choose(self, hash_value: int | None) -> Address:
        """Choose the host whose turn it is; of several the first."""
        time, number = self._due[0]
        host = self._hosts[number]
        heapreplace(self._due, (time + 1 / host.weight, number))
        return host.address


class ByLot:
    """Any of them."""

    def __init__(self, hosts: Sequence[Host], random: Random) -> None:
        self._addresses = [host.address for host in hosts]
        self._random = random

    def choose(self, hash_value: int | None) -> Address:
        """Draw a host."""
        addresses = self._addresses
        return addresses[self._random.getrandbits(64) % len(addresses)] if len(addresses) > 1 else addresses[0]


class LeastBusy:
    """The less busy of two that are drawn, the first when both are equally busy (``LeastRequestLoadBalancer``).

    ``active`` says how many requests are under way to each host, from all workers.
    """

    def __init__(self, hosts: Sequence[Host], random: Random, active: Mapping[Address, int]) -> None:
        self._lot = ByLot(hosts, random)
        self._active = active

    def choose(self, hash_value: int | None) -> Address:
        """Draw two hosts, and choose."""
        first, second = self._lot.choose(None), self._lot.choose(None)
        return second if self._active.get(second, 0) < self._active.get(first, 0) else first


class Ring:
    """A ring of hashes, each host with as many as its weight says; a request goes to the next one on the ring."""

    def __init__(self, hosts: Sequence[Host], random: Random, least: int = _RING_SIZE, most: int = _RING_LIMIT) -> None:
        self._random = random
        total = sum(host.weight for host in hosts)
        smallest = min(host.weight for host in hosts) / total
        scale = min(ceil(smallest * least) / smallest, float(most))
        ring: list[tuple[int, Address]] = []
        wanted, made = 0.0, 0
        for host in hosts:
            wanted += scale * (host.weight / total)
            number = 0
            while made < wanted:
                ring.append((xxh64(f"{host.key}_{number}".encode()), host.address))
                number, made = number + 1, made + 1
        ring.sort(key=lambda entry: entry[0])
        self._hashes = [entry[0] for entry in ring]
        self._addresses = [entry[1] for entry in ring]

    def choose(self, hash_value: int | None) -> Address:
        """Choose the host of the next hash."""
        value = self._random.getrandbits(64) if hash_value is None else hash_value
        return self._addresses[bisect_left(self._hashes, value) % len(self._addresses)]


class Maglev:
    """A table that all hosts fill in turn, each in an order of its own."""

    def __init__(self, hosts: Sequence[Host], random: Random, size: int = _TABLE_SIZE) -> None:
        self._random = random
        self._table = _maglev_table(hosts, size)

    def choose(self, hash_value: int | None) -> Address:
        """Choose the host at the hash's place."""
        value = self._random.getrandbits(64) if hash_value is None else hash_value
        return self._table[value % len(self._table)]


def _maglev_table(hosts: Sequence[Host], size: int) -> list[Address]:
    table: list[Address | None] = [None] * size
    heaviest = max(host.weight for host in hosts)
    places = [xxh64(host.key.encode()) % size for host in hosts]
    steps = [xxh64(host.key.encode(), 1) % (size - 1) + 1 for host in hosts]
    targets = [0] * len(hosts)
    left, turn = size, 0
    while left:
        turn += 1
        for i, host in enumerate(hosts):
            if not left:
                break
            if turn * host.weight < targets[i]:
                continue
            targets[i] += heaviest
            while table[places[i]] is not None:
                places[i] = (places[i] + steps[i]) % size
            table[places[i]] = host.address
            left -= 1
    return [address for address in table if address is not None]


def hosts_of(config: Cluster) -> list[Host]:
    """Return the hosts that a cluster's requests go to: those of its first priority."""
    localities = config.load_assignment.endpoints if config.load_assignment else ()
    first = min((locality.priority for locality in localities if locality.lb_endpoints), default=0)
    endpoints = [e for locality in localities if locality.priority == first for e in locality.lb_endpoints]
    by_name = bool(config.common_lb_config and config.common_lb_config.hashes_names)
    return [host for endpoint in endpoints if (host := _host(config, endpoint, by_name)) is not None]


def _host(config: Cluster, endpoint: LbEndpoint, by_name: bool) -> Host | None:
    inner = endpoint.endpoint
    socket = inner.address.socket_address if inner and inner.address else None
    if inner is None or socket is None:
        return None
    address = config.where(socket)
    given = (endpoint.metadata.filter_metadata if endpoint.metadata else {}).get("envoy.lb", {}).get("hash_key")
    name = inner.hostname or socket.address if by_name else address_text(*address)
    return Host(address, given if isinstance(given, str) and given else name, endpoint.load_balancing_weight or 1)


def balancer_of(
    config: Cluster, hosts: Sequence[Host], random: Random, active: Mapping[Address, int] = NOBODY
) -> Balancer | None:
    """Make what chooses among a cluster's hosts; None without any. ``active`` counts what is under way to each."""
    if not hosts:
        return None
    alike = len({host.weight for host in hosts}) == 1
    match config.lb_policy:
        case "RANDOM" if alike:
            return ByLot(hosts, random)
        case "LEAST_REQUEST" if alike:
            return LeastBusy(hosts, random, active)
        case "RING_HASH":
            ring = config.ring_hash_lb_config
            least = ring.minimum_ring_size if ring and ring.minimum_ring_size is not None else _RING_SIZE
            most = ring.maximum_ring_size if ring and ring.maximum_ring_size is not None else _RING_LIMIT
            return Ring(hosts, random, least, most)
        case "MAGLEV":
            table = config.maglev_lb_config
            return Maglev(hosts, random, (table.table_size if table else None) or _TABLE_SIZE)
    return InTurn(hosts)
