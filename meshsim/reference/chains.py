"""HTTP filters and bootstraps of the real Envoy, for measuring: plain dictionaries, whatever the models know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_EXTENSION = "type.googleapis.com/envoy.extensions.filters"

#: A filter's ``typed_config``.
Filter = dict[str, Any]


def wasm(path: Path) -> Filter:
    """A module in a VM of its own; the plugin is named for the file. It may hold headers back and see the body."""
    code = {"local": {"filename": str(path)}}
    vm = {"vm_id": path.stem, "runtime": "envoy.wasm.runtime.v8", "code": code}
    plugin = {"name": path.stem, "root_id": path.stem, "vm_config": vm, "allow_on_headers_stop_iteration": True}
    return _filter("wasm.v3.Wasm", config=plugin)


def lua(source: str) -> Filter:
    """A script."""
    return _filter("lua.v3.Lua", default_source_code={"inline_string": source})


def header_mutation(headers: int) -> Filter:
    """The native filter that adds so many headers to the request."""
    added = [{"append": {"header": {"key": f"x-cost{n or ''}", "value": "wasm"}}} for n in range(headers)]
    return _filter("header_mutation.v3.HeaderMutation", mutations={"request_mutations": added})


def rbac(rules: str, header: str | None = None, value: str = "") -> Filter:
    """The native filter that lets in who has a header with this value, or (without ``header``) everybody.

    ``rules`` is ``rules``, or ``shadow_rules``, which only count.
    """
    who = {"header": {"name": header, "string_match": {"exact": value}}} if header else {"any": True}
    policy = {"permissions": [{"any": True}], "principals": [who]}
    return _filter("rbac.v3.RBAC", **{rules: {"action": "ALLOW", "policies": {"all": policy}}})


def buffer(size: int) -> Filter:
    """The native filter that waits for the whole request, of at most so many bytes."""
    return _filter("buffer.v3.Buffer", max_request_bytes=size)


def transform(body: str) -> Filter:
    """The native filter that puts another body in the place of the request's."""
    form = {"body_format": {"text_format_source": {"inline_string": body}}, "action": "REPLACE"}
    return _filter("transform.v3.TransformConfig", request_transformation={"body_transformation": form})


def bootstrap(chains: Mapping[str, Sequence[Filter]], host_port: int | None = None) -> dict[str, Any]:
    """One listener for each chain of filters, on a free port, that answers by itself; ``/far`` goes to a host."""
    direct: dict[str, Any] = {
        "match": {"prefix": "/"},
        "direct_response": {"status": 200, "body": {"inline_string": "ok"}},
    }
    far: dict[str, Any] = {"match": {"prefix": "/far"}, "route": {"cluster": "far"}}
    routes = [direct] if host_port is None else [far, direct]
    listeners = [_listener(name, filters, routes) for name, filters in chains.items()]
    clusters = [] if host_port is None else [_cluster(host_port)]
    resources = {"listeners": listeners, "clusters": clusters}
    return {"admin": {"address": _address(0)}, "static_resources": resources}


def _filter(kind: str, **fields: object) -> Filter:
    return {"@type": f"{_EXTENSION}.http.{kind}", **fields}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _cluster(port: int) -> dict[str, Any]:
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": _address(port)}}]}]
    return {"name": "far", "type": "STATIC", "load_assignment": {"cluster_name": "far", "endpoints": endpoints}}


def _listener(name: str, filters: Sequence[Filter], routes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    manager = {
        "@type": f"{_EXTENSION}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [*routes]}]},
        "http_filters": [
            *({"name": f"{name}_{index}", "typed_config": each} for index, each in enumerate(filters)),
            {"name": "envoy.filters.http.router", "typed_config": _filter("router.v3.Router")},
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": _address(0), "filter_chains": [chain]}
