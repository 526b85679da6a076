"""The Lua HTTP filter: ``envoy.extensions.filters.http.lua.v3``."""

from __future__ import annotations

from pydantic import Field

from meshsim.envoy.config.base import Message, Struct
from meshsim.envoy.config.core import DataSource

_LUA = "envoy.extensions.filters.http.lua.v3"


class Lua(Message):
    """The filter; ``default_source_code`` (or, as it was once called, ``inline_code``) is the script of every route."""

    proto = f"{_LUA}.Lua"
    inline_code: str = ""
    source_codes: dict[str, DataSource] = Field(default_factory=dict)
    default_source_code: DataSource | None = None
    stat_prefix: str = ""
    clear_route_cache: bool | None = None
    filter_context: Struct | None = None


class LuaPerRoute(Message):
    """What a route wants: no script, one of the filter's by name, or one of its own."""

    proto = f"{_LUA}.LuaPerRoute"
    disabled: bool | None = None
    name: str | None = None
    source_code: DataSource | None = None
    filter_context: Struct | None = None
