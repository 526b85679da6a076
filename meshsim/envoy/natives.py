"""Filters of Envoy's own, made on the main thread when their connection manager is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from meshsim.envoy.config.buffer import Buffer
from meshsim.envoy.config.core import DataSource
from meshsim.envoy.config.fault import HTTPFault
from meshsim.envoy.config.header_mutation import HeaderMutation
from meshsim.envoy.config.http import HttpConnectionManager, HttpFilter
from meshsim.envoy.config.local_ratelimit import LocalRateLimit
from meshsim.envoy.config.lua import Lua, LuaPerRoute
from meshsim.envoy.config.metadata_filters import HeaderToMetadata, SetMetadata
from meshsim.envoy.config.rbac import Rbac
from meshsim.envoy.config.route import FilterConfig, OwnConfig, RouteConfiguration
from meshsim.envoy.filters.buffer import BufferUse
from meshsim.envoy.filters.fault import FaultUse
from meshsim.envoy.filters.header_mutation import HeaderMutationUse
from meshsim.envoy.filters.local_ratelimit import RateLimitUse
from meshsim.envoy.filters.lua import LuaUse
from meshsim.envoy.filters.metadata import HeaderToMetadataUse, SetMetadataUse
from meshsim.envoy.filters.native import NativeUse
from meshsim.envoy.filters.rbac import RbacUse
from meshsim.envoy.lua.script import Script
from meshsim.envoy.lua.state import ScriptError
from meshsim.envoy.plugins import FilterRefused

if TYPE_CHECKING:
    from meshsim.envoy.server import Server


class NativeFilters:
    """Makes the filters of one connection manager, after the scripts that its routes bring along.

    Raises
    ------
    FilterRefused
        A script cannot be loaded.
    """

    def __init__(self, envoy: Server, manager: HttpConnectionManager) -> None:
        self._envoy = envoy
        self._prefix = f"http.{manager.stat_prefix}"
        own = _own_configs(manager.route_config) if manager.route_config else iter(())
        #: By the ``id`` of a route's configuration, which lives as long as the bootstrap.
        self._of_routes = {
            id(config): self._script(self._bytes_of(config.source_code))
            for config in own
            if isinstance(config, LuaPerRoute) and config.source_code
        }

    def use(self, http_filter: HttpFilter) -> NativeUse | None:
        """Make a filter; None for the router, and for one that is discovered."""
        match http_filter.typed_config:
            case Lua() as lua:
                return self._lua(http_filter.name, lua)
            case HeaderMutation() as mutation:
                return HeaderMutationUse(http_filter.name, mutation)
            case HTTPFault() as fault:
                stats = self._envoy.process.stats.scope(f"{self._prefix}.fault")
                return FaultUse(http_filter.name, fault, stats)
            case LocalRateLimit() as limit:
                return RateLimitUse(http_filter.name, limit)
            case Buffer() as buffer:
                return BufferUse(http_filter.name, buffer)
            case SetMetadata() as metadata:
                stats = self._envoy.process.stats.scope(f"{self._prefix}.set_metadata")
                return SetMetadataUse(metadata, stats)
            case HeaderToMetadata() as metadata:
                return HeaderToMetadataUse(http_filter.name, metadata)
            case Rbac() as rbac:
                return RbacUse(http_filter.name, rbac, self._envoy.process.stats.scope(f"{self._prefix}.rbac"))
        return None

    def _lua(self, name: str, config: Lua) -> LuaUse:
        code = self._bytes_of(config.default_source_code) or config.inline_code.encode()
        default = self._script(code) if code else None
        named = {key: self._script(self._bytes_of(source)) for key, source in config.source_codes.items()}
        prefix = f"{self._prefix}.lua.{config.stat_prefix}" if config.stat_prefix else f"{self._prefix}.lua"
        envoy = self._envoy
        stats = envoy.process.stats.scope(prefix)
        return LuaUse(name, config, stats, envoy.local_address.encode(), default, named, self._of_routes)

    def _bytes_of(self, source: DataSource | None) -> bytes:
        return self._envoy.bootstrap.sources.bytes_of(source)

    def _script(self, code: bytes) -> Script:
        """Make a script, and load it on the main thread, as Envoy does to know whether it is one."""
        script = Script(code)
        try:
            script.on(self._envoy.main)
        except ScriptError as error:
            raise FilterRefused(f"script load error: {error}") from error
        return script


def _own_configs(routes: RouteConfiguration) -> Iterator[OwnConfig]:
    """Yield what routes, virtual hosts and weighted clusters say to filters in their own words."""
    levels = [routes.typed_per_filter_config]
    for host in routes.virtual_hosts:
        levels.append(host.typed_per_filter_config)
        for route in host.routes:
            levels.append(route.typed_per_filter_config)
            weighted = route.route.weighted_clusters if route.route else None
            levels += [choice.typed_per_filter_config for choice in weighted.clusters] if weighted else []
    for level in levels:
        for config in level.values():
            inner = config.config if isinstance(config, FilterConfig) else config
            if isinstance(inner, OwnConfig):
                yield inner
