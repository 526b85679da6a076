"""Rows K: remote code. What the real Envoy says and counts is recorded in the cases ``remote-*``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import wasmtime

from meshsim.abi.events import LogLine
from meshsim.envoy.answers import Answer
from meshsim.envoy.config.core import HttpUri, RemoteDataSource
from meshsim.envoy.config.wasm import PluginConfig, VmConfig
from meshsim.envoy.loader import parse_bootstrap
from meshsim.envoy.plugin_spec import PluginSpec
from meshsim.envoy.plugins import PluginRefused
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.scripted import ScriptedUpstream
from meshsim.errors import ConfigError

MODULE = bytes(
    wasmtime.wat2wasm(
        """(module (import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))
          (memory (export "memory") 1) (data (i32.const 0) "x-faryes")
          (func (export "proxy_abi_version_0_2_1"))
          (func (export "malloc") (param i32) (result i32) (i32.const 4096))
          (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
            (drop (call $add (i32.const 2) (i32.const 0) (i32.const 5) (i32.const 5) (i32.const 3))) (i32.const 0)))"""
    )
)
CHECKSUM = hashlib.sha256(MODULE).hexdigest()
COMES, FAILS, JUNK = Answer(200, body=MODULE), Answer(503), Answer(200, body="junk")
_BOOTSTRAP = """
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{match: {prefix: /}, direct_response: {status: 200, body: {inline_string: hello}}}]
          http_filters:
          - name: far
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                name: far
                vm_config:
                  runtime: envoy.wasm.runtime.v8
                  code:
                    remote:
                      http_uri: {uri: "http://code.example/far.wasm", cluster: code, timeout: 1s}
                      sha256: CHECKSUM
                      RETRIES
          - name: router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
  clusters:
  - name: code
    load_assignment:
      cluster_name: code
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 10009}}}}]}]
"""
_SECOND_NS = 10**9


def far(*answers: Answer, retries: int | None = None) -> tuple[Envoy, ScriptedUpstream]:
    """Start an Envoy whose filter's code comes from an upstream that answers in this way."""
    policy = "" if retries is None else f"retry_policy: {{num_retries: {retries}}}"
    envoy = Envoy(parse_bootstrap(_BOOTSTRAP.replace("CHECKSUM", CHECKSUM).replace("RETRIES", policy)))
    upstream = envoy.upstream("code", list(answers))
    envoy.start()
    return envoy, upstream


def loads(envoy: Envoy) -> dict[str, int]:
    """The counters of remote code."""
    return {
        name.removeprefix("wasm.remote_load_"): value for name, value in envoy.stats().items() if "remote_load" in name
    }


def said(envoy: Envoy) -> list[str]:
    """What Envoy has said on the main thread."""
    events = envoy.recorder.events
    return [event.text for _, thread, event in events if thread == "main" and isinstance(event, LogLine)]


