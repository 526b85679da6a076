"""Models of an Envoy bootstrap, and the judgement that Envoy passes on it.

>>> from meshsim.envoy.loader import parse_bootstrap
>>> bootstrap = parse_bootstrap("static_resources: {clusters: [{name: up, connect_timeout: 0.25s}]}")
>>> bootstrap.static_resources.clusters[0].name
'up'
"""

from __future__ import annotations

from meshsim.envoy.config.bootstrap import Admin, Bootstrap, StaticResources
from meshsim.envoy.config.cluster import Cluster, Endpoint, LbEndpoint
from meshsim.envoy.config.core import Address, DataSource, HeaderValueOption, Metadata, Node, SocketAddress
from meshsim.envoy.config.coverage import modelled_fields
from meshsim.envoy.config.http import HttpConnectionManager, HttpFilter, Router
from meshsim.envoy.config.listener import Filter, FilterChain, Listener
from meshsim.envoy.config.matcher import HeaderMatcher, QueryParameterMatcher, StringMatcher
from meshsim.envoy.config.refusal import ConfigRefused, normal_refusal
from meshsim.envoy.config.route import (
    DirectResponseAction,
    FilterConfig,
    RedirectAction,
    Route,
    RouteAction,
    RouteConfiguration,
    RouteMatch,
    VirtualHost,
)
from meshsim.envoy.config.sources import Sources
from meshsim.envoy.config.wasm import PluginConfig, VmConfig, Wasm

__all__ = [
    "Address",
    "Admin",
    "Bootstrap",
    "Cluster",
    "ConfigRefused",
    "DataSource",
    "DirectResponseAction",
    "Endpoint",
    "Filter",
    "FilterChain",
    "FilterConfig",
    "HeaderMatcher",
    "HeaderValueOption",
    "HttpConnectionManager",
    "HttpFilter",
    "LbEndpoint",
    "Listener",
    "Metadata",
    "Node",
    "PluginConfig",
    "QueryParameterMatcher",
    "RedirectAction",
    "Route",
    "RouteAction",
    "RouteConfiguration",
    "RouteMatch",
    "Router",
    "SocketAddress",
    "Sources",
    "StaticResources",
    "StringMatcher",
    "VirtualHost",
    "VmConfig",
    "Wasm",
    "modelled_fields",
    "normal_refusal",
]
