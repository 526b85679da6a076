"""A profile is data: it decides how long things take, and nothing else; the same one gives the same times."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import meshsim as ms

MODULE = Path(__file__).parents[2] / "modules" / "hello" / "hello-rust.wasm"
BOOTSTRAP = f"""
static_resources:
  listeners:
  - name: main
    address: {{socket_address: {{address: 127.0.0.1, port_value: 10000}}}}
    filter_chains:
    - filters:
      - name: manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: /}}, direct_response: {{status: 200}}}}]
          http_filters:
          - name: hello
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: hello
                vm_config: {{runtime: envoy.wasm.runtime.v8, code: {{local: {{filename: {MODULE}}}}}}}
          - name: router
            typed_config: {{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}
"""


def run(profile: ms.Profile) -> tuple[list[int], list[str]]:
    """Times and texts of everything that crosses the border to the module, while it is loaded and in two requests."""
    envoy = ms.Envoy.from_yaml(BOOTSTRAP, costs=ms.CostModel(profile))
    for _ in range(2):
        assert envoy.get("/").status == 200
    lines = envoy.abi_trace()
    return [line.time_ns for line in lines], [line.text for line in lines]


def test_a_profile_gives_the_same_times_each_time_and_out_of_a_file() -> None:
    shipped = ms.default_profile()
    assert run(shipped) == run(shipped) == run(ms.Profile.from_json(shipped.to_json()))


@pytest.mark.parametrize("name", ["callback_ns", "host_call_ns", "fuel_ns", "request_ns", "filter_ns", "clone_ns"])
def test_another_profile_gives_other_times_and_the_same_course(name: str) -> None:
    shipped = ms.default_profile()
    slower = replace(shipped.coefficients[name], value=1_000 + 2 * shipped[name])
    times, texts = run(replace(shipped, coefficients={**shipped.coefficients, name: slower}))
    assert (times != run(shipped)[0], texts) == (True, run(shipped)[1])
