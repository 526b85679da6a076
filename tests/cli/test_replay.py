from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from meshsim.cli import replay as module
from meshsim.cli.replay import Account, Engine, Job
from meshsim.envoy.outcome import ReplayResult, Response
from meshsim.envoy.requests import Request
from meshsim.errors import ConfigError, MeshsimError, NotModelled, ReferenceUnavailable

Run = Callable[..., Any]

RAN = ReplayResult(
    ready=True,
    abi=(("main", "[host->vm] proxy_on_context_create(1, 0)"),),
    logs=(("worker_0", "info", "wasm log: \x1b[31mhello"),),
    responses=(Response(200, (("x-wasm", "wat"),), "ok"), Response.failed("connection closed")),
    stats={"wasm.envoy.wasm.runtime.v8.active": 3, "wasm.remote_load_cache_hits": 0, "server.uptime": 1},
)
REFUSED = ReplayResult(ready=False, other=(("main", "critical", "no such field: 'nope'"),))

Outcome = ReplayResult | MeshsimError


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    bootstrap, requests = tmp_path / "envoy.yaml", tmp_path / "requests.json"
    bootstrap.write_text("static_resources: {}\n")
    requests.write_text('[{"path": "/"}, {"path": "/b"}]')
    return bootstrap, requests


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[Job, int]]]:
    """Put results, or errors, where the engines are; returns what they are asked to do."""

    def engines(sim: Outcome = RAN, envoy: Outcome = RAN) -> list[tuple[Job, int]]:
        asked: list[tuple[Job, int]] = []

        def engine(outcome: Outcome) -> Callable[[Job, list[Request]], ReplayResult]:
            def run(job: Job, requests: list[Request]) -> ReplayResult:
                asked.append((job, len(requests)))
                if isinstance(outcome, MeshsimError):
                    raise outcome
                return outcome

            return run

        monkeypatch.setattr(module, "ENGINES", {Engine.SIM: engine(sim), Engine.ENVOY: engine(envoy)})
        return asked

    return engines


def test_the_simulator_is_the_default(run: Run, files: tuple[Path, Path], engines: Any) -> None:
    asked = engines(envoy=ReferenceUnavailable("no Envoy"))
    done = run("replay", *files, "--concurrency", 4, "--seed", 7, "--ignore-unmodelled")
    assert done.status == 0
    assert asked == [(Job(*files, concurrency=4, seed=7, ignore_unmodelled=True), 2)]


def test_what_a_person_sees(run: Run, files: tuple[Path, Path], engines: Any) -> None:
    engines()
    done = run("replay", *files)
    assert "2 responses, 1 lines of ABI trace on 1 threads" in done.out
    assert "x-wasm: wat" in done.out
    assert "connection closed" in done.out
    assert r"\x1b[31mhello" in done.out
    assert "wasm.envoy.wasm.runtime.v8.active" in done.out
    assert "remote_load_cache_hits" not in done.out


@pytest.mark.parametrize("on", ["sim", "envoy"])
def test_one_engine_writes_the_replay_json(run: Run, files: tuple[Path, Path], engines: Any, on: str) -> None:
    engines()
    assert run("replay", *files, "--on", on, "--json", "-").json() == RAN.to_json()


def test_both_write_one_document(run: Run, files: tuple[Path, Path], engines: Any, tmp_path: Path) -> None:
    engines()
    out = tmp_path / "out.json"
    done = run("replay", *files, "--on", "both", "--json", out)
    assert done.status == 0
    written = json.loads(out.read_text())
    assert (written["sim"], written["envoy"]) == (RAN.to_json(), RAN.to_json())
    assert written["comparison"]["identical"] is True


