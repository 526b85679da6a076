"""What stands around a stream, for texts that tell of it: clocks, clusters and their hosts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from meshsim.envoy.address import Address
from meshsim.envoy.config.cluster import Cluster, LbEndpoint


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
        for endpoint in found.endpoints() if found else ():
            where = endpoint.endpoint.address if endpoint.endpoint else None
            socket = where.socket_address if where else None
            if found and socket and found.where(socket) == address:
                return endpoint
        return None
