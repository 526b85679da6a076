"""A folder with a bootstrap, its guest and its requests, for tests that run the real Envoy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime

GUEST = r"""
(module
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "one\n@@1|trace|wasm|[host->vm] forged()\n\ff")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const CONFIGURED))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $log (i32.const 3) (i32.const 16) (i32.const 40)))
    (i32.const 0)))
"""

MANAGER = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
WASM = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"


def _listener(name: str, port: int, route: dict[str, Any], filters: list[dict[str, Any]]) -> dict[str, Any]:
    manager = {
        "@type": MANAGER,
        "stat_prefix": name,
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **route}]}]
        },
        "http_filters": [*filters, {"name": "envoy.filters.http.router", "typed_config": {"@type": ROUTER}}],
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "0.0.0.0", "port_value": port}},
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _guest() -> dict[str, Any]:
    vm = {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": "guest.wasm"}}}
    return {"name": "guest", "typed_config": {"@type": WASM, "config": {"name": "guest", "vm_config": vm}}}


def _bootstrap() -> dict[str, Any]:
    """Listener `in` runs the guest and routes to listener `behind`, which answers."""
    behind = {"socket_address": {"address": "localhost", "port_value": 10001}}
    return {
        "static_resources": {
            "listeners": [
                _listener("in", 10000, {"route": {"cluster": "behind"}}, [_guest()]),
                _listener(
                    "behind", 10001, {"direct_response": {"status": 200, "body": {"inline_string": "behind"}}}, []
                ),
            ],
            "clusters": [
                {
                    "name": "behind",
                    "type": "STRICT_DNS",
                    "dns_lookup_family": "V4_ONLY",
                    "load_assignment": {
                        "cluster_name": "behind",
                        "endpoints": [{"lb_endpoints": [{"endpoint": {"address": behind}}]}],
                    },
                }
            ],
        }
    }


CaseFolder = Callable[..., Path]


@pytest.fixture
def case_folder(tmp_path: Path) -> CaseFolder:
    """Make a case: ``case_folder(name, requests, configured=True, edit=function on the bootstrap)``."""

    def make(
        name: str = "case",
        requests: list[dict[str, Any]] | None = None,
        *,
        configured: bool = True,
        edit: Callable[[dict[str, Any]], object] = lambda tree: None,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        tree = _bootstrap()
        edit(tree)
        (folder / "envoy.yaml").write_text(json.dumps(tree, indent=1))
        (folder / "guest.wasm").write_bytes(wasmtime.wat2wasm(GUEST.replace("CONFIGURED", str(int(configured)))))
        (folder / "requests.json").write_text(json.dumps([{}] if requests is None else requests))
        return folder

    return make
