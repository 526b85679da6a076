"""Random bootstraps and requests, as plain dicts.

The listener ``front`` has a chain of guests and routes to ``back``, a listener of the same Envoy that answers by
itself and has a guest at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

Json = dict[str, Any]

_FRONT_PORT, _BACK_PORT, _ADMIN_PORT = 10000, 10001, 9901
_EXTENSIONS = "type.googleapis.com/envoy.extensions.filters"
_FRONT_ROUTES = (
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": {"inline_string": "hello direct"}}},
    {"match": {"prefix": "/back"}, "route": {"cluster": "back"}},
    {"match": {"path": "/p"}, "redirect": {"path_redirect": "/q"}},
)
_BACK_ROUTES = (
    {"match": {"prefix": "/back/e"}, "direct_response": {"status": 204}},
    {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "from the back"}}},
)
_PATHS = ("/direct", "/back/x", "/back/x?q=1", "/back/e", "/none", "/p")


def random_bootstrap(random: Random, front: Sequence[str], back: Sequence[str]) -> Json:
    """A bootstrap whose listeners have chains of the guests of these names; ``NAME.wasm`` lies beside it."""
    router = _typed("envoy.filters.http.router", "http.router.v3.Router")
    if random.random() < 0.5:
        router["typed_config"]["suppress_envoy_headers"] = True
    chains = [[*(_wasm_filter(random, name) for name in names), router] for names in (front, back)]
    listeners = [
        _listener("front", _FRONT_PORT, _manager(random, "front", _FRONT_ROUTES, chains[0])),
        _listener("back", _BACK_PORT, _manager(random, "back", _BACK_ROUTES, chains[1])),
    ]
    return {"admin": _at(_ADMIN_PORT), "static_resources": {"listeners": listeners, "clusters": [_cluster("back")]}}


def random_requests(random: Random) -> list[Json]:
    """A few requests to ``front``."""
    return [_request(random) for _ in range(random.randint(2, 4))]


def _request(random: Random) -> Json:
    request: Json = {"path": random.choice(_PATHS)}
    kind = random.choices(["GET", "body", "chunks", "HEAD"], [3, 3, 3, 1])[0]
    if kind == "body":
        request |= {"method": "POST", "body": random.choice(["", "abc", "0123456789"])}
    elif kind == "chunks":
        request |= {"method": "POST", "chunks": random.choice([["ab", "cd"], ["abc"], ["1", "2", "3"]])}
        if random.random() < 0.5:
            request["trailers"] = [["x-t", "1"], ["x-a", "2"]]
    elif kind == "HEAD":
        request["method"] = "HEAD"
    names = random.choices(["x-a", "x-b", "X-C", "cookie", "user-agent"], k=random.choice([0, 1, 1, 2, 3]))
    return request | {"headers": [[name, random.choice(["v", "w"])] for name in names]}


def _wasm_filter(random: Random, name: str) -> Json:
    code = {"local": {"filename": f"{name}.wasm"}}
    vm = {"vm_id": random.choice(["", name]), "runtime": "envoy.wasm.runtime.v8", "code": code}
    config: Json = {"name": name, "root_id": name, "vm_config": vm}
    if random.random() < 0.3:
        config["allow_on_headers_stop_iteration"] = random.choice([True, False])
    if random.random() < 0.3:
        config["failure_policy"] = random.choice(["FAIL_OPEN", "FAIL_CLOSED", "FAIL_RELOAD"])
    return _typed(name, "http.wasm.v3.Wasm", config=config)


def _manager(random: Random, name: str, routes: Sequence[Json], chain: Sequence[Json]) -> Json:
    hosts = [{"name": name, "domains": ["*"], "routes": list(routes)}]
    manager = _typed(
        "envoy.filters.network.http_connection_manager",
        "network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        route_config={"name": name, "virtual_hosts": hosts},
        http_filters=list(chain),
    )
    if random.random() < 0.5:
        manager["typed_config"]["http_protocol_options"] = {"enable_trailers": True}
    return manager


def _listener(name: str, port: int, network_filter: Json) -> Json:
    return {"name": name, **_at(port), "filter_chains": [{"filters": [network_filter]}]}


def _cluster(name: str) -> Json:
    endpoints = [{"lb_endpoints": [{"endpoint": _at(_BACK_PORT)}]}]
    return {"name": name, "type": "STATIC", "load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def _typed(name: str, kind: str, **fields: object) -> Json:
    return {"name": name, "typed_config": {"@type": f"{_EXTENSIONS}.{kind}", **fields}}


def _at(port: int) -> Json:
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
