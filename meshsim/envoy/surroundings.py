"""What stands around a stream, for texts that tell of it: clocks, clusters and their hosts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshsim.envoy.address import Address
from meshsim.envoy.config.cluster import Cluster, LbEndpoint, LocalityLbEndpoints


def _no_cluster(_: str) -> Cluster | None:
    return None


def _no_id() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The proxy as a stream's texts show it.

    ``epoch_ns`` is the wall clock at virtual time 0, ``now_ns`` reads the thread's clock; ``cluster`` finds a cluster's
    configuration, ``unique_id`` makes a random UUID.
    """

    epoch_ns: int = 0
    now_ns: Callable[[], int] = int
    cluster: Callable[[str], Cluster | None] = _no_cluster
    unique_id: Callable[[], str] = _no_id

    def host(self, cluster: str, address: Address | None) -> LbEndpoint | None:
        """Find the configuration of one of a cluster's hosts."""
        found = self.cluster(cluster)
        return next((host for host in found.endpoints() if _is_at(found, host, address)), None) if found else None

    def group(self, cluster: str, address: Address | None) -> LocalityLbEndpoints | None:
        """Find the configuration of the place that one of a cluster's hosts is in."""
        found = self.cluster(cluster)
        load = found.load_assignment if found else None
        for group in load.endpoints if load else ():
            if found and any(_is_at(found, host, address) for host in group.lb_endpoints):
                return group
        return None


def _is_at(cluster: Cluster, host: LbEndpoint, address: Address | None) -> bool:
    where = host.endpoint.address if host.endpoint else None
    socket = where.socket_address if where else None
    return socket is not None and cluster.where(socket) == address
