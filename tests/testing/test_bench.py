from __future__ import annotations

from pathlib import Path

import pytest

from meshsim.envoy.threads import Thread
from meshsim.errors import ConfigError, MeshsimError
from meshsim.testing import Answer, FilterRefused, WasmFilter, WasmFilterFactory

_CALL = ":method|GET|:path|/check|:authority|auth"


def test_a_filter_changes_a_request_logs_and_costs(wasm_filter: WasmFilterFactory, hello: Path) -> None:
    filter_ = wasm_filter(hello, name="hello", root_id="root", vm_id="vm")
    reply = filter_.get("/", headers={"authorization": "secret"})
    assert reply.status == 200
    assert reply.request_headers["X-Wasm"] == "wat"
    assert reply.logs == [("info", "secret"), ("info", "goodbye")]
    assert reply.actions == [("proxy_on_request_headers", "CONTINUE")]
    assert not reply.paused
    assert not reply.is_local
    assert reply.called("proxy_log") == 2
    assert "[vm->host] env.proxy_get_header_map_value(0, 16, 13, 0, 4)" in reply.trace
    cost = reply.cost
    assert (cost.callbacks, cost.host_calls, cost.contexts) == (5, 4, 1)
    assert cost.fuel > 0
    assert reply.cost_ns == cost.ns > 0


