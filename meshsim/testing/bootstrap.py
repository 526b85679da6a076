"""The bootstrap that a bench runs: one listener, one filter, an upstream, and the clusters that the filter calls."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

#: The cluster that every request is routed to.
UPSTREAM = "upstream"

Configuration = str | bytes | Mapping[str, Any] | Sequence[Any]

_TYPE = "type.googleapis.com/"
_FILTERS = f"{_TYPE}envoy.extensions.filters"
_FIRST_PORT = 20_000


@dataclass(frozen=True)
class Setup:
    """How a filter is set up.

    Attributes
    ----------
    module : bytes or Path
        The module, or its file.
    configuration, vm_configuration : str, bytes, or what JSON can hold
        Of the plugin and of its VM. A mapping or list is handed over as JSON text.
    name, root_id, vm_id : str
        As in the plugin's configuration; a module that registers several filters tells them apart by ``root_id``.
    failure_policy : str
        ``FAIL_CLOSED`` (as when none is configured), ``FAIL_OPEN`` or ``FAIL_RELOAD``.
    clusters : collection of str
        Clusters beside ``upstream``, for callouts.
    http2_clusters : collection of str
        Those of them, or ``upstream``, that speak HTTP/2, as gRPC services do.
    environment : mapping of str to str
        What the module gets as environment variables.
    capabilities : collection of str
        What the module may export and import; empty: all.
    allow_on_headers_stop_iteration : bool
        As in the plugin's configuration.
    kind : str
        ``http``: a filter of requests. ``network``: a filter of connections, in front of a TCP proxy.
    """

    module: bytes | Path
    configuration: Configuration = ""
    vm_configuration: Configuration = ""
    name: str = "filter"
    root_id: str = ""
    vm_id: str = ""
    failure_policy: str = "FAIL_CLOSED"
    clusters: Collection[str] = ()
    http2_clusters: Collection[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    capabilities: Collection[str] = ()
    allow_on_headers_stop_iteration: bool = False
    kind: Literal["http", "network"] = "http"

    def text(self) -> str:
        """Return the bootstrap; JSON, which is YAML too."""
        names = dict.fromkeys([UPSTREAM, *self.clusters, *self.http2_clusters])
        clusters = [self._cluster(name, _FIRST_PORT + place) for place, name in enumerate(names, 1)]
        return json.dumps({"static_resources": {"listeners": [self._listener()], "clusters": clusters}})

    def _listener(self) -> dict[str, Any]:
        return {
            "name": "bench",
            "address": _address(_FIRST_PORT),
            "filter_chains": [{"filters": self._http() if self.kind == "http" else self._network()}],
        }

    def _http(self) -> list[dict[str, Any]]:
        route = {"match": {"prefix": "/"}, "route": {"cluster": UPSTREAM}}
        manager = {
            "stat_prefix": "bench",
            # Between sidecars requests travel over HTTP/2, where trailers always pass.
            "http_protocol_options": {"enable_trailers": True},
            "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
            "http_filters": [
                _extension(self.name, f"{_FILTERS}.http.wasm.v3.Wasm", {"config": self._plugin()}),
                _extension("envoy.filters.http.router", f"{_FILTERS}.http.router.v3.Router", {}),
            ],
        }
        kind = "network.http_connection_manager"
        return [_extension(f"envoy.filters.{kind}", f"{_FILTERS}.{kind}.v3.HttpConnectionManager", manager)]

    def _network(self) -> list[dict[str, Any]]:
        proxy = {"stat_prefix": "bench", "cluster": UPSTREAM}
        kind = "network.tcp_proxy"
        return [
            _extension(self.name, f"{_FILTERS}.network.wasm.v3.Wasm", {"config": self._plugin()}),
            _extension(f"envoy.filters.{kind}", f"{_FILTERS}.{kind}.v3.TcpProxy", proxy),
        ]

    def _plugin(self) -> dict[str, Any]:
        vm: dict[str, Any] = {
            "vm_id": self.vm_id,
            "runtime": "envoy.wasm.runtime.v8",
            "code": {"local": self._code()},
            **_configured(self.vm_configuration),
        }
        if self.environment:
            vm["environment_variables"] = {"key_values": dict(self.environment)}
        plugin: dict[str, Any] = {
            "name": self.name,
            "root_id": self.root_id,
            "vm_config": vm,
            "failure_policy": self.failure_policy,
            **_configured(self.configuration),
        }
        if self.capabilities:
            allowed: dict[str, Any] = {name: {} for name in self.capabilities}
            plugin["capability_restriction_config"] = {"allowed_capabilities": allowed}
        if self.allow_on_headers_stop_iteration:
            plugin["allow_on_headers_stop_iteration"] = True
        return plugin

    def _code(self) -> dict[str, str]:
        if isinstance(self.module, bytes):
            return {"inline_bytes": base64.b64encode(self.module).decode()}
        return {"filename": str(self.module)}

    def _cluster(self, name: str, port: int) -> dict[str, Any]:
        protocol = "http2_protocol_options" if name in self.http2_clusters else "http_protocol_options"
        options = {} if name in self.http2_clusters else {"enable_trailers": True}
        kind = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
        return {
            "name": name,
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": {
                "cluster_name": name,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}],
            },
            "typed_extension_protocol_options": {
                kind: {"@type": f"{_TYPE}{kind}", "explicit_http_config": {protocol: options}}
            },
        }


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _extension(name: str, kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "typed_config": {"@type": kind, **fields}}


def _configured(configuration: Configuration) -> dict[str, Any]:
    """A configuration as the field that holds it; nothing for an empty one."""
    if isinstance(configuration, bytes):
        value = base64.b64encode(configuration).decode()
        return {"configuration": {"@type": f"{_TYPE}google.protobuf.BytesValue", "value": value}} if value else {}
    text = configuration if isinstance(configuration, str) else json.dumps(configuration)
    return {"configuration": {"@type": f"{_TYPE}google.protobuf.StringValue", "value": text}} if text else {}
