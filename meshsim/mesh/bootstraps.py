"""Bootstraps for the proxies of a mesh, as a control plane makes them: what each listens on, and where it sends.

A sidecar has two listeners. Its own application sends to the *outbound* one, which chooses the cluster by the host
header; other proxies send to the *inbound* one, behind which the application is the only host. A node's proxy has an
inbound listener for each of its pods, and a gateway a single listener that leads to the mesh's entry. Texts are JSON,
which is YAML too, and the same for pods that are alike, so that they are parsed once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from meshsim.envoy.address import Address
from meshsim.envoy.config.bootstrap import Bootstrap
from meshsim.envoy.config.examine import Examination
from meshsim.envoy.config.sources import Sources
from meshsim.mesh.topology import Service, Traffic

INBOUND_PORT = 15006
OUTBOUND_PORT = 15001
APP_PORT = 8080
GATEWAY_PORT = 80

_TYPE = "type.googleapis.com/envoy.extensions"
_FILTERS = f"{_TYPE}.filters"
_MANAGER = "envoy.filters.network.http_connection_manager"
_HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@dataclass(frozen=True, slots=True)
class WasmPart:
    """A Wasm filter as a bootstrap has it; ``fields`` are those of Envoy's ``PluginConfig`` but for the code."""

    name: str
    module: bytes
    fields: Mapping[str, Any]

    @property
    def file(self) -> str:
        """The name that stands for the code."""
        return f"{self.name}-{sha256(self.module).hexdigest()[:16]}.wasm"

    def http_filter(self) -> dict[str, Any]:
        """Make the filter's configuration."""
        given = {"vm_id": "", **self.fields.get("vm_config", {})}
        vm = {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": self.file}}, **given}
        config = {"name": self.name, **self.fields, "vm_config": vm}
        return {"name": self.name, "typed_config": {"@type": f"{_FILTERS}.http.wasm.v3.Wasm", "config": config}}


Part = WasmPart | Mapping[str, Any]
"""A filter of a chain: a Wasm filter, or any HTTP filter in Envoy's own words."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A service as its callers' proxies know it."""

    service: Service
    addresses: tuple[Address, ...]


class Writer:
    """Writes bootstraps, and reads each distinct one once; ``envoy_headers`` says whether routers add theirs."""

    def __init__(self, *, envoy_headers: bool) -> None:
        self._router = {
            "@type": f"{_FILTERS}.http.router.v3.Router",
            **({} if envoy_headers else {"suppress_envoy_headers": True}),
        }
        self._known: dict[str, Bootstrap] = {}

    def sidecar(
        self,
        service: str,
        inbound: Sequence[Sequence[Part]],
        outbound: Sequence[Part],
        upstreams: Iterable[Upstream],
    ) -> Bootstrap:
        """Make the bootstrap of a sidecar, or of a node's proxy with several pods; ``inbound`` are filters by pod."""
        upstreams = list(upstreams)
        listeners = [
            self._listener(f"inbound{'' if len(inbound) == 1 else place}", INBOUND_PORT + place, parts, [_own(place)])
            for place, parts in enumerate(inbound)
        ]
        clusters = [
            _cluster(local_cluster(place), [("127.0.0.1", APP_PORT + place)], Traffic())
            for place in range(len(inbound))
        ]
        if upstreams:
            hosts = [_virtual_host(upstream.service) for upstream in upstreams]
            listeners.append(self._listener("outbound", OUTBOUND_PORT, outbound, hosts))
            clusters += [_cluster(each.service.name, each.addresses, each.service.traffic) for each in upstreams]
        return self._read(service, listeners, clusters, [*(part for parts in inbound for part in parts), *outbound])

    def gateway(self, parts: Sequence[Part], entry: Upstream) -> Bootstrap:
        """Make the bootstrap of a gateway, which sends everything to the entry."""
        host = {**_virtual_host(entry.service), "domains": ["*"]}
        clusters = [_cluster(entry.service.name, entry.addresses, entry.service.traffic)]
        return self._read("gateway", [self._listener("gateway", GATEWAY_PORT, parts, [host])], clusters, parts)

    def _listener(
        self, name: str, port: int, parts: Sequence[Part], hosts: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        filters = [part.http_filter() if isinstance(part, WasmPart) else dict(part) for part in parts]
        manager = {
            "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "route_config": {"name": name, "virtual_hosts": list(hosts)},
            "http_filters": [
                *filters,
                {"name": "envoy.filters.http.router", "typed_config": self._router},
            ],
        }
        return {
            "name": name,
            "address": _address(("0.0.0.0", port)),
            "filter_chains": [{"filters": [{"name": _MANAGER, "typed_config": manager}]}],
        }

    def _read(
        self, service: str, listeners: Sequence[Any], clusters: Sequence[Any], parts: Iterable[Part]
    ) -> Bootstrap:
        files = {part.file: part.module for part in parts if isinstance(part, WasmPart)}
        text = json.dumps(
            {
                "node": {"id": service, "cluster": service},
                "static_resources": {"listeners": listeners, "clusters": clusters},
            }
        )
        if text not in self._known:
            self._known[text] = Examination(text, f"the proxy of {service}").bootstrap(Sources(files))
        return self._known[text]


def local_cluster(place: int) -> str:
    """Name the cluster of a proxy's own application; a node's proxy has several."""
    return f"app{place}"


def _own(place: int) -> dict[str, Any]:
    """The way to the application behind a proxy: without a time-out, which is the caller's matter."""
    route = {"match": {"prefix": "/"}, "route": {"cluster": local_cluster(place), "timeout": "0s"}}
    return {"name": "app", "domains": ["*"], "routes": [route]}


def _virtual_host(service: Service) -> dict[str, Any]:
    traffic = service.traffic
    action: dict[str, Any] = {"cluster": service.name, "timeout": _seconds(traffic.timeout_ns)}
    if traffic.retry is not None:
        retry: dict[str, Any] = {"retry_on": traffic.retry.on, "num_retries": traffic.retry.times}
        if traffic.retry.per_try_ns:
            retry["per_try_timeout"] = _seconds(traffic.retry.per_try_ns)
        action["retry_policy"] = retry
    route = {"match": {"prefix": "/"}, "route": {**action, **traffic.route}}
    return {"name": service.name, "domains": [service.name], "routes": [route]}


def _cluster(name: str, addresses: Sequence[Address], traffic: Traffic) -> dict[str, Any]:
    hosts = [{"endpoint": {"address": _address(address)}} for address in addresses]
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "lb_policy": traffic.policy,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": hosts}]},
    }
    options: dict[str, Any] = {}
    if traffic.requests_per_connection:
        options["common_http_protocol_options"] = {"max_requests_per_connection": traffic.requests_per_connection}
    if traffic.http2:
        options["explicit_http_config"] = {"http2_protocol_options": {}}
    elif options:
        options["explicit_http_config"] = {"http_protocol_options": {}}
    if options:
        kind = {"@type": f"{_TYPE}.upstreams.http.v3.HttpProtocolOptions", **options}
        cluster["typed_extension_protocol_options"] = {_HTTP2: kind}
    return {**cluster, **traffic.cluster}


def _address(address: Address) -> dict[str, Any]:
    return {"socket_address": {"address": address[0], "port_value": address[1]}}


def _seconds(ns: int) -> str:
    whole, rest = divmod(ns, 10**9)
    return f"{whole}.{rest:09d}s" if rest else f"{whole}s"
