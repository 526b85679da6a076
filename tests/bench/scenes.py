"""What the simulated and the real Envoy both run: two bootstraps, byte for byte the same for either.

``direct`` is a Wasm filter with a ``direct_response`` right behind it. In ``two-hops`` the request goes on, through the
router, to a second listener of the same Envoy; the module there answers by what the first one has added.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wasmtime

import meshsim as ms

REPOSITORY = Path(__file__).resolve().parents[2]
HELLO = REPOSITORY / "modules" / "hello" / "hello-wat.wasm"
AUTHORIZATION = ("authorization", "Basic bWVzaHNpbQ==")
REQUEST = ms.Request(None, "GET", "/", "example.com", (AUTHORIZATION,))

_EXTENSION = "type.googleapis.com/envoy.extensions.filters"
_MANAGER = f"{_EXTENSION}.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_EXTENSION}.http.router.v3.Router"
_WASM = f"{_EXTENSION}.http.wasm.v3.Wasm"

SECOND_HOP = """
;; Lets a request pass that the first hop's module has marked with `x-wasm`, and sends the mark back as `x-seen`;
;; answers 400 to any other.
(module
  (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))

  ;; 0 and 4: address and size of what the host gave last; 1024 and on: room for it. 32768 and on: a slot of 16 bytes
  ;; for each of the last 2048 streams, the size of its mark and then the mark, as no request header can be read any
  ;; more when the response comes.
  (memory (export "memory") 1)
  (data (i32.const 16) "x-wasm")
  (data (i32.const 32) "x-seen")
  (data (i32.const 48) "not marked")
  (global $free (mut i32) (i32.const 1024))
  (func $slot (param $stream i32) (result i32)
    (i32.add (i32.const 32768) (i32.shl (i32.and (local.get $stream) (i32.const 2047)) (i32.const 4))))

  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32)
    (global.get $free)
    (global.set $free (i32.add (global.get $free) (local.get $size))))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_context_create") (param i32 i32))

  (func (export "proxy_on_request_headers") (param $stream i32) (param i32 i32) (result i32)
    (local $slot i32)
    (local.set $slot (call $slot (local.get $stream)))
    (global.set $free (i32.const 1024))
    (if (i32.or (call $get (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 0) (i32.const 4))
                (i32.gt_u (i32.load (i32.const 4)) (i32.const 12)))
      (then
        (i32.store (local.get $slot) (i32.const 0))
        (drop (call $reply (i32.const 400) (i32.const 0) (i32.const 0) (i32.const 48) (i32.const 10)
                           (i32.const 0) (i32.const 0) (i32.const -1)))
        (return (i32.const 1))))
    (i32.store (local.get $slot) (i32.load (i32.const 4)))
    (memory.copy (i32.add (local.get $slot) (i32.const 4)) (i32.load (i32.const 0)) (i32.load (i32.const 4)))
    (i32.const 0))

  (func (export "proxy_on_response_headers") (param $stream i32) (param i32 i32) (result i32)
    (local $slot i32)
    (local.set $slot (call $slot (local.get $stream)))
    (if (i32.load (local.get $slot))
      (then (drop (call $add (i32.const 2) (i32.const 32) (i32.const 6)
                             (i32.add (local.get $slot) (i32.const 4)) (i32.load (local.get $slot))))))
    (i32.const 0))

  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_delete") (param i32)))
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """A bootstrap in a file, and what a request gets from it.

    Attributes
    ----------
    port : int
        Of the first listener, on the loopback interface.
    hops : int
        How many streams a request makes.
    answer : tuple
        The headers that have to be in every response, beside status 200.
    """

    name: str
    path: Path
    port: int
    hops: int
    answer: tuple[tuple[str, str], ...]


def direct(folder: Path, free_port: Callable[[], int]) -> Scene:
    """Write the bootstrap of one hop."""
    port = free_port()
    listeners = [_listener("ingress", port, [_filter("hello", HELLO)], _reply("hello"))]
    return _scene(folder, "direct", port, listeners, [], answer=(("content-length", "5"),))


def two_hops(folder: Path, free_port: Callable[[], int]) -> Scene:
    """Write the bootstrap of two hops, and the module of the second."""
    port, second_port = free_port(), free_port()
    module = folder / "second-hop.wasm"
    module.write_bytes(bytes(wasmtime.wat2wasm(SECOND_HOP)))
    listeners = [
        _listener("ingress", port, [_filter("hello", HELLO)], {"route": {"cluster": "second"}}),
        _listener("second", second_port, [_filter("second", module)], _reply("hello")),
    ]
    endpoint = {"endpoint": {"address": _address(second_port)}}
    cluster = {
        "name": "second",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "second", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return _scene(folder, "two-hops", port, listeners, [cluster], answer=(("x-seen", "wat"),))


SCENES: dict[str, Callable[[Path, Callable[[], int]], Scene]] = {"direct": direct, "two-hops": two_hops}


def sidecar() -> str:
    """Give the bootstrap of a sidecar with two plugins, each in a VM of its own."""
    filters = [_filter(name, HELLO, vm_id=name) for name in ("first", "second")]
    return json.dumps(_bootstrap([_listener("inbound", 15006, filters, _reply("hello"))], []), indent=1)


def _scene(
    folder: Path,
    name: str,
    port: int,
    listeners: Sequence[dict[str, Any]],
    clusters: Sequence[dict[str, Any]],
    *,
    answer: tuple[tuple[str, str], ...],
) -> Scene:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(_bootstrap(listeners, clusters), indent=1), encoding="utf-8")
    return Scene(name, path, port, len(listeners), answer)


def _bootstrap(listeners: Sequence[dict[str, Any]], clusters: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"admin": {"address": _address(0)}, "static_resources": {"listeners": listeners, "clusters": clusters}}


def _address(port: int) -> dict[str, Any]:
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def _reply(body: str) -> dict[str, Any]:
    return {"direct_response": {"status": 200, "body": {"inline_string": body}}}


def _listener(name: str, port: int, filters: Sequence[dict[str, Any]], then: dict[str, Any]) -> dict[str, Any]:
    routes = [{"match": {"prefix": "/"}, **then}]
    manager = {
        "@type": _MANAGER,
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
        "http_filters": [*filters, {"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}}],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": _address(port), "filter_chains": [chain]}


def _filter(name: str, module: Path, vm_id: str = "") -> dict[str, Any]:
    vm = {"vm_id": vm_id, "runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(module)}}}
    return {"name": name, "typed_config": {"@type": _WASM, "config": {"name": name, "root_id": name, "vm_config": vm}}}
