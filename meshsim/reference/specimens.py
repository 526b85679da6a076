"""Guests that do one thing many times, and the bootstrap that puts them into filter chains; for measuring costs."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import wasmtime

_EXTENSION = "type.googleapis.com/envoy.extensions.filters"
_MANAGER = f"{_EXTENSION}.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = f"{_EXTENSION}.http.router.v3.Router"
_WASM = f"{_EXTENSION}.http.wasm.v3.Wasm"

#: Callbacks of a request with a direct response, and what comes after their names: types, and an empty body.
CALLBACKS = {
    "context_create": "(param i32 i32)",
    "request_headers": "(param i32 i32 i32) (result i32) (i32.const 0)",
    "response_headers": "(param i32 i32 i32) (result i32) (i32.const 0)",
    "response_body": "(param i32 i32 i32) (result i32) (i32.const 0)",
    "done": "(param i32) (result i32) (i32.const 1)",
    "log": "(param i32)",
    "delete": "(param i32)",
}

_HEADER_CALL = "(call $host (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 22) (i32.const 4))"
#: Host calls: what a guest imports, with its type, and how it calls it. ``get`` asks for a header that is
#: not there, and ``log`` writes below any level that Envoy keeps.
HOST_CALLS = {
    "add": ("proxy_add_header_map_value", "i32 i32 i32 i32 i32", _HEADER_CALL),
    "get": ("proxy_get_header_map_value", "i32 i32 i32 i32 i32", _HEADER_CALL),
    "log": ("proxy_log", "i32 i32 i32", "(call $host (i32.const 0) (i32.const 16) (i32.const 6))"),
    "clock": ("proxy_get_current_time_nanoseconds", "i32", "(call $host (i32.const 512))"),
}

#: Guest code, a round: a chain of dependent operators, loads and stores, calls and branches.
CODE = {
    "hash": """(local.set $h (i32.mul (i32.xor (local.get $h)
        (i32.load8_u offset=4096 (i32.and (local.get $n) (i32.const 4095)))) (i32.const 16777619)))""",
    "copy": """(i32.store8 offset=8192 (i32.and (local.get $n) (i32.const 4095))
        (i32.load8_u offset=4096 (i32.and (local.get $n) (i32.const 4095))))""",
    "calls": "(local.set $h (i32.add (local.get $h) (call $fibonacci (i32.const 8))))",
}
_FIBONACCI = """(func $fibonacci (param $k i32) (result i32)
  (if (result i32) (i32.lt_u (local.get $k) (i32.const 2)) (then (local.get $k))
    (else (i32.add (call $fibonacci (i32.sub (local.get $k) (i32.const 1)))
                   (call $fibonacci (i32.sub (local.get $k) (i32.const 2)))))))"""


def empty(callbacks: Sequence[str], seed: int = 0) -> bytes:
    """A guest whose callbacks do nothing; Envoy does not enter it for those that it does not export.

    Another ``seed`` makes another module of it, which gets a VM of its own.

    Examples
    --------
    >>> len(empty(["done"])) < len(empty(["done", "log"]))
    True
    """
    functions = "".join(f'(func (export "proxy_on_{name}") {CALLBACKS[name]})' for name in callbacks)
    return _module(f"{functions} (global i32 (i32.const {seed}))")


def calling(host_call: str, times: int) -> bytes:
    """A guest that makes a host call a number of times for each request."""
    name, parameters, call = HOST_CALLS[host_call]
    imported = f'(import "env" "{name}" (func $host (param {parameters}) (result i32)))'
    return _module(_on_request(f"(drop {call})", times), imported)


def running(code: str, rounds: int) -> bytes:
    """A guest that runs code of its own for each request, and calls nobody."""
    return _module((_FIBONACCI if code == "calls" else "") + _on_request(CODE[code], rounds))


def padded(size: int, seed: int) -> bytes:
    """A guest of some ``size`` bytes of arithmetic that is compiled and never run; no two seeds give the same code.

    V8 would compile the same code only once. The constants have ten digits so that they take five bytes, and a table
    holds all functions so that they count as used.
    """
    draw = random.Random(seed).randrange
    step = "(i32.const {}) (i32.mul) (i32.const {}) (i32.xor)"
    names = [f"$f{index}" for index in range(size // 567)]
    functions = [
        f"(func {name} (param i32) (result i32) (local.get 0) "
        + " ".join(step.format(draw(1 << 28, 1 << 31), draw(1 << 28, 1 << 31)) for _ in range(40))
        + ")"
        for name in names
    ]
    table = f"(table {len(names)} funcref) (elem (i32.const 0) func {' '.join(names)})"
    configure = '(func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))'
    created = f'(func (export "proxy_on_context_create") {CALLBACKS["context_create"]})'
    return _module(f"{''.join(functions)} {table} {created} {configure} (global i32 (i32.const {seed}))")


def bootstrap(chains: Mapping[str, Sequence[Path]]) -> dict[str, Any]:
    """One listener a chain, on a free port, that answers by itself; its filters run the modules of these files."""
    anywhere = {"socket_address": {"address": "127.0.0.1", "port_value": 0}}
    listeners = [_listener(name, anywhere, paths) for name, paths in chains.items()]
    return {"admin": {"address": anywhere}, "static_resources": {"listeners": listeners}}


def _module(body: str, imported: str = "") -> bytes:
    return bytes(
        wasmtime.wat2wasm(f"""(module {imported} (memory (export "memory") 1) (data (i32.const 16) "x-costwasm")
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 1024)) {body})""")
    )


def _on_request(step: str, times: int) -> str:
    return f"""(func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (local $n i32) (local $h i32)
      (local.set $n (i32.const {times}))
      (loop $again {step}
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      (i32.store (i32.const 512) (local.get $h)) (i32.const 0))"""


def _listener(name: str, address: Mapping[str, Any], paths: Sequence[Path]) -> dict[str, Any]:
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "ok"}}}
    manager = {
        "@type": _MANAGER,
        "stat_prefix": name,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [
            *(_filter(f"{name}_{index}", path) for index, path in enumerate(paths)),
            {"name": "envoy.filters.http.router", "typed_config": {"@type": _ROUTER}},
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    return {"name": name, "address": address, "filter_chains": [chain]}


def _filter(name: str, path: Path) -> dict[str, Any]:
    vm = {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": str(path)}}}
    return {"name": name, "typed_config": {"@type": _WASM, "config": {"name": name, "root_id": name, "vm_config": vm}}}