def test_costs_are_those_that_the_worker_is_charged(
    wasm_filter: WasmFilterFactory, hello: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filter_ = wasm_filter(hello)
    worker = filter_.envoy.workers[0].thread
    spent: list[int] = []

    def spend(thread: Thread, cost_ns: int) -> None:
        spent.extend([cost_ns] if thread is worker else [])

    monkeypatch.setattr(Thread, "spend", spend)
    reply = filter_.get("/", headers={"authorization": "secret"})
    without_wasm = filter_.envoy.process.costs.request_ns
    assert sum(spent) - without_wasm == pytest.approx(reply.cost_ns, abs=len(spent))  # each charge is rounded


def test_what_the_upstream_answers_can_be_said(wasm_filter: WasmFilterFactory, hello: Path) -> None:
    filter_ = wasm_filter(hello, upstreams={"upstream": Answer(201, {"x-a": "1"}, '{"n": 1}')})
    assert filter_.get().json == {"n": 1}
    filter_.upstream(status=404, latency_ms=20)
    reply = filter_.post("/x", body="abc", headers=[("x-tag", "a"), ("x-tag", "b")])
    assert (reply.status, reply.request_body) == (404, "abc")
    assert reply.request_headers.all("x-tag") == ("a", "b")
    assert reply.elapsed_ms > 20
    filter_.upstream(failure="reset")
    assert filter_.get().status == 503
    filter_.upstream(script=[Answer(500), Answer(200)])
    assert [filter_.get().status for _ in range(3)] == [500, 200, 200]
    filter_.upstream(script=lambda request: Answer(body=request.body.upper()))
    assert filter_.post(body="loud").body == "LOUD"


def test_an_upstream_that_saw_nothing_is_told_of(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "http-script.wasm", configuration="x-do")
    reply = filter_.get(headers={"x-do": "qh local|403|why|denied|-1|x-why|quota"})
    assert (reply.status, reply.body, reply.headers["x-why"]) == (403, "denied", "quota")
    assert reply.is_local
    assert reply.upstream is None
    with pytest.raises(MeshsimError, match="did not reach the upstream: the filter answered 403 'denied'"):
        _ = reply.request_headers


def test_bodies_trailers_and_pauses(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "http-script.wasm", configuration="x-do")
    filter_.upstream(body="pong", trailers={"x-end": "1"})
    script = "qb value|1;qe value|0;qe write|0|0|0|<;rb write|1|0|0|>"
    reply = filter_.post(chunks=["one", "two"], trailers={"t": "1"}, headers={"x-do": script})
    assert reply.request_body == "onetwo"
    assert reply.request_trailers == {"t": "1"}
    assert reply.body == ">pong"
    assert reply.trailers == {"x-end": "1"}
    assert ("proxy_on_request_body", "STOP_AND_BUFFER") in reply.actions
    assert reply.paused


def test_callouts_are_answered_as_told(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "call-script.wasm", configuration="x-do;", clusters=["auth"])
    script = f"qh value|1;qh fetch|auth|100|who|0|{_CALL};hr get|6|:status;hr effective|2;hr continue|0"
    filter_.upstream("auth", status=401, latency_ms=7)
    reply = filter_.get(headers={"x-do": script})
    assert [(call.cluster, call.path, call.body) for call in reply.callouts] == [("auth", "/check", "who")]
    assert any("g=0:401" in log.text for log in reply.logs)
    assert reply.paused
    assert 7 < reply.elapsed_ms < 8
    assert reply.status == 200
    assert [call.body for call in filter_.callouts("auth")] == ["who"]


def test_a_callout_times_out(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(
        guests / "call-script.wasm", configuration="x-do;", upstreams={"auth": Answer(failure="silent")}
    )
    script = f"qh value|1;qh fetch|auth|100||0|{_CALL};hr get|6|:status;hr effective|2;hr continue|0"
    pending = filter_.begin(headers={"x-do": script})
    filter_.tick(50)
    assert not pending.done
    with pytest.raises(MeshsimError, match="no answer yet"):
        _ = pending.reply
    assert pending.activity.paused
    filter_.tick(60)
    assert pending.reply.status == 200
    assert any("g=0:504" in log.text for log in filter_.logs)


def test_grpc_callouts(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    answer = Answer.grpc(b"world", message="fine")
    filter_ = wasm_filter(
        guests / "call-script.wasm",
        configuration="x-do;",
        upstreams={"grpc": answer},
        http2_clusters=["grpc"],
    )
    script = "qh value|1;qh unary|grpc|s.Svc|Meth|1000|hello;gr body|5|0|99;gr effective|2;gr continue|0"
    reply = filter_.get(headers={"x-do": script})
    assert reply.status == 200
    assert any("world" in log.text for log in reply.logs)
    (call,) = reply.callouts
    assert (call.path, call.headers["content-type"], call.body) == (
        "/s.Svc/Meth",
        "application/grpc",
        "\0\0\0\0\5hello",
    )


def test_timers(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "abi-tick.wasm")
    ticked = filter_.tick(100)
    assert ticked.logs == [("info", "tick")] * 2
    assert ticked.called("proxy_on_tick") == 4  # the main thread has a clone of its own
    assert filter_.now_ms >= 100


def test_metrics(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(
        guests / "ext-script.wasm", configuration="qh define|0|hits\nqh increment|4|2\nqh define|1|level"
    )
    filter_.get()
    assert filter_.metrics == {"hits": 2, "level": 0}
    with pytest.raises(KeyError, match="no metric 'misses' among: hits, level"):
        _ = filter_.metrics["misses"]
    assert filter_.stats["wasmcustom.hits"] == 2


def test_samples_of_histograms(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "abi-metrics.wasm")
    filter_.get()
    names = list(filter_.envoy.process.metric_values.samples)
    assert names
    assert all(filter_.metrics.samples(name) for name in names)


def test_shared_data(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "abi-shared-data.wasm", vm_id="mine")
    assert filter_.shared_data.get("unknown") is None
    filter_.shared_data["key-of-test"] = b"value"
    assert filter_.shared_data["key-of-test"] == b"value"
    assert "key-of-test" in filter_.shared_data
    with pytest.raises(KeyError, match="no shared data under 'unknown'"):
        _ = filter_.shared_data["unknown"]


def test_messages_of_other_modules(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "ext-script.wasm", vm_id="mine", configuration="cf register|jobs\nqr take|1")
    filter_.enqueue("jobs", b"work")
    assert [log.text for log in filter_.tick(1).logs] == ["qr(1) ta=0:work"]
    with pytest.raises(MeshsimError, match="no queue 'other'"):
        filter_.enqueue("other", b"work")


@pytest.mark.parametrize(("policy", "later"), [("FAIL_CLOSED", 503), ("FAIL_OPEN", 200)])
def test_traps_and_what_the_policy_makes_of_them(
    wasm_filter: WasmFilterFactory, guests: Path, policy: str, later: int
) -> None:
    filter_ = wasm_filter(guests / "abi-trap-where.wasm", failure_policy=policy)
    assert filter_.get("/none").status == 200
    assert not filter_.failed
    crashed = filter_.get("/q")
    assert crashed.status == 503
    assert [error.splitlines()[0] for error in crashed.errors] == [
        "Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable"
    ]
    assert filter_.failed
    assert filter_.get("/none").status == later


def test_a_filter_that_envoy_refuses(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    with pytest.raises(FilterRefused, match="Unable to create Wasm plugin filter") as refused:
        wasm_filter(guests / "abi-import-unknown.wasm")
    assert any("missing import" in error for error in refused.value.errors)
    assert "missing import" in str(refused.value)


def test_the_end(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    ended = wasm_filter(guests / "abi-life.wasm").shut_down()
    assert ended.called("proxy_on_done") == ended.called("proxy_on_delete") == 2


def test_configuration_environment_and_capabilities(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "ext-script.wasm", configuration=b"qh property|plugin_name")
    assert any("filter" in log.text for log in filter_.get().logs)
    filter_ = wasm_filter(guests / "abi-environment.wasm", environment={"KEY1": "VALUE1"})
    assert "VALUE1" in str(filter_.main_logs)
    filter_ = wasm_filter(guests / "abi-life.wasm", capabilities=["proxy_on_vm_start"])
    assert filter_.get().called("proxy_on_request_headers") == 0
    configured = wasm_filter(guests / "abi-configuration.wasm", configuration={"rate": 3}, vm_configuration=["a"])
    assert '{"rate": 3}' in str(configured.main_logs)


def test_workers_have_vms_of_their_own(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "abi-trap-where.wasm", workers=2)
    assert filter_.get("/q", worker=1).status == 503
    assert filter_.get("/none", worker=0).status == 200
    assert filter_.get("/none", worker=1).status == 503


def test_filters_of_connections(wasm_filter: WasmFilterFactory, guests: Path) -> None:
    filter_ = wasm_filter(guests / "ext-script.wasm", kind="network", configuration="dd body|2|0|3\nlo property|x")
    filter_.upstream(body="over TCP")
    reply = filter_.get("/x")
    assert (reply.status, reply.body, reply.request_headers[":path"]) == (200, "over TCP", "/x")
    assert any("GET" in log.text for log in reply.logs)
    assert reply.called("proxy_on_log") == 1


def test_a_module_as_bytes(wasm_filter: WasmFilterFactory, hello: Path) -> None:
    assert wasm_filter(hello.read_bytes()).get().request_headers["x-wasm"] == "wat"


def test_a_bootstrap_of_ones_own(wasm_filter: WasmFilterFactory, repository: Path) -> None:
    cases = repository / "tests" / "envoy" / "cases"
    filter_ = wasm_filter.from_bootstrap(cases / "hello-wat" / "envoy.yaml", workers=2)
    assert filter_.get(headers={"authorization": "x"}).logs == [("info", "x"), ("info", "goodbye")]


def test_a_cluster_that_is_not_there(wasm_filter: WasmFilterFactory, hello: Path) -> None:
    filter_ = wasm_filter(hello)
    with pytest.raises(ConfigError, match="no cluster 'auth'") as error:
        filter_.upstream("auth", status=403)
    assert "the bootstrap has: upstream" in str(error.value)


def test_a_file_that_is_not_there(wasm_filter: WasmFilterFactory) -> None:
    with pytest.raises(ConfigError, match="no such file") as error:
        wasm_filter("nowhere.wasm")
    assert str(Path(__file__).parent) in str(error.value)


def test_load_works_without_pytest(hello: Path) -> None:
    from meshsim.testing.bootstrap import Setup

    assert WasmFilter.load(Setup(hello)).get().request_headers["x-wasm"] == "wat"
