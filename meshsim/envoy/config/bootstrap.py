"""The bootstrap: ``envoy.config.bootstrap.v3``."""

from __future__ import annotations

from pydantic import Field

from meshsim.envoy.config.base import Message, Struct
from meshsim.envoy.config.cluster import Cluster
from meshsim.envoy.config.core import Address, Node
from meshsim.envoy.config.listener import Listener
from meshsim.envoy.config.sources import Sources
from meshsim.envoy.config.wasm import Wasm
from meshsim.envoy.config.wasm_extensions import WasmService, WasmStatSink


class Admin(Message):
    """The administration listener."""

    proto = "envoy.config.bootstrap.v3.Admin"
    address: Address | None = None


class StaticResources(Message):
    """What the bootstrap itself configures."""

    proto = "envoy.config.bootstrap.v3.Bootstrap.StaticResources"
    listeners: tuple[Listener, ...] = ()
    clusters: tuple[Cluster, ...] = ()


class RuntimeLayer(Message):
    """Runtime values; a layer of fixed ones."""

    proto = "envoy.config.bootstrap.v3.RuntimeLayer"
    name: str = ""
    static_layer: Struct | None = None


class LayeredRuntime(Message):
    """Runtime values in layers; a later layer overrides."""

    proto = "envoy.config.bootstrap.v3.LayeredRuntime"
    layers: tuple[RuntimeLayer, ...] = ()


class ClusterManager(Message):
    """What all clusters have in common; nothing of it matters to one Envoy that is alone."""

    proto = "envoy.config.bootstrap.v3.ClusterManager"


class StatsConfig(Message):
    """How counters are tagged and told; nothing of it changes their names or values."""

    proto = "envoy.config.metrics.v3.StatsConfig"


class StatsSink(Message):
    """Where statistics go."""

    proto = "envoy.config.metrics.v3.StatsSink"
    name: str = ""
    typed_config: WasmStatSink | None = None


class Extension(Message):
    """An extension by name: one that runs beside listeners and clusters, or a filter that was discovered."""

    proto = "envoy.config.core.v3.TypedExtensionConfig"
    name: str = ""
    typed_config: WasmService | Wasm | None = None


class Bootstrap(Message):
    """All that one Envoy is started with.

    Attributes
    ----------
    ignored : tuple of str
        YAML paths that were left out, because meshsim does not model them and was asked to go on without them.
    inert : tuple of str
        YAML paths that were accepted and change nothing that meshsim shows.
    sources : Sources
        Content of the files and environment variables that the configuration names.
    discovered : dict of str to dict of str to Extension
        What the files hold in which filters are discovered, by path and name.
    """

    proto = "envoy.config.bootstrap.v3.Bootstrap"
    node: Node = Node()
    static_resources: StaticResources = StaticResources()
    layered_runtime: LayeredRuntime | None = None
    admin: Admin | None = None
    cluster_manager: ClusterManager | None = None
    stats_config: StatsConfig | None = None
    stats_sinks: tuple[StatsSink, ...] = ()
    bootstrap_extensions: tuple[Extension, ...] = ()
    ignored: tuple[str, ...] = ()
    inert: tuple[str, ...] = ()
    sources: Sources = Sources()
    discovered: dict[str, dict[str, Extension]] = Field(default_factory=dict)