@pytest.mark.parametrize(
    ("on", "sim", "envoy", "status"),
    [
        ("sim", RAN, RAN, 0),
        ("both", RAN, RAN, 0),
        ("both", REFUSED, REFUSED, 0),
        ("both", RAN, REFUSED, 1),
        ("both", REFUSED, RAN, 1),
        ("sim", REFUSED, RAN, 2),
        ("envoy", RAN, REFUSED, 2),
        ("envoy", RAN, ReferenceUnavailable("no Envoy"), 2),
        ("both", RAN, ReferenceUnavailable("no Envoy"), 2),
        ("sim", ConfigError("no such listener"), RAN, 2),
        ("sim", NotModelled("proxy_http_call"), RAN, 3),
        ("both", NotModelled("proxy_http_call"), RAN, 3),
    ],
)
def test_exit_status_and_a_result_in_each_case(
    run: Run,
    files: tuple[Path, Path],
    engines: Any,
    tmp_path: Path,
    on: str,
    sim: Outcome,
    envoy: Outcome,
    status: int,
) -> None:
    engines(sim, envoy)
    out = tmp_path / "out.json"
    done = run("replay", *files, "--on", on, "--json", out)
    assert done.status == status
    written = json.loads(out.read_text())
    for result in [written] if on != "both" else [written["sim"], written["envoy"]]:
        ReplayResult.from_json(result)
    assert "Traceback" not in done.err


def test_a_refusal_says_why(run: Run, files: tuple[Path, Path], engines: Any) -> None:
    engines(REFUSED)
    done = run("replay", *files)
    assert done.status == 2
    assert done.err == f"meshsim: {files[0]}: the simulated Envoy refuses the configuration: no such field: 'nope'\n"


def test_a_difference_is_shown_with_both_sides(run: Run, files: tuple[Path, Path], engines: Any) -> None:
    engines(RAN, replace(RAN, abi=(("main", "[host->vm] proxy_on_context_create(1, 7)"),)))
    done = run("replay", *files, "--on", "both")
    assert done.status == 1
    assert "[host->vm] proxy_on_context_create(1, 0)" in done.out
    assert "[host->vm] proxy_on_context_create(1, 7)" in done.out


def test_a_weaker_level_can_be_asked_for(run: Run, files: tuple[Path, Path], engines: Any) -> None:
    line = "[vm->host] env.proxy_log(2, {}, 5)"
    engines(replace(RAN, abi=(("main", line.format(64)),)), replace(RAN, abi=(("main", line.format(128)),)))
    assert run("replay", *files, "--on", "both").status == 1
    assert run("replay", *files, "--on", "both", "--level", "calls").status == 0


BOOTSTRAP = """
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{match: {prefix: "/"}, direct_response: {status: 200, body: {inline_string: "from envoy"}}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
"""


@pytest.mark.envoy
def test_the_real_envoy_answers(run: Run, files: tuple[Path, Path]) -> None:
    files[0].write_text(BOOTSTRAP)
    done = run("replay", *files, "--on", "envoy", "--json", "-")
    assert (done.status, done.err) == (0, "")
    assert [(one["status"], one["body"]) for one in done.json()["responses"]] == [(200, "from envoy")] * 2


def test_an_error_leaves_no_partial_trace(files: tuple[Path, Path]) -> None:
    account = Account(error=NotModelled("proxy_http_call"))
    written = json.loads(module.document(account, Engine.SIM))
    assert (written["ready"], written["abi"]) == (False, [])
    assert written["other"] == [["main", "error", "not modelled: proxy_http_call"]]


def test_requests_that_cannot_be_used(run: Run, files: tuple[Path, Path], engines: Any) -> None:
    engines()
    files[1].write_text('[{"paht": "/"}]')
    done = run("replay", *files, "--json", "-")
    assert done.status == 2
    assert "unknown key `paht`" in done.err
    assert done.json()["ready"] is False


@pytest.mark.parametrize("content", [None, "a: [", "a: b: c"])
def test_a_bootstrap_that_cannot_be_read_writes_nothing(
    run: Run, files: tuple[Path, Path], engines: Any, tmp_path: Path, content: str | None
) -> None:
    asked = engines()
    files[0].unlink() if content is None else files[0].write_text(content)
    done = run("replay", *files, "--json", tmp_path / "out.json")
    assert (done.status, asked, (tmp_path / "out.json").exists()) == (2, [], False)
    assert done.err.startswith(f"meshsim: {files[0]}")


def test_the_rules_of_the_comparison(run: Run) -> None:
    done = run("replay", "--explain")
    assert done.status == 0
    assert "x-request-id" in done.out


def test_concurrency_has_a_lower_end(run: Run, files: tuple[Path, Path]) -> None:
    assert run("replay", *files, "--concurrency", 0).status == 2
