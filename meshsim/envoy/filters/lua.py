"""The Lua HTTP filter: scripts that see a stream through a handle (:mod:`meshsim.envoy.lua`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from meshsim.abi.callouts import Cancel, HttpAnswer
from meshsim.abi.constants import DataAction, HeadersAction, TrailersAction
from meshsim.envoy.buffer import BodyBuffer
from meshsim.envoy.callouts import HttpCallout
from meshsim.envoy.config.lua import Lua as LuaConfig
from meshsim.envoy.config.lua import LuaPerRoute
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.headers import HeaderMap
from meshsim.envoy.local_reply import LocalReply
from meshsim.envoy.lua.run import Answer, Call, Run
from meshsim.envoy.lua.script import LoadedScript, Script
from meshsim.envoy.stats import Counters
from meshsim.envoy.thread_host import ThreadHost

_CANONICAL_NAME = "envoy.filters.http.lua"
_NO_ANSWER = Answer(((b":status", b"503"),), b"upstream failure")


@dataclass(eq=False, slots=True)
class LuaUse:
    """A Lua filter in a chain.

    ``name`` is the filter's in the configuration, ``default`` the script of routes that say nothing, ``named`` those
    that a route can choose, ``of_routes`` those that routes bring along, by the ``id`` of their configuration.
    """

    name: str
    config: LuaConfig
    stats: Counters
    local_address: bytes
    default: Script | None
    named: Mapping[str, Script]
    of_routes: Mapping[int, Script] = field(default_factory=dict)

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Make the filter for a stream on a worker."""
        return LuaFilter(self, host)


class LuaFilter(HttpFilter):
    """The filter on one stream."""

    def __init__(self, use: LuaUse, host: ThreadHost) -> None:
        self._use = use
        self._host = host
        self._over = False
        self._request: Run | None = None
        self._response: Run | None = None
        self._loaded: LoadedScript | None = None

    # -- the request ---

    def decode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Start ``envoy_on_request``."""
        run = self._new_run("envoy_on_request", headers, is_request=True)
        if run is None:
            return HeadersAction.CONTINUE
        self._request = run
        return run.begin("envoy_on_request", end)

    def decode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Give a piece of the body to the script."""
        return self._request.data(data, end) if self._request else DataAction.CONTINUE

    def decode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Give the trailers to the script."""
        return self._request.trailers(trailers) if self._request else TrailersAction.CONTINUE

    # -- the response ---

    def encode_headers(self, headers: HeaderMap, end: bool) -> HeadersAction:
        """Start ``envoy_on_response``."""
        run = self._new_run("envoy_on_response", headers, is_request=False)
        if run is None:
            return HeadersAction.CONTINUE
        self._response = run
        return run.begin("envoy_on_response", end)

    def encode_data(self, data: BodyBuffer, end: bool) -> DataAction:
        """Give a piece of the body to the script."""
        return self._response.data(data, end) if self._response else DataAction.CONTINUE

    def encode_trailers(self, trailers: HeaderMap) -> TrailersAction:
        """Give the trailers to the script."""
        return self._response.trailers(trailers) if self._response else TrailersAction.CONTINUE

    def destroy(self) -> None:
        """Wait for nothing any more."""
        self._over = True
        self._leave()

    def _leave(self) -> None:
        for run in (self._request, self._response):
            if run is not None:
                run.leave()
        self._request = self._response = None

    # -- scripts ---

    def _per_route(self) -> LuaPerRoute | None:
        match = self.stream.take_route()
        found = match.own_config(self._use.name) if match else None
        return found if isinstance(found, LuaPerRoute) else None

    def _script(self) -> Script | None:
        """Return the script that the route wants."""
        per_route, use = self._per_route(), self._use
        if per_route is None:
            return use.default
        if per_route.disabled:
            return None
        if per_route.name is not None:
            return use.named.get(per_route.name)
        return use.of_routes[id(per_route)] if per_route.source_code else use.default

    def _new_run(self, function: str, headers: HeaderMap, *, is_request: bool) -> Run | None:
        script = self._script()
        loaded = script.on(self._host) if script else None
        if loaded is None or not loaded.state.has(function):
            return None
        self._loaded = loaded
        self.stats.add("executions")
        costs = self._host.process.costs
        self._host.thread.spend(costs.lua_filter_ns if is_request else costs.lua_response_ns)
        chain, slot = (
            (self.stream.request, self.request_slot) if is_request else (self.stream.answer, self.response_slot)
        )
        number = loaded.number()
        run = loaded.runs[number] = Run(number, loaded, self, chain, slot, headers, is_request=is_request)
        return run

    # -- what runs need of their filter ---

    @property
    def is_over(self) -> bool:
        """Whether the stream has ended."""
        return self._over

    @property
    def stats(self) -> Counters:
        """The filter's counters."""
        return self._use.stats

    @property
    def dynamic(self) -> dict[str, dict[str, Any]]:
        """What filters leave on the stream."""
        return self.stream.info.dynamic_metadata

    def script_error(self, problem: bytes) -> None:
        """Say why a script failed; neither half of the stream goes on with it."""
        self.stats.add("errors")
        if self._loaded:
            self._loaded.write_error(problem)
        self._leave()

    def request_headers(self) -> HeaderMap:
        """Return the request's headers."""
        return self.stream.request_headers

    def headers_changed(self) -> None:
        """Choose the route anew, unless the configuration leaves that to the script."""
        if self._use.config.clear_route_cache is not False:
            self.stream.clear_route_cache()

    def clear_route_cache(self) -> None:
        """Choose the route anew."""
        self.stream.clear_route_cache()

    def reply(self, reply: LocalReply) -> None:
        """Answer."""
        self.stream.reply(reply)

    def fact(self, name: str) -> bytes:
        """Return a text of the stream's information."""
        info = self.stream.info
        route = self.stream.route
        facts: dict[str, Callable[[], str]] = {
            "protocol": lambda: info.protocol,
            "route": lambda: route.route.name if route else "",
            "server_name": str,
            "virtual_cluster": str,
            "local_address": lambda: "{}:{}".format(*info.destination),
            "remote_address": lambda: "{}:{}".format(*info.source),
            "peer_address": lambda: "{}:{}".format(*(info.peer or info.source)),
        }
        return facts[name]().encode("utf-8", "surrogateescape")

    def metadata(self, whose: bytes) -> Mapping[str, Any]:
        """Return the metadata for this filter: of the route or the virtual host, or its own context."""
        if whose == b"filter context":
            per_route = self._per_route()
            own = per_route.filter_context if per_route else None
            return (own if own is not None else self._use.config.filter_context) or {}
        host = self.stream.virtual_host
        owner = (self.stream.route.route if self.stream.route else None) if whose == b"route" else host
        found = owner.metadata.filter_metadata if owner and owner.metadata else {}
        return found.get(self._use.name, found.get(_CANONICAL_NAME, {}))

    def call(self, call: Call, done: Callable[[Answer], None]) -> Cancel | None:
        """Send a request to a cluster; None when it has its answer at once."""

        def answered(answer: HttpAnswer | None) -> None:
            done(Answer(tuple(answer.headers.pairs()), answer.body) if answer else _NO_ANSWER)

        address = None if call.plain else self._use.local_address
        thread = self._host.thread
        account = self._host.open_account(self, self._use.name, call.cluster)
        cluster = self._host.clusters[call.cluster]
        callout = HttpCallout(cluster, call.headers, lambda: thread.now_ns, answered, address, account)
        return callout.send(call.body, call.timeout_ms * 1_000_000)
