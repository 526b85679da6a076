"""What ends the real Envoy's process: meshsim lives on, as the page on differences says."""

from __future__ import annotations

import json

import pytest
import wasmtime

from meshsim.envoy.loader import parse_bootstrap
from meshsim.envoy.proxy import Envoy
from meshsim.errors import NotModelled
from meshsim.sim import Level
from meshsim.testing import WasmFilter, WasmFilterFactory
from meshsim.testing.bootstrap import Setup
from tests.conformance.conftest import Run, answers_of, module_of

_NO_MEMORY = """(module
  (import "env" "proxy_call_foreign_function" (func $call (param i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "compress")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 0))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $log (i32.const 9)
      (call $call (i32.const 0) (i32.const 8) (i32.const 0) (i32.const 8) (i32.const 16) (i32.const 20)) (i32.const 0)))
    (i32.const 0)))"""

_VECTOR = """(module (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "malloc") (param i32) (result i32) (i32.const 4096))
  (func (export "wide") (param v128)))"""


@pytest.mark.parametrize("phase", ["lo", "do"])
@pytest.mark.parametrize(
    ("command", "crash"),
    [
        ("local|403||no|-1", "a stream is answered that is over"),
        ("hang|0", "a stream is closed that is over"),
        ("hang|1", "a stream is closed that is over"),
    ],
)
@pytest.mark.parametrize("level", [Level.ABI, Level.REQUESTS])
def test_an_answer_or_a_reset_at_the_end_of_a_stream(phase: str, command: str, crash: str, level: Level) -> None:
    filter_ = WasmFilter(
        Envoy(parse_bootstrap(Setup(module_of("http-script"), configuration="x-do").text()), level=level)
    )
    reply = filter_.get("/", headers={"x-do": f"{phase} {command}"})
    assert reply.status == 200
    assert filter_.crashes == [crash]
    if level is Level.ABI:
        assert [status for _, status, _ in answers_of(reply, phase)] == [0]


def test_a_stream_is_closed_twice(wasm_filter: WasmFilterFactory) -> None:
    filter_ = wasm_filter(module_of("http-script"), configuration="x-do")
    assert filter_.get("/", headers={"x-do": "qh hang|0"}).status == 0
    assert filter_.crashes == []
    assert filter_.get("/", headers={"x-do": "qh hang|0;qh hang|1"}).status == 0
    assert filter_.crashes == ["a stream is closed that is over"]


def test_a_response_is_continued_before_there_is_one(wasm_filter: WasmFilterFactory) -> None:
    filter_ = wasm_filter(module_of("http-script"), configuration="x-do")
    reply = filter_.get("/", headers={"x-do": "qh continue|1"})
    assert reply.status == 200
    assert answers_of(reply, "qh") == [("c", 0, "")]
    assert filter_.crashes == ["the response is continued before there is one"]


def test_what_does_no_harm_is_no_crash(wasm_filter: WasmFilterFactory) -> None:
    filter_ = wasm_filter(module_of("http-script"), configuration="x-do")
    assert filter_.get("/", headers={"x-do": "qh local|403||no|-1"}).status == 403
    assert filter_.crashes == []


def test_a_stream_of_abi_0_1_0_is_continued_that_does_not_wait(run: Run) -> None:
    outcome = run(("proxy_continue_request",), ("proxy_continue_response",), module={"version": "0_1_0"})
    assert outcome.reply.status == 200
    assert outcome.statuses == [0, 0]


def test_a_foreign_function_gets_no_memory_for_its_result(wasm_filter: WasmFilterFactory) -> None:
    reply = wasm_filter(bytes(wasmtime.wat2wasm(_NO_MEMORY))).get()
    assert reply.status == 200
    assert "[vm<-host] env.proxy_call_foreign_function return: 6" in reply.trace


def test_a_vector_in_the_type_of_an_export(wasm_filter: WasmFilterFactory) -> None:
    with pytest.raises(NotModelled, match="an exported function of type"):
        wasm_filter(bytes(wasmtime.wat2wasm(_VECTOR)))


def test_a_vm_is_reloaded_each_millisecond() -> None:
    tree = json.loads(Setup(module_of("abi-trap-where"), failure_policy="FAIL_RELOAD").text())
    manager = tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    plugin = manager["http_filters"][0]["typed_config"]["config"]
    plugin["reload_config"] = {"backoff": {"base_interval": "0.001s"}}
    filter_ = WasmFilter(Envoy(parse_bootstrap(json.dumps(tree))))
    assert filter_.get("/q").status == 503
    filter_.tick(5)
    assert filter_.get("/none").status == 200
