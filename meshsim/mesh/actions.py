"""What can be done to a mesh while it runs: ``mesh.at(time_ns, action)``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class RollOut:
    """Load another module in place of a filter, in the sidecars of a service, one pod after the other.

    Each pod gets its connections again when its new proxy is up; ``pause_ns`` lies between two pods.
    """

    service: str
    filter: str
    module: bytes
    configuration: str | None = None
    pause_ns: int = 0


@dataclass(frozen=True, slots=True)
class CrashWorker:
    """End a worker's VMs and streams as a crash of its process would: all connections of the pod's proxy are cut.

    Envoy's threads share a process; it is up again after ``down_ns``.
    """

    pod: str
    worker: str = "worker_0"
    down_ns: int = 1_000_000_000


@dataclass(frozen=True, slots=True)
class AddLatency:
    """Let each message to or from a zone or a service take longer from now on; 0 takes that back."""

    where: str
    ns: int


@dataclass(frozen=True, slots=True)
class SetFault:
    """Let an application answer a share of its requests with 500, or take longer, from now on."""

    service: str
    error_rate: float = 0.0
    delay_ns: int = 0


@dataclass(frozen=True, slots=True)
class Scale:
    """Change the number of a service's pods; new ones take requests when their proxies have started."""

    service: str
    replicas: int


@dataclass(frozen=True, slots=True)
class Partition:
    """Let nothing pass between two zones for a while; TCP sends again what was lost."""

    zone: str
    other: str
    for_ns: int


Action: TypeAlias = RollOut | CrashWorker | AddLatency | SetFault | Scale | Partition
