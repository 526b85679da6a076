"""Real filters of Higress: where they are, what they are given, and what the real Envoy does with them.

They come with the package ``gpustack-higress-plugins`` (Apache-2.0) and are too large to be kept here: megabytes of Go
and Rust each. What Envoy did with them is kept, with the sha256 of each module: it refuses their ABI version, and under
another marker of the same ABI it runs those that import nothing of Higress's own.

``python -m tests.envoy.higress.plugins`` records it again.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from meshsim.reference.truth import Case, Truth, record

HERE = Path(__file__).parent
PACKAGE = "gpustack_higress_plugins"

_MARKER = b"\x19proxy_abi_version_0_2_100"
#: As long as the other one: the name's length is written in three bytes, which is allowed.
_MARKER_OF_ENVOY = b"\x97\x80\x00proxy_abi_version_0_2_1"
_TYPE = "type.googleapis.com/envoy.extensions.filters"
_REQUESTS = """[
  {"headers": [["x-mse-consumer", "me"], ["x-gone", "1"], ["x-session", "a"]]},
  {"method": "POST", "path": "/v1/chat/completions", "headers": [["content-type", "application/json"]],
   "body": "{\\"model\\": \\"m\\", \\"messages\\": [{\\"role\\": \\"user\\", \\"content\\": \\"hello\\"}]}"}
]
"""


@dataclass(frozen=True)
class Plugin:
    """A filter, its configuration, and whether it imports what Envoy has not."""

    name: str
    configuration: Mapping[str, Any] = field(default_factory=dict)
    wants_redis: bool = False

    @property
    def module(self) -> bytes:
        """The module."""
        folder = packaged()
        assert folder is not None
        (path,) = (folder / self.name).glob("*/plugin.wasm")
        return path.read_bytes()

    def case(self, folder: Path, module: bytes) -> Case:
        """Write a case that runs the module."""
        plugin = {
            "name": self.name,
            "configuration": {"@type": "type.googleapis.com/google.protobuf.StringValue", "value": self._json},
            "vm_config": {"runtime": "envoy.wasm.runtime.v8", "code": {"local": {"filename": "plugin.wasm"}}},
        }
        tree = {"static_resources": {"listeners": [_listener("front", 18000, plugin)], "clusters": []}}
        (folder / "envoy.yaml").write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")
        (folder / "requests.json").write_text(_REQUESTS, encoding="utf-8")
        (folder / "plugin.wasm").write_bytes(module)
        return Case.load(folder)

    @property
    def _json(self) -> str:
        return json.dumps(self.configuration)

    def truth(self, what: str) -> Truth:
        """What was recorded: ``refused``, or ``ran`` under the other marker."""
        return Truth.load(HERE / f"{self.name}-{what}.json")


PLUGINS = (
    Plugin("ai-data-masking", {"deny_words": ["secret"], "deny_openai": True}),
    Plugin("ai-statistics", {"attributes": []}),
    Plugin("gpustack-ai-proxy"),
    Plugin("gpustack-ext-auth"),
    Plugin("gpustack-generic-proxy-router"),
    Plugin("gpustack-ip-acl", {"consumers": {"me": {"deniedCidrs": ["0.0.0.0/0"]}}}),
    Plugin("gpustack-lb", {"redis": {"service_name": "redis.static", "service_port": 6379}}, wants_redis=True),
    Plugin("gpustack-lb-decision-service"),
    Plugin("gpustack-lb-least-load"),
    Plugin("gpustack-lb-session-affinity", {"sessionKeys": [{"header": "x-session"}]}),
    Plugin("gpustack-rate-limit", {"redis": {"service_name": "redis.static", "service_port": 6379}}, wants_redis=True),
    Plugin("gpustack-set-header-pre-route", {"routeNameHeader": "x-route"}),
    Plugin("gpustack-token-usage"),
    Plugin(
        "transformer",
        {
            "reqRules": [
                {"operate": "add", "headers": [{"key": "x-added", "value": "by-transformer"}]},
                {"operate": "remove", "headers": [{"key": "x-gone"}]},
            ]
        },
    ),
)


def _listener(name: str, port: int, plugin: Mapping[str, Any]) -> dict[str, Any]:
    filters = [
        {"name": "wasm", "typed_config": {"@type": f"{_TYPE}.http.wasm.v3.Wasm", "config": dict(plugin)}},
        {"name": "router", "typed_config": {"@type": f"{_TYPE}.http.router.v3.Router"}},
    ]
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "hello"}}}
    manager = {
        "@type": f"{_TYPE}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "route_config": {"name": "routes", "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": filters,
    }
    return {
        "name": name,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "manager", "typed_config": manager}]}],
    }


@cache
def packaged() -> Path | None:
    """Return the folder of the filters; None where the package is not installed."""
    spec = find_spec(PACKAGE)  # importing it would want a web server
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / "plugins" if places else None


def under_the_other_marker(module: bytes) -> bytes:
    """Return a module that says of itself that it is one of ABI 0.2.1."""
    return module.replace(_MARKER, _MARKER_OF_ENVOY, 1)  # the first is the export, another one a name for debuggers


def main() -> int:
    """Record what the real Envoy does with each."""
    for plugin in PLUGINS:
        modules = {"refused": plugin.module}
        if not plugin.wants_redis:
            modules["ran"] = under_the_other_marker(plugin.module)
        for what, module in modules.items():
            with tempfile.TemporaryDirectory() as folder:
                truth = record(plugin.case(Path(folder), module))
            (HERE / f"{plugin.name}-{what}.json").write_text(truth.dumps(), encoding="utf-8")
            print(plugin.name, what, "ready" if truth.result.ready else "refused", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
