"""What attributes are computed from: a stream or connection, the plugin that asks, the maps that it may read now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import HeaderMapType
from meshsim.abi.ports import HeaderMap
from meshsim.envoy.address import address_text
from meshsim.envoy.config.core import Node

if TYPE_CHECKING:
    from meshsim.envoy.config.route import VirtualHost
    from meshsim.envoy.headers import HeaderMap as Headers
    from meshsim.envoy.routing import Match
    from meshsim.envoy.stream_info import StreamInfo


class PluginNames(Protocol):
    """The names of the plugin that asks, and the proxy that it runs in."""

    @property
    def name(self) -> str: ...
    @property
    def root_id(self) -> str: ...
    @property
    def vm_id(self) -> str: ...
    @property
    def node(self) -> Node: ...
    @property
    def epoch_ns(self) -> int: ...
    @property
    def cluster_hosts(self) -> Mapping[str, int]: ...


class Maps(Protocol):
    """The maps that the module may read now."""

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None: ...


class Subject(Protocol):
    """A stream, or a connection: what attributes tell of."""

    info: StreamInfo

    @property
    def route(self) -> Match | None: ...
    @property
    def virtual_host(self) -> VirtualHost | None: ...
    @property
    def request_headers(self) -> Headers: ...
    @property
    def response_headers(self) -> Headers | None: ...


@dataclass(frozen=True, slots=True)
class View:
    """What an attribute is computed from."""

    plugin: PluginNames
    stream: Subject
    request: HeaderMap | None
    response: HeaderMap | None
    trailers: HeaderMap | None

    def header(self, name: bytes) -> bytes:
        """A header of the request; KeyError when it is not there, or cannot be read now."""
        return joined(self.request, name)


Getter = Callable[[View], PropertyValue | None]
"""Gives an attribute, ``None`` for null; raises ``KeyError`` when there is none."""


def joined(headers: HeaderMap | None, name: bytes) -> bytes:
    """Give a header's values with commas between; KeyError when there is none."""
    values = [value for key, value in headers.pairs() if key == name] if headers else []
    if not values:
        raise KeyError(name)
    return b",".join(values)


def address(pair: tuple[str, int]) -> bytes:
    """Write an address as attributes show it."""
    return address_text(*pair).encode()


def missing(_: View) -> PropertyValue | None:
    """Give nothing: there is no TLS that these tell of."""
    raise KeyError("not on this connection")


CERTIFICATES = (
    "tls_version",
    "subject_local_certificate",
    "subject_peer_certificate",
    "dns_san_local_certificate",
    "dns_san_peer_certificate",
    "uri_san_local_certificate",
    "uri_san_peer_certificate",
    "sha256_peer_certificate_digest",
)
"""Attributes of a connection's certificates."""


def route_cluster(view: View) -> str:
    """Name the cluster that a route names, or that the TCP proxy has chosen."""
    if view.stream.info.cluster:
        return view.stream.info.cluster
    match = view.stream.route
    if match is None or not match.cluster:
        raise KeyError("no cluster")
    return match.cluster


def upstream(view: View) -> tuple[str, int]:
    """Give the upstream's address; KeyError until one is chosen."""
    if view.stream.info.upstream is None:
        raise KeyError("no upstream")
    return view.stream.info.upstream
