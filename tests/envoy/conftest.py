"""Bootstraps and guests made on the spot, so that a test shows all that it depends on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import wasmtime
import yaml

from meshsim.envoy.proxy import Envoy

_TYPES = "type.googleapis.com/envoy.extensions.filters"
HELLO = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "hello"}}}

#: A guest of the least that Envoy takes; ``{}`` is where a test puts what it is about.
GUEST = """(module
  {imports}
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  {body})"""

Wat = Callable[[str], bytes]
Guest = Callable[..., bytes]
WriteBootstrap = Callable[..., Path]
MakeEnvoy = Callable[..., Envoy]


@pytest.fixture(scope="session")
def wat() -> Wat:
    """Make a module of a text."""
    made: dict[str, bytes] = {}

    def compile_text(text: str) -> bytes:
        if text not in made:
            made[text] = bytes(wasmtime.wat2wasm(text))
        return made[text]

    return compile_text


@pytest.fixture(scope="session")
def guest(wat: Wat) -> Guest:
    """Make a guest that has the ABI's marker, a memory and an allocator, and what the text adds."""
    return lambda body="", imports="": wat(GUEST.format(body=body, imports=imports))


def plugin(module: str = "guest.wasm", name: str = "p", vm_id: str = "", **fields: Any) -> dict[str, Any]:
    """Return a plugin's configuration; ``vm`` holds more fields of its VM's."""
    vm = {"vm_id": vm_id, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": module}}}
    return {"name": name, "root_id": "r", "vm_config": vm | fields.pop("vm", {}), **fields}


def listener(
    plugins: Sequence[Mapping[str, Any]] = (),
    routes: Sequence[Mapping[str, Any]] = (HELLO,),
    *,
    name: str = "front",
    port: int = 18000,
    manager: Mapping[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    """Return a listener whose filters are Wasm plugins and the router."""
    filters = [
        {"name": f"wasm-{i}", "typed_config": {"@type": f"{_TYPES}.http.wasm.v3.Wasm", "config": copy.deepcopy(each)}}
        for i, each in enumerate(plugins)
    ]
    router = {"name": "router", "typed_config": {"@type": f"{_TYPES}.http.router.v3.Router"}}
    hosts = [{"name": "all", "domains": ["*"], "routes": copy.deepcopy(list(routes))}]
    config = {
        "@type": f"{_TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"name": "routes", "virtual_hosts": hosts},
        "http_filters": [*filters, router],
        **(manager or {}),
    }
    network_filter = {"name": "envoy.filters.network.http_connection_manager", "typed_config": config}
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [network_filter]}],
        **fields,
    }


def cluster(name: str, port: int, **fields: Any) -> dict[str, Any]:
    """Return a cluster of one host on this machine."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
        **fields,
    }


@pytest.fixture
def write_bootstrap(tmp_path: Path) -> WriteBootstrap:
    """Write ``envoy.yaml`` and the modules beside it; return its path."""

    def write(
        *listeners: Mapping[str, Any],
        clusters: Sequence[Mapping[str, Any]] = (),
        modules: Mapping[str, bytes] | None = None,
    ) -> Path:
        for name, code in (modules or {}).items():
            (tmp_path / name).write_bytes(code)
        resources = {"listeners": list(listeners), "clusters": list(clusters)}
        path = tmp_path / "envoy.yaml"
        path.write_text(yaml.safe_dump({"static_resources": resources}, sort_keys=False))
        return path

    return write


@pytest.fixture
def make_envoy(write_bootstrap: WriteBootstrap, guest: Guest) -> MakeEnvoy:
    """Start a simulated Envoy of one listener with one guest, or of what is given."""

    def make(
        body: str = "",
        *listeners: Mapping[str, Any],
        imports: str = "",
        clusters: Sequence[Mapping[str, Any]] = (),
        concurrency: int = 1,
        **options: Any,
    ) -> Envoy:
        modules = {"guest.wasm": guest(body, imports)}
        path = write_bootstrap(*(listeners or (listener([plugin()]),)), clusters=clusters, modules=modules)
        return Envoy.from_yaml(path, concurrency=concurrency, **options)

    return make
