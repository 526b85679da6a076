"""Extensions whose configuration is in a file of its own: ``config_discovery`` with a path."""

from __future__ import annotations

from typing import Literal

from meshsim.envoy.config.base import Message


class PathConfigSource(Message):
    """A file of resources; its path must name a folder, if only ``./``."""

    proto = "envoy.config.core.v3.PathConfigSource"
    path: str = ""


class ConfigSource(Message):
    """Where a configuration comes from."""

    proto = "envoy.config.core.v3.ConfigSource"
    path_config_source: PathConfigSource | None = None
    resource_api_version: Literal["AUTO", "V2", "V3"] = "AUTO"


class ExtensionConfigSource(Message):
    """Where the configuration of one extension comes from, and of which types it may be."""

    proto = "envoy.config.core.v3.ExtensionConfigSource"
    config_source: ConfigSource = ConfigSource()
    type_urls: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The file's path."""
        source = self.config_source.path_config_source
        return source.path if source else ""
