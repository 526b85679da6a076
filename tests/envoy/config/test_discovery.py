"""HTTP filters that are discovered in a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.envoy.config.refusal import ConfigRefused
from meshsim.envoy.config.wasm import Wasm
from meshsim.envoy.loader import load_bootstrap

BOOTSTRAP = """
node: {id: a, cluster: b}
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config: {name: front}
          http_filters:
          - name: web
            config_discovery:
              config_source: {path_config_source: {path: ./filter.yaml}, resource_api_version: V3}
              type_urls: [type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm]
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
"""
RESOURCE = """
resources:
- "@type": type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig
  name: web
  typed_config:
    "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
    config: {name: found, vm_config: {code: {local: {filename: found.wasm}}}}
"""


def write(folder: Path, bootstrap: str = BOOTSTRAP, resource: str | None = RESOURCE) -> Path:
    (folder / "envoy.yaml").write_text(bootstrap)
    (folder / "found.wasm").write_bytes(b"code")
    if resource is not None:
        (folder / "filter.yaml").write_text(resource)
    return folder / "envoy.yaml"


def test_the_file_and_what_it_names_are_read(tmp_path: Path) -> None:
    bootstrap = load_bootstrap(write(tmp_path))
    found = bootstrap.discovered["./filter.yaml"]["web"].typed_config
    assert isinstance(found, Wasm)
    assert found.config.name == "found"
    assert bootstrap.sources.files["found.wasm"] == b"code"


@pytest.mark.parametrize(
    "resource",
    [
        "",
        "resources: 3",
        "resources: []",
        "resources: [3, {x: y}]",
        "]",
        RESOURCE.replace("name: web", "name: other"),
        RESOURCE.replace("name: found,", "nome: found,"),
        RESOURCE.replace("name: web", "name: ''"),
        RESOURCE.replace("filters.http.wasm.v3.Wasm", "filters.http.router.v3.Router").replace("    config:", "    x:"),
        RESOURCE.replace("core.v3.TypedExtensionConfig", "core.v3.Node"),
    ],
)
def test_a_file_without_the_filter_is_no_refusal(tmp_path: Path, resource: str) -> None:
    assert not load_bootstrap(write(tmp_path, resource=resource)).discovered


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("./filter.yaml", "filter.yaml", "invalid file path filter.yaml"),
        (
            "./filter.yaml",
            "./nope.yaml",
            "paths must refer to an existing path in the system: './nope.yaml' does not exist",
        ),
        (
            "cluster: b",
            "cluster: ''",
            "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig: node 'id' and 'cluster' are required. "
            "Set it either in 'node' config or via --service-node and --service-cluster options.",
        ),
    ],
)
def test_what_envoy_refuses(tmp_path: Path, before: str, after: str, words: str) -> None:
    with pytest.raises(ConfigRefused) as refused:
        load_bootstrap(write(tmp_path, BOOTSTRAP.replace(before, after)))
    assert refused.value.envoy_says == words
