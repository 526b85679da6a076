"""What surrounds the filter of the figure ``filter-alone``, the same for both hosts: messages, log, metrics, clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

Pair = tuple[bytes, bytes]

REQUEST: tuple[Pair, ...] = (
    (b":method", b"GET"),
    (b":path", b"/api/v1/products/1234?x=1"),
    (b":scheme", b"http"),
    (b":authority", b"productpage.default.svc.cluster.local"),
    (b"user-agent", b"curl/8.4.0"),
    (b"accept", b"*/*"),
    (b"x-request-id", b"3d5e7c9a-1b2c-4d3e-8f90-0123456789ab"),
    (b"x-forwarded-proto", b"http"),
    (b"x-user", b"alice"),
    (b"x-b3-traceid", b"463ac35c9f6413ad48485a3953bb6124"),
)
RESPONSE: tuple[Pair, ...] = (
    (b":status", b"200"),
    (b"content-type", b"application/json"),
    (b"content-length", b"178"),
    (b"server", b"istio-envoy"),
    (b"x-envoy-upstream-service-time", b"7"),
)


class Headers:
    """The simplest ordered multimap of headers: a list of pairs."""

    __slots__ = ("_pairs",)

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._pairs = list(pairs)

    def __len__(self) -> int:
        return len(self._pairs)

    def pairs(self) -> Sequence[Pair]:
        return self._pairs

    def get(self, key: bytes) -> bytes | None:
        for name, value in self._pairs:
            if name == key:
                return value
        return None

    def add(self, key: bytes, value: bytes) -> None:
        self._pairs.append((key, value))

    def replace(self, key: bytes, value: bytes) -> None:
        self.remove(key)
        self.add(key, value)

    def remove(self, key: bytes) -> None:
        self._pairs = [pair for pair in self._pairs if pair[0] != key]

    def byte_size(self) -> int:
        return sum(len(key) + len(value) for key, value in self._pairs)


@dataclass(slots=True)
class World:
    """What a filter can see and change outside of its streams."""

    configuration: bytes = b'{"greeting": "hello"}'
    properties: dict[bytes, bytes] = field(default_factory=lambda: {b"plugin_root_id": b"my_root"})
    log_level: int = 0
    now_ns: int = 1_767_225_600_000_000_000
    log: list[tuple[int, str]] = field(default_factory=list)
    metrics: Counter[str] = field(default_factory=Counter)