@pytest.fixture
def ask(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Ask a started Envoy for one more plugin with that code, which has to be there at once."""

    def again(envoy: Envoy, name: str = "near", checksum: str = CHECKSUM) -> PluginSpec | None:
        config = PluginConfig(name=name, vm_config=VmConfig(vm_id=name, runtime="envoy.wasm.runtime.v8"))
        source = RemoteDataSource(http_uri=HttpUri(uri="http://code/x", cluster="code"), sha256=checksum)
        made = partial(PluginSpec.of, config, environment={})
        found: list[PluginSpec | None] = []

        def load() -> None:
            try:
                found.append(envoy.remote_code.want(made, source, nack=True, everywhere=True))
            except PluginRefused:
                found.append(None)

        envoy.main.thread.post(load)
        envoy.run(ms=1)
        return found[0]

    return again


def test_k127_code_that_comes_is_loaded(ask: Callable[..., Any]) -> None:
    envoy, upstream = far(COMES)
    assert dict(envoy.get("/").headers)["x-far"] == "yes"
    assert loads(envoy) == {"cache_entries": 1, "cache_misses": 1, "fetch_successes": 1}
    assert [request.header(":path") for request in upstream.requests] == ["/far.wasm"]
    assert ask(envoy) is not None
    assert loads(envoy)["cache_hits"] == 1
    assert len(upstream.requests) == 1


def test_k128_a_fetch_is_repeated(ask: Callable[..., Any]) -> None:
    envoy, upstream = far(FAILS, FAILS, COMES, retries=2)
    assert dict(envoy.get("/").headers)["x-far"] == "yes"
    assert len(upstream.requests) == 3
    assert loads(envoy) == {"cache_entries": 1, "cache_misses": 1, "fetch_successes": 1}


def test_k128_once_where_nothing_is_said() -> None:
    envoy, upstream = far(FAILS, FAILS, COMES)
    assert envoy.get("/").status == 503
    assert len(upstream.requests) == 2


def test_k129_what_cannot_wait_is_refused_and_there_the_next_time(ask: Callable[..., Any]) -> None:
    envoy, _ = far(FAILS, retries=0)
    envoy.run(ms=11_000)
    envoy.upstream("code", COMES)
    assert ask(envoy) is None
    assert said(envoy)[-3:-1] == [
        "Failed to load Wasm code (fetching) from http://code/x",
        "Plugin near failed to load",
    ]
    envoy.run(ms=100)
    assert ask(envoy) is not None


def test_k130_it_is_refused_again_while_its_code_is_fetched(ask: Callable[..., Any]) -> None:
    envoy, _ = far(FAILS, retries=0)
    envoy.run(ms=11_000)
    envoy.upstream("code", Answer(200, body=MODULE, latency_ms=500))
    assert [ask(envoy), ask(envoy)] == [None, None]
    assert loads(envoy)["cache_negative_hits"] == 1
    envoy.run(ms=1_100)
    assert ask(envoy) is not None


@pytest.mark.parametrize(("pause_ms", "negative"), [(5_000, 1), (11_000, 0)])
def test_k131_that_it_did_not_come_is_known_for_ten_seconds(
    ask: Callable[..., Any], pause_ms: int, negative: int
) -> None:
    envoy, upstream = far(FAILS, retries=0)
    envoy.run(ms=pause_ms)
    assert ask(envoy) is None
    assert loads(envoy).get("cache_negative_hits", 0) == negative
    assert len(upstream.requests) == 2  # it is fetched again all the same


def test_k132_code_that_nobody_wants_is_forgotten_after_a_day(ask: Callable[..., Any]) -> None:
    envoy, _ = far(COMES)
    envoy.run(ms=23 * 3_600_000)
    ask(envoy, "other", "ab" * 32)
    assert loads(envoy)["cache_entries"] == 2
    envoy.run(ms=2 * 3_600_000)
    ask(envoy, "third", "cd" * 32)
    assert loads(envoy)["cache_entries"] == 2


@pytest.mark.parametrize("answer", [FAILS, JUNK, Answer(failure="reset"), Answer(failure="refused"), Answer(404)])
def test_k133_code_that_does_not_come_leaves_the_plugin_out(answer: Answer) -> None:
    envoy, _ = far(answer, retries=0)
    assert envoy.get("/").status == 503
    assert loads(envoy) == {"cache_entries": 1, "cache_misses": 1, "fetch_failures": 1}
    assert said(envoy)[-3:] == [
        "Failed to load Wasm code (fetch failed) from http://code.example/far.wasm",
        "Plugin far failed to load",
        "Plugin configured to fail closed failed to load",
    ]


def test_k133_a_server_that_never_answers_is_not_waited_for(ask: Callable[..., Any]) -> None:
    envoy, _ = far(Answer(failure="silent"), retries=0)
    assert envoy.kernel.now_ns >= _SECOND_NS
    assert envoy.get("/").status == 503


def test_a_checksum_is_needed() -> None:
    with pytest.raises(ConfigError, match="Sha256"):
        parse_bootstrap(_BOOTSTRAP.replace("CHECKSUM", '""').replace("RETRIES", ""))
