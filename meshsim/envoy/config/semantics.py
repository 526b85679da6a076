"""What Envoy refuses when it puts the parts of a configuration together, in the order in which it comes to it.

Theory of operation: the order is that of Envoy 1.40's start: runtime, clusters, then listener by listener, filter
chain by filter chain, filter by filter; in a connection manager the constraints of the message, its own options,
routes, access logs, HTTP filters. It matters, because a Wasm plugin is created when its filter is come to, and runs
even if what comes after it is refused: each refusal says how many plugins there were before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from meshsim.envoy.config.cluster_semantics import cluster_refusals, ip_problems
from meshsim.envoy.config.constraints import violations
from meshsim.envoy.config.metadata_semantics import HEADER_TO_METADATA, header_to_metadata_problems
from meshsim.envoy.config.operators import json_format_errors
from meshsim.envoy.config.parsed import ParsedMessage, Problem
from meshsim.envoy.config.route_semantics import (
    RouteJudge,
    format_problems,
    lua_problems,
    mutation_problems,
    rate_limit_problems,
    source_problems,
)
from meshsim.envoy.config.schema import Schema
from meshsim.envoy.config.sources import Sources
from meshsim.envoy.config.tracing_semantics import tracer_problems

_HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_TCP_PROXY = "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy"
_WASM = "envoy.extensions.filters.http.wasm.v3.Wasm"
_PLUGINS = frozenset(
    {
        _WASM,
        "envoy.extensions.filters.network.wasm.v3.Wasm",
        "envoy.extensions.access_loggers.wasm.v3.WasmAccessLog",
        "envoy.extensions.stat_sinks.wasm.v3.Wasm",
        "envoy.extensions.wasm.v3.WasmService",
    }
)
_LUA = "envoy.extensions.filters.http.lua.v3.Lua"
_HEADER_MUTATION = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
_RATE_LIMIT = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_ROUTER = "envoy.extensions.filters.http.router.v3.Router"
_NO_NODE = (
    "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig: node 'id' and 'cluster' are required. "
    "Set it either in 'node' config or via --service-node and --service-cluster options."
)
_NULL_RUNTIME = "envoy.wasm.runtime.null"

_FACTORIES: Mapping[str, str | tuple[str, ...]] = {
    "envoy.config.listener.v3.Filter": "envoy.extensions.filters.network.",
    "envoy.config.listener.v3.ListenerFilter": "envoy.extensions.filters.listener.",
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter": (
        "envoy.extensions.filters.http.",
        "envoy.extensions.common.matching.",
    ),
    "envoy.config.accesslog.v3.AccessLog": "envoy.extensions.access_loggers.",
    "envoy.config.metrics.v3.StatsSink": ("envoy.extensions.stat_sinks.", "envoy.config.metrics."),
}
"""Packages whose messages configure an extension of a kind."""

_TERMINAL = frozenset(
    {
        _HCM,
        _ROUTER,
        _TCP_PROXY,
        "envoy.extensions.filters.network.echo.v3.Echo",
        "envoy.extensions.filters.network.direct_response.v3.Config",
        "envoy.extensions.filters.network.redis_proxy.v3.RedisProxy",
        "envoy.extensions.filters.network.thrift_proxy.v3.ThriftProxy",
    }
)


def refusals(root: ParsedMessage, schema: Schema, sources: Sources) -> Iterator[Problem]:
    """Yield what Envoy refuses in a configuration whose constraints hold, the first first."""
    yield from _Walk(root, schema, sources).bootstrap()


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
        self._routes = RouteJudge(names, sources, schema)
        self._addresses: dict[tuple[str, int], str] = {}

    def bootstrap(self) -> Iterator[Problem]:
        for runtime in self._root.messages("layered_runtime"):
            yield from _repeated_names(runtime.messages("layers"), "Duplicate layer name: {}")
        known: set[str] = set()
        for cluster in self._clusters:
            yield from cluster_refusals(cluster, self._schema, known)
        for manager in self._root.messages("cluster_manager"):
            local = manager.get("local_cluster_name", "")
            if local and local not in known:
                place = manager.place_of("local_cluster_name")
                yield Problem.said(f"local cluster '{local}' must be defined", place)
        for listener in self._listeners:
            for found in self._listener(listener):
                yield replace(found, after_plugins=self._plugins)
        for found in self._beside_listeners():
            yield replace(found, after_plugins=self._plugins)

    def _beside_listeners(self) -> Iterator[Problem]:
        for sink in self._root.messages("stats_sinks"):
            yield from self._unregistered([sink])
            yield from self._wasm(sink)
        for extension in self._root.messages("bootstrap_extensions"):
            yield from self._wasm(extension)

    # --- listeners ---------------------------------------------------------------------------------------------------

    def _listener(self, listener: ParsedMessage) -> Iterator[Problem]:
        name = listener.get("name", "")
        if "address" not in listener.values:
            yield Problem.said(f"error adding listener named '{name}': address is necessary", listener.place)
            return
        sockets = [address for outer in listener.messages("address") for address in outer.messages("socket_address")]
        yield from ip_problems(sockets)
        text = _address_text(sockets)
        chains = listener.messages("filter_chains")
        if not chains:
            yield Problem.said(f"error adding listener '{text}': no filter chains specified", listener.place)
        yield from self._access_logs(listener)
        yield from self._unregistered(listener.messages("listener_filters"))
        first: ParsedMessage | None = None
        for chain in chains:
            if first is not None and not _conditions(first) and not _conditions(chain):
                words = (
                    f"error adding listener '{text}': filter chain '{chain.get('name', '')}' has the same matching "
                    f"rules defined as '{first.get('name', '')}'. duplicate matcher is: {{}}"
                )
                yield Problem.said(words, chain.place)
            first = first or chain
            yield from self._chain(chain)
        yield from self._taken_address(listener, sockets, text)

    def _taken_address(self, listener: ParsedMessage, sockets: list[ParsedMessage], text: str) -> Iterator[Problem]:
        name = listener.get("name", "")
        for socket in sockets:
            at = (socket.get("address", ""), socket.get("port_value", 0))
            if at[1] and self._addresses.get(at, name) != name:
                words = (
                    f"error adding listener: '{name}' has duplicate address '{text}' as existing listener, to check "
                    "if the listener has duplicated addresses with other listeners or 'enable_reuse_port' is set to "
                    "'false' for the listener"
                )
                yield Problem.said(words, listener.place_of("address"))
            self._addresses[at] = name

    def _chain(self, chain: ParsedMessage) -> Iterator[Problem]:
        filters = chain.messages("filters")
        for number, network_filter in enumerate(filters):
            packed = network_filter.packed("typed_config")
            yield from self._unregistered([network_filter])
            # Other than in an HTTP filter chain, the order is checked before the filter is made.
            yield from _terminal_problems(network_filter, "network", is_last=number == len(filters) - 1)
            yield from packed.problems
            if packed.message == _HCM and isinstance(packed.value, ParsedMessage):
                yield from self._connection_manager(packed.value)
            elif packed.message == _TCP_PROXY and isinstance(packed.value, ParsedMessage):
                yield from violations(packed.value, self._schema)
                yield from self._access_logs(packed.value)
            else:
                yield from self._wasm(network_filter)

    # --- connection managers -----------------------------------------------------------------------------------------

    def _connection_manager(self, manager: ParsedMessage) -> Iterator[Problem]:
        yield from violations(manager, self._schema)
        if manager.get("strip_matching_host_port") and manager.get("strip_any_host_port"):
            words = "Error: Only one of `strip_matching_host_port` or `strip_any_host_port` can be set."
            yield Problem.said(words, manager.place_of("strip_any_host_port"))
        for reply in manager.messages("local_reply_config"):
            for format_ in reply.messages("body_format"):
                yield from format_problems(format_)
        for routes in manager.messages("route_config"):
            yield from self._routes.refusals(routes)
        for tracing in manager.messages("tracing"):
            for provider in tracing.messages("provider"):
                yield from tracer_problems(provider, self._schema, self._routes.clusters)
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
        yield from packed.problems
        if isinstance(packed.value, ParsedMessage):
            yield from violations(packed.value, self._schema)
        yield from self._wasm(http_filter)
        if packed.message == _LUA and isinstance(packed.value, ParsedMessage):
            yield from lua_problems(packed.value, self._sources)
        if packed.message == _HEADER_MUTATION and isinstance(packed.value, ParsedMessage):
            yield from mutation_problems(packed.value)
        if packed.message == _RATE_LIMIT and isinstance(packed.value, ParsedMessage):
            yield from rate_limit_problems(packed.value, of_route=False)
        if packed.message == HEADER_TO_METADATA and isinstance(packed.value, ParsedMessage):
            yield from header_to_metadata_problems(packed.value, of_route=False)
        for source in http_filter.messages("config_discovery"):
            yield from self._discovery(source)
        yield from _terminal_problems(http_filter, "http", is_last=is_last)
        if is_last and http_filter.get("disabled"):
            name = http_filter.get("name", "")
            words = f"Error: the last (terminal) filter ({name}) in the chain cannot be disabled by default."
            yield Problem.said(words, http_filter.place_of("disabled"))

    def _discovery(self, source: ParsedMessage) -> Iterator[Problem]:
        """Yield what is wrong with a file that a filter is discovered in; what is in it does not matter."""
        configs = source.messages("config_source")
        for found in (path for config in configs for path in config.messages("path_config_source")):
            place, path = found.place_of("path"), found.get("path", "")
            node = self._root.messages("node")
            if not node or not (node[0].get("id") and node[0].get("cluster")):
                yield Problem.said(_NO_NODE, place)
            if path not in self._sources.files:
                words = f"paths must refer to an existing path in the system: '{path}' does not exist"
                yield Problem.said(words, place)
            if "/" not in path:
                yield Problem.said(f"invalid file path {path}", place)

    def _wasm(self, extension: ParsedMessage) -> Iterator[Problem]:
        """Yield what is wrong with an extension's plugin, if it has one, and count the plugin."""
        packed = extension.packed("typed_config")
        if packed.message in _PLUGINS and isinstance(packed.value, ParsedMessage):
            for plugin in packed.value.messages("config"):
                yield from self._plugin(plugin)
            self._plugins += 1

    def _plugin(self, plugin: ParsedMessage) -> Iterator[Problem]:
        policy = plugin.get("failure_policy", "UNSPECIFIED")
        if plugin.get("fail_open") and policy != "UNSPECIFIED":
            words = "only one of fail_open or failure_policy can be set"
            yield Problem.said(words, plugin.place_of("failure_policy"))
        if isinstance(policy, int):
            yield Problem.said("unknown failure policy", plugin.place_of("failure_policy"))
        for vm in plugin.messages("vm_config"):
            yield from _environment_problems(vm, plugin.get("name", ""))
            for code in vm.messages("code"):
                for source in code.messages("local"):
                    yield from source_problems(source, self._sources, "Invalid path: {}")
                if not vm.get("nack_on_code_cache_miss"):
                    for source in code.messages("remote"):
                        yield from _back_off_problems(source)

    def _access_logs(self, message: ParsedMessage) -> Iterator[Problem]:
        for log in message.messages("access_log"):
            yield from self._unregistered([log])
            packed = log.packed("typed_config").value
            if isinstance(packed, ParsedMessage):
                yield from violations(packed, self._schema)
                for format_ in packed.messages("log_format"):
                    yield from format_problems(format_)
                for says in json_format_errors([packed.get(name) for name in ("format", "json_format")]):
                    yield Problem.said(says, packed.place)
            yield from self._wasm(log)

    # --- extensions --------------------------------------------------------------------------------------------------

    def _is_registered(self, extension: ParsedMessage) -> bool:
        return extension.packed("typed_config").message.startswith(_FACTORIES[extension.schema.name])

    def _unregistered(self, extensions: list[ParsedMessage]) -> Iterator[Problem]:
        for extension in extensions:
            if "config_discovery" not in extension.values and not self._is_registered(extension):
                packed = extension.packed("typed_config")
                name = extension.get("name", "")
                words = f"Didn't find a registered implementation for '{name}' with type URL: '{packed.message}'"
                yield Problem.said(words, packed.place)


