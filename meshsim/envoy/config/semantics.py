"""What Envoy refuses when it puts the parts of a configuration together, in the order in which it comes to it.

Theory of operation: the order is that of Envoy 1.40's start: runtime, clusters, then listener by listener, filter chain by
filter chain, filter by filter; in a connection manager the constraints of the message, its own options, routes, access
logs, HTTP filters. It matters, because a Wasm plugin is created when its filter is come to, and runs even if what comes
after it is refused: each refusal says how many plugins there were before.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace

from meshsim.envoy.config.constraints import violations
from meshsim.envoy.config.operators import json_format_errors
from meshsim.envoy.config.parsed import ParsedAny, ParsedMessage, Problem
from meshsim.envoy.config.route_semantics import RouteJudge, format_problems, problem, source_problems
from meshsim.envoy.config.schema import Schema
from meshsim.envoy.config.sources import Sources

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_WASM = "envoy.extensions.filters.http.wasm.v3.Wasm"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_HTTP_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_DURATION = "google.protobuf.Duration"
_NULL_RUNTIME = "envoy.wasm.runtime.null"

_FACTORIES: Mapping[str, str] = {
    "envoy.config.listener.v3.Filter": "envoy.extensions.filters.network.",
    "envoy.config.listener.v3.ListenerFilter": "envoy.extensions.filters.listener.",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": "envoy.extensions.filters.http.",
    "envoy.config.accesslog.v3.AccessLog": "envoy.extensions.access_loggers.",
}
"""Packages whose messages configure an extension of a kind."""

_TERMINAL = frozenset(
    {
        _HCM,
        _ROUTER,
        "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "envoy.extensions.filters.network.echo.v3.Echo",
        "envoy.extensions.filters.network.direct_response.v3.Config",
        "envoy.extensions.filters.network.redis_proxy.v3.RedisProxy",
        "envoy.extensions.filters.network.thrift_proxy.v3.ThriftProxy",
    }
)
_FILTER_NAMES: Mapping[str, str] = {
    _HCM: "envoy.filters.network.http_connection_manager",
    _ROUTER: "envoy.filters.http.router",
    _WASM: "envoy.filters.http.wasm",
}


def refusals(root: ParsedMessage, schema: Schema, sources: Sources) -> Iterator[Problem]:
    """Yield what Envoy refuses in a configuration whose constraints hold, the first first."""
    yield from _Walk(root, schema, sources).bootstrap()


def _duration_problems(message: ParsedMessage) -> Iterator[Problem]:
    """Yield negative durations of a message and the messages in it; what is in an ``Any`` has its own turn."""
    for name, value in message.values.items():
        if message.schema.fields[name].type.target == _DURATION and isinstance(value, int) and value < 0:
            yield problem("Invalid duration: Expected positive duration", message.place_of(name))
        for child in message.messages(name):
            if isinstance(child, ParsedMessage):
                yield from _duration_problems(child)


class _Walk:
    def __init__(self, root: ParsedMessage, schema: Schema, sources: Sources) -> None:
        self._root = root
        self._schema = schema
        self._sources = sources
        self._plugins = 0
        static = root.messages("static_resources")
        self._listeners = [listener for resources in static for listener in resources.messages("listeners")]
        self._clusters = [cluster for resources in static for cluster in resources.messages("clusters")]
        names = frozenset(cluster.get("name", "") for cluster in self._clusters)
        self._routes = RouteJudge(names, sources)
        self._addresses: dict[tuple[str, int], str] = {}

    def bootstrap(self) -> Iterator[Problem]:
        for runtime in self._root.messages("layered_runtime"):
            yield from _repeated_names(runtime.messages("layers"), "Duplicate layer name: {}")
        known: set[str] = set()
        for cluster in self._clusters:
            yield from self._cluster(cluster, known)
        for manager in self._root.messages("cluster_manager"):
            local = manager.get("local_cluster_name", "")
            if local and local not in known:
                place = manager.place_of("local_cluster_name")
                yield problem(f"local cluster '{local}' must be defined", place)
        for listener in self._listeners:
            for found in self._listener(listener):
                yield replace(found, after_plugins=self._plugins)

    # --- clusters ----------------------------------------------------------------------------------------------------

    def _cluster(self, cluster: ParsedMessage, known: set[str]) -> Iterator[Problem]:
        name, kind = cluster.get("name", ""), cluster.get("type", "STATIC")
        for key, packed in cluster.get("typed_extension_protocol_options", {}).items():
            if isinstance(packed, ParsedAny) and isinstance(packed.value, ParsedMessage):
                if packed.message == _HTTP_OPTIONS != key:
                    words = (
                        "Didn't find a registered network or http filter or protocol options implementation "
                        f"for name: '{key}'"
                    )
                    yield problem(words, packed.place)
                yield from violations(packed.value, self._schema)
        yield from _duration_problems(cluster)
        if "http_protocol_options" in cluster.values and "http2_protocol_options" in cluster.values:
            words = "cluster: Both HTTP1 and HTTP2 options may only be configured with non-default 'protocol_selection' values"
            yield problem(words, cluster.place_of("http2_protocol_options"))
        if kind == "EDS" and "eds_cluster_config" not in cluster.values:
            yield problem("cannot create an EDS cluster without an EDS config", cluster.place_of("type"))
        localities = [group for load in cluster.messages("load_assignment") for group in load.messages("endpoints")]
        endpoints = [endpoint for group in localities for endpoint in group.messages("lb_endpoints")]
        if kind == "LOGICAL_DNS" and not len(localities) == len(endpoints) == 1:
            words = "LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint"
            yield problem(words, cluster.place)
        if kind == "STATIC":
            for endpoint in endpoints:
                yield from _static_endpoint(endpoint)
        if cluster.get("lb_policy") == "CLUSTER_PROVIDED" and kind != "ORIGINAL_DST":
            words = (
                f"cluster manager: cluster provided LB specified but cluster '{name}' did not provide one. "
                "Check cluster documentation."
            )
            yield problem(words, cluster.place_of("lb_policy"))
        if name in known:
            yield problem(f"cluster manager: duplicate cluster '{name}'", cluster.place_of("name"))
        known.add(name)

    # --- listeners ---------------------------------------------------------------------------------------------------

    def _listener(self, listener: ParsedMessage) -> Iterator[Problem]:
        name = listener.get("name", "")
        if "address" not in listener.values:
            yield problem(f"error adding listener named '{name}': address is necessary", listener.place)
            return
        sockets = [address for outer in listener.messages("address") for address in outer.messages("socket_address")]
        yield from _ip_problems(sockets)
        text = _address_text(sockets)
        chains = listener.messages("filter_chains")
        if not chains:
            yield problem(f"error adding listener '{text}': no filter chains specified", listener.place)
        yield from self._access_logs(listener)
        yield from self._unregistered(listener.messages("listener_filters"))
        first: ParsedMessage | None = None
        for chain in chains:
            if first is not None and not _conditions(first) and not _conditions(chain):
                words = (
                    f"error adding listener '{text}': filter chain '{chain.get('name', '')}' has the same matching "
                    f"rules defined as '{first.get('name', '')}'. duplicate matcher is: {{}}"
                )
                yield problem(words, chain.place)
            first = first or chain
            yield from self._chain(chain)
        yield from self._taken_address(listener, sockets, text)

    def _taken_address(self, listener: ParsedMessage, sockets: list[ParsedMessage], text: str) -> Iterator[Problem]:
        name = listener.get("name", "")
        for socket in sockets:
            at = (socket.get("address", ""), socket.get("port_value", 0))
            if at[1] and self._addresses.get(at, name) != name:
                words = (
                    f"error adding listener: '{name}' has duplicate address '{text}' as existing listener, to check if "
                    "the listener has duplicated addresses with other listeners or 'enable_reuse_port' is set to 'false' "
                    "for the listener"
                )
                yield problem(words, listener.place_of("address"))
            self._addresses[at] = name

    def _chain(self, chain: ParsedMessage) -> Iterator[Problem]:
        filters = chain.messages("filters")
        for number, network_filter in enumerate(filters):
            packed = network_filter.packed("typed_config")
            yield from self._unregistered([network_filter])
            # Other than in an HTTP filter chain, the order is checked before the filter is made.
            yield from _terminal_problems(network_filter, "network", is_last=number == len(filters) - 1)
            if packed.message == _HCM and isinstance(packed.value, ParsedMessage):
                yield from self._connection_manager(packed.value)

    # --- connection managers -----------------------------------------------------------------------------------------

    def _connection_manager(self, manager: ParsedMessage) -> Iterator[Problem]:
        yield from violations(manager, self._schema)
        yield from _duration_problems(manager)
        if manager.get("strip_matching_host_port") and manager.get("strip_any_host_port"):
            words = "Error: Only one of `strip_matching_host_port` or `strip_any_host_port` can be set."
            yield problem(words, manager.place_of("strip_any_host_port"))
        for reply in manager.messages("local_reply_config"):
            for format_ in reply.messages("body_format"):
                yield from format_problems(format_)
        for routes in manager.messages("route_config"):
            yield from self._routes.refusals(routes)
        yield from self._access_logs(manager)
        filters = manager.messages("http_filters")
        for number, http_filter in enumerate(filters):
            yield from self._http_filter(http_filter, is_last=number == len(filters) - 1)
        yield from _upgrade_problems(manager)

    def _http_filter(self, http_filter: ParsedMessage, *, is_last: bool) -> Iterator[Problem]:
        if http_filter.get("is_optional") and not self._is_registered(http_filter):
            return
        yield from self._unregistered([http_filter])
        packed = http_filter.packed("typed_config")
        if isinstance(packed.value, ParsedMessage):
            yield from violations(packed.value, self._schema)
            yield from _duration_problems(packed.value)
            if packed.message == _WASM:
                for plugin in packed.value.messages("config"):
                    yield from self._plugin(plugin)
                self._plugins += 1
        yield from _terminal_problems(http_filter, "http", is_last=is_last)
        if is_last and http_filter.get("disabled"):
            name = http_filter.get("name", "")
            words = f"Error: the last (terminal) filter ({name}) in the chain cannot be disabled by default."
            yield problem(words, http_filter.place_of("disabled"))

    def _plugin(self, plugin: ParsedMessage) -> Iterator[Problem]:
        policy = plugin.get("failure_policy", "UNSPECIFIED")
        if plugin.get("fail_open") and policy != "UNSPECIFIED":
            words = "only one of fail_open or failure_policy can be set"
            yield problem(words, plugin.place_of("failure_policy"))
        if isinstance(policy, int):
            yield problem("unknown failure policy", plugin.place_of("failure_policy"))
        for vm in plugin.messages("vm_config"):
            yield from _environment_problems(vm, plugin.get("name", ""))
            for code in vm.messages("code"):
                for source in code.messages("local"):
                    yield from source_problems(source, self._sources, "Invalid path: {}")

    def _access_logs(self, message: ParsedMessage) -> Iterator[Problem]:
        for log in message.messages("access_log"):
            yield from self._unregistered([log])
            packed = log.packed("typed_config").value
            if isinstance(packed, ParsedMessage):
                yield from violations(packed, self._schema)
                for format_ in packed.messages("log_format"):
                    yield from format_problems(format_)
                for says in json_format_errors([packed.get(name) for name in ("format", "json_format")]):
                    yield problem(says, packed.place)

    # --- extensions --------------------------------------------------------------------------------------------------

    def _is_registered(self, extension: ParsedMessage) -> bool:
        packed = extension.packed("typed_config")
        return packed.message.startswith(_FACTORIES[extension.schema.name]) and "config_discovery" not in extension.values

    def _unregistered(self, extensions: list[ParsedMessage]) -> Iterator[Problem]:
        for extension in extensions:
            if "config_discovery" not in extension.values and not self._is_registered(extension):
                packed = extension.packed("typed_config")
                name = extension.get("name", "")
                words = f"Didn't find a registered implementation for '{name}' with type URL: '{packed.message}'"
                yield problem(words, packed.place)


def _repeated_names(messages: list[ParsedMessage], words: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for message in messages:
        name = message.get("name", "")
        if name in seen:
            yield problem(words.format(name), message.place_of("name"))
        seen.add(name)


def _terminal_problems(extension: ParsedMessage, chain: str, *, is_last: bool) -> Iterator[Problem]:
    message = extension.packed("typed_config").message
    name, kind = extension.get("name", ""), _FILTER_NAMES.get(message)
    if kind is None:
        return
    if message in _TERMINAL and not is_last:
        words = f"Error: terminal filter named {name} of type {kind} must be the last filter in a {chain} filter chain."
        yield problem(words, extension.place)
    if message not in _TERMINAL and is_last:
        words = f"Error: non-terminal filter named {name} of type {kind} is the last filter in a {chain} filter chain."
        yield problem(words, extension.place)


def _upgrade_problems(manager: ParsedMessage) -> Iterator[Problem]:
    seen: set[str] = set()
    for upgrade in manager.messages("upgrade_configs"):
        kind = upgrade.get("upgrade_type", "")
        if kind.lower() in seen:
            words = f"Error: multiple upgrade configs with the same name: '{kind}'"
            yield problem(words, upgrade.place_of("upgrade_type"))
        seen.add(kind.lower())


def _environment_problems(vm: ParsedMessage, plugin: str) -> Iterator[Problem]:
    for variables in vm.messages("environment_variables"):
        pairs = variables.get("key_values", {})
        if pairs and vm.get("runtime") == _NULL_RUNTIME:
            words = "envoy.extensions.wasm.v3.VmConfig.EnvironmentVariables.key_values must not be set for NullVm."
            yield problem(words, variables.place_of("key_values"))
        seen: set[str] = set()
        for key in (*variables.get("host_env_keys", []), *pairs):
            if key in seen:
                words = (
                    f"Key {key} is duplicated in envoy.extensions.wasm.v3.VmConfig.environment_variables for {plugin}. "
                    "All the keys must be unique."
                )
                yield problem(words, variables.place)
            seen.add(key)


def _conditions(chain: ParsedMessage) -> bool:
    return any(match.values for match in chain.messages("filter_chain_match"))


def _static_endpoint(endpoint: ParsedMessage) -> Iterator[Problem]:
    advice = "Consider setting resolver_name or setting cluster type to 'STRICT_DNS' or 'LOGICAL_DNS'"
    addresses = [address for inner in endpoint.messages("endpoint") for address in inner.messages("address")]
    if not addresses:
        yield problem(f"Address must be set. {advice}", endpoint.place)
    sockets = [socket for address in addresses for socket in address.messages("socket_address")]
    for found in _ip_problems(sockets):
        yield problem(f"{found.envoy_says}. {advice}", found.place)


def _ip_problems(sockets: list[ParsedMessage]) -> Iterator[Problem]:
    for socket in sockets:
        address = socket.get("address", "")
        if not socket.get("resolver_name") and not _is_ip(address):
            yield problem(f"malformed IP address: {address}", socket.place_of("address"))


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _address_text(sockets: list[ParsedMessage]) -> str:
    if not sockets:
        return ""
    address, port = sockets[0].get("address", ""), sockets[0].get("port_value", 0)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
