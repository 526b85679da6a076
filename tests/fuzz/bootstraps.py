"""The bootstrap of a batch: a listener for each seed, and what all of them share, as plain dicts.

Routes lead to ``back``, a listener of the same Envoy that answers by itself and has no guest, so that an answer which
no guest waits for leaves no line in the trace. Such callouts go there as ``side``, so that which connections are idle
when a route wants one does not depend on them. Nobody listens at ``refused``; ``grpc`` answers gRPC streams.
There is no cluster without endpoints: to resolve a name after a callout that failed at once has the real Envoy spin.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Any

Json = dict[str, Any]

BACK, SIDE, GRPC, FRAMER = "back", "side", "grpc", "framer"
_FIRST_PORT, _BACK_PORT, _GRPC_PORT, _ADMIN_PORT, _NOBODY = 20000, 10001, 10002, 9901, 1
_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_HTTP2 = {"explicit_http_config": {"http2_protocol_options": {}}}
_ROUTES = (
    {"match": {"prefix": "/direct"}, "direct_response": {"status": 200, "body": {"inline_string": "hello direct"}}},
    {"match": {"prefix": "/back"}, "route": {"cluster": BACK}},
    {"match": {"path": "/p"}, "redirect": {"path_redirect": "/q"}},
)
_BACK_ROUTES = (
    {"match": {"prefix": "/back/e"}, "direct_response": {"status": 204}},
    {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "from the back"}}},
)
#: How long a stream that nobody resumes stays, and a connection that Envoy is about to close, in seconds.
IDLE_S, CLOSE_S = 0.25, 0.02


def http_chain(random: Random, names: Sequence[str], *, framed: bool) -> list[Json]:
    """HTTP filters of the guests of these names."""
    middle = [wasm_filter(name, **_options(random)) for name in names]
    ends = [wasm_filter(FRAMER)] if framed else []
    return [*ends, *middle, *ends, _router()]


def _options(random: Random) -> Json:
    options: Json = {}
    if random.random() < 0.3:
        options["allow_on_headers_stop_iteration"] = random.choice([True, False])
    if random.random() < 0.3:
        options["failure_policy"] = random.choice(["FAIL_OPEN", "FAIL_CLOSED", "FAIL_RELOAD"])
    return options


def wasm_filter(name: str, kind: str = "http", **options: object) -> Json:
    """A filter with the guest ``NAME.wasm`` in a VM of its own."""
    vm = {
        "vm_id": name,
        "runtime": "envoy.wasm.runtime.v8",
        "code": {"local": {"filename": f"{name}.wasm"}},
        "environment_variables": {"key_values": {"A": "b"}},
    }
    config = {"name": name, "root_id": name, "configuration": _text(f"c-{name}"), "vm_config": vm, **options}
    return _typed(name, f"filters.{kind}.wasm.v3.Wasm", config=config)


def http_listener(number: int, name: str, chain: Sequence[Json], *, trailers: bool = False) -> Json:
    """A listener with a connection manager and the routes that all have."""
    return _listener(name, _FIRST_PORT + number, [_manager(name, _ROUTES, chain, trailers=trailers)])


def tcp_listener(number: int, name: str) -> Json:
    """A listener with a guest as network filter before a TCP proxy to ``back``."""
    proxy = _typed("tcp", "filters.network.tcp_proxy.v3.TcpProxy", stat_prefix=name, cluster=BACK)
    return _listener(name, _FIRST_PORT + number, [wasm_filter(name, "network"), proxy])


def bootstrap(listeners: Iterable[Json]) -> Json:
    """The whole, with the listeners and clusters that all share."""
    server = [wasm_filter(GRPC, allow_on_headers_stop_iteration=True), _router()]
    shared = [
        _listener(BACK, _BACK_PORT, [_manager(BACK, _BACK_ROUTES, [_router()])]),
        _listener(GRPC, _GRPC_PORT, [_manager(GRPC, [{"match": {"prefix": "/"}, "route": {"cluster": BACK}}], server)]),
    ]
    clusters = [
        _cluster(BACK, _BACK_PORT),
        _cluster(SIDE, _BACK_PORT),
        _cluster(GRPC, _GRPC_PORT, _HTTP2),
        _cluster("refused", _NOBODY),
    ]
    return {"admin": _at(_ADMIN_PORT), "static_resources": {"listeners": [*listeners, *shared], "clusters": clusters}}


def _manager(name: str, routes: Sequence[Json], chain: Sequence[Json], *, trailers: bool = False) -> Json:
    hosts = [{"name": name, "domains": ["*"], "routes": list(routes)}]
    manager = _typed(
        "envoy.filters.network.http_connection_manager",
        "filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        stream_idle_timeout=f"{IDLE_S}s",
        delayed_close_timeout=f"{CLOSE_S}s",
        route_config={"name": name, "virtual_hosts": hosts},
        http_filters=list(chain),
    )
    if trailers:
        manager["typed_config"]["http_protocol_options"] = {"enable_trailers": True}
    return manager


def _router() -> Json:
    return _typed("envoy.filters.http.router", "filters.http.router.v3.Router", suppress_envoy_headers=True)


def _listener(name: str, port: int, filters: Sequence[Json]) -> Json:
    return {"name": name, **_at(port), "filter_chains": [{"filters": list(filters)}]}


def _cluster(name: str, port: int, options: Json | None = None) -> Json:
    endpoints = [{"lb_endpoints": [{"endpoint": _at(port)}]}]
    cluster: Json = {"name": name, "type": "STATIC"}
    if options:
        kind = "upstreams.http.v3.HttpProtocolOptions"
        typed = {"@type": f"{_EXTENSIONS}.{kind}", **options}
        cluster["typed_extension_protocol_options"] = {f"envoy.extensions.{kind}": typed}
    return cluster | {"load_assignment": {"cluster_name": name, "endpoints": endpoints}}


def _typed(name: str, kind: str, **fields: object) -> Json:
    return {"name": name, "typed_config": {"@type": f"{_EXTENSIONS}.{kind}", **fields}}


def _text(value: str) -> Json:
    return {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": value}


def _at(port: int) -> Json:
    return {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