def _repeated_names(messages: list[ParsedMessage], words: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for message in messages:
        name = message.get("name", "")
        if name in seen:
            yield Problem.said(words.format(name), message.place_of("name"))
        seen.add(name)


def _terminal_problems(extension: ParsedMessage, chain: str, *, is_last: bool) -> Iterator[Problem]:
    message, name = extension.packed("typed_config").message, extension.get("name", "")
    # "envoy.extensions.filters.http.wasm.v3.Wasm" configures "envoy.filters.http.wasm".
    kind = message.replace("envoy.extensions.", "envoy.", 1).rpartition(".v3.")[0]
    if message in _TERMINAL and not is_last:
        words = f"Error: terminal filter named {name} of type {kind} must be the last filter in a {chain} filter chain."
        yield Problem.said(words, extension.place)
    if message not in _TERMINAL and is_last and chain == "http":
        words = f"Error: non-terminal filter named {name} of type {kind} is the last filter in a {chain} filter chain."
        yield Problem.said(words, extension.place)


def _upgrade_problems(manager: ParsedMessage) -> Iterator[Problem]:
    seen: set[str] = set()
    for upgrade in manager.messages("upgrade_configs"):
        kind = upgrade.get("upgrade_type", "")
        if kind.lower() in seen:
            words = f"Error: multiple upgrade configs with the same name: '{kind}'"
            yield Problem.said(words, upgrade.place_of("upgrade_type"))
        seen.add(kind.lower())


def _back_off_problems(source: ParsedMessage) -> Iterator[Problem]:
    """Yield what is wrong with the waits between the fetches of a plugin that waits for its code; Envoy counts ms."""
    policies = source.messages("retry_policy")
    for back_off in (found for policy in policies for found in policy.messages("retry_back_off")):
        base_ns = back_off.get("base_interval", 0)
        if back_off.get("max_interval", base_ns) // 1_000_000 < base_ns // 1_000_000:
            words = "max_interval must be greater than or equal to the base_interval"
            yield Problem.said(words, back_off.place_of("max_interval"))


def _environment_problems(vm: ParsedMessage, plugin: str) -> Iterator[Problem]:
    for variables in vm.messages("environment_variables"):
        pairs = variables.get("key_values", {})
        if pairs and vm.get("runtime") == _NULL_RUNTIME:
            words = "envoy.extensions.wasm.v3.VmConfig.EnvironmentVariables.key_values must not be set for NullVm."
            yield Problem.said(words, variables.place_of("key_values"))
        seen: set[str] = set()
        for key in (*variables.get("host_env_keys", []), *pairs):
            if key in seen:
                words = (
                    f"Key {key} is duplicated in envoy.extensions.wasm.v3.VmConfig.environment_variables for {plugin}. "
                    "All the keys must be unique."
                )
                yield Problem.said(words, variables.place)
            seen.add(key)


def _conditions(chain: ParsedMessage) -> bool:
    return any(match.values for match in chain.messages("filter_chain_match"))


def _address_text(sockets: list[ParsedMessage]) -> str:
    if not sockets:
        return ""
    address, port = sockets[0].get("address", ""), sockets[0].get("port_value", 0)
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
