"""Wasm access loggers: a plugin's root context is asked to log, and sees the stream meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from meshsim.abi.codec import PropertyValue
from meshsim.abi.constants import HeaderMapType
from meshsim.abi.ports import HeaderMap
from meshsim.envoy.attributes import Subject, stream_attribute
from meshsim.envoy.config.access_log import AccessLog, AccessLogFilter
from meshsim.envoy.filters.base import HttpFilter
from meshsim.envoy.log_filter import holds
from meshsim.envoy.plugin_use import PluginUse
from meshsim.envoy.thread_host import ThreadHost
from meshsim.envoy.thread_plugin import ThreadPlugin


@dataclass(frozen=True, slots=True)
class Logged:
    """What a root context may read while it logs; a connection has no maps."""

    plugin: ThreadPlugin
    subject: Subject
    maps: dict[HeaderMapType, HeaderMap | None]

    def header_map(self, kind: HeaderMapType) -> HeaderMap | None:
        """Return a map of the stream."""
        return self.maps.get(kind)

    def get_property(self, path: Sequence[bytes]) -> PropertyValue | None:
        """Read an attribute of the stream."""
        return stream_attribute(path, self.plugin, self.subject, self)


class WasmAccessLog(HttpFilter):
    """An access logger on one stream.

    It stands last among the filters and lets everything pass, because that is when Envoy logs: behind the filters'
    own logs, and before any filter is destroyed.
    """

    def __init__(self, use: PluginUse, host: ThreadHost, condition: AccessLogFilter | None) -> None:
        self._use = use
        self._host = host
        self._condition = condition

    def log(self) -> None:
        """Let the module log, if the condition holds."""
        stream = self.stream
        if self._condition is not None and not holds(self._condition, stream):
            return
        maps: dict[HeaderMapType, HeaderMap | None] = {
            HeaderMapType.REQUEST_HEADERS: stream.request_headers,
            HeaderMapType.RESPONSE_HEADERS: stream.response_headers,
            HeaderMapType.RESPONSE_TRAILERS: stream.response_trailers,
        }
        log(self._use, self._host, stream, maps)


def log(use: PluginUse, host: ThreadHost, subject: Subject, maps: dict[HeaderMapType, HeaderMap | None]) -> None:
    """Ask a plugin's root context to log a stream or connection; one that has failed is not asked."""
    plugin = use.plugin_for_stream(host)
    if plugin is not None:
        plugin.log(Logged(plugin, subject, maps))


@dataclass(frozen=True, slots=True)
class Logger:
    """A Wasm access logger of a configuration."""

    config: AccessLog
    use: PluginUse

    def on_stream(self, host: ThreadHost) -> HttpFilter:
        """Return the logger of a stream."""
        return WasmAccessLog(self.use, host, self.config.filter)

    def on_connection(self, host: ThreadHost, subject: Subject) -> None:
        """Log a connection that is over."""
        if self.config.filter is None or holds(self.config.filter, subject):
            log(self.use, host, subject, {})
