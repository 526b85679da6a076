"""The shim and the Python host functions do the same: on random sequences, and on each module of the repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import wasmtime

from meshsim.abi.code import Code
from meshsim.abi.constants import AbiVersion, FailState, HeaderMapType, HeadersAction, LogLevel
from meshsim.abi.context import Plugin
from meshsim.abi.ports import NoStream
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.shim.drivers import OPEN
from meshsim.abi.vm_host import VmHost
from meshsim.envoy.headers import HeaderMap, Kind
from meshsim.errors import DeadlineExceeded, MeshsimError, ModuleError
from meshsim.wasm import Engine, Limits
from tests.abi.conftest import module
from tests.shimfuzz.sequences import difference
from tests.shimfuzz.world import Thread, Windows

MODULES = sorted((Path(__file__).parents[2] / "modules").glob("*/*.wasm"))
GUESTS = sorted((Path(__file__).parents[1] / "envoy" / "modules").glob("*.wasm"))
PLUGIN = Plugin("p", "r", "vm", key="key", configuration=b"{}", allow_stop_iteration=True)
REQUEST = [(b":path", b"/"), (b":method", b"GET"), (b"authorization", b"Basic x"), (b"cookie", b"a=1")]
RESPONSE = [(b":status", b"200"), (b"content-type", b"text/html")]


@pytest.mark.parametrize("first", range(0, 100, 20))
def test_random_sequences(first: int) -> None:
    """``python -m tests.shimfuzz --sequences 10000`` plays more of them."""
    for seed in range(first, first + 20):
        assert difference(seed) is None


def outcome_of(code: Code, *, with_shim: bool, one_by_one: bool = False) -> list[Any]:
    """All that a module does to three streams, with fuel and time after each step; and whether the VM has a shim."""
    thread = Thread(record=None if with_shim else lambda _: None)
    wasm = ProxyWasm(code, cast(VmHost, thread), NoStream(), limits=Limits(deadline_s=20))
    seen: list[Any] = [wasm.initialize()]
    if not seen[0]:
        return [*seen, thread.told]
    root = wasm.root_context(PLUGIN, Windows(thread))
    seen += [root.start(), root.configure()]

    def note(*results: Any) -> None:
        seen.append((*results, wasm.vm.fuel_used, thread.meter.now_ns, wasm.fail_state))

    for _ in range(3):
        request, response = HeaderMap(REQUEST, Kind.REQUEST), HeaderMap(RESPONSE, Kind.RESPONSE)
        stream = Windows(thread)
        stream.after = wasm.after_call
        context = wasm.add_context(PLUGIN, stream, root)
        if one_by_one:
            context.create()
        note(context.open(4, True, lambda: stream.open(HeaderMapType.REQUEST_HEADERS, request)), request.pairs())  # noqa: B023
        stream.close()
        stream.open(HeaderMapType.RESPONSE_HEADERS, response)
        note(context.headers("proxy_on_response_headers", 2, True), response.pairs())
        stream.close()
        context.finish(lambda: None)
        note()
    seen += [thread.told, wasm.memory.read(0, wasm.memory.size), thread.metric_values.stats()]
    wasm.close()
    return seen


@pytest.fixture(scope="module")
def shared() -> Engine:
    return Engine()


@pytest.mark.parametrize("path", [*MODULES, *GUESTS], ids=lambda path: path.stem)
def test_each_module_burns_the_same_fuel_and_leaves_the_same_memory(path: Path, shared: Engine) -> None:
    try:
        code = Code.of(shared.compile(path.read_bytes()))
    except ModuleError:
        pytest.skip("not a module that Envoy takes")
    plain = outcome_of(code, with_shim=False)
    assert outcome_of(code, with_shim=True) == plain


Make = Callable[..., tuple[ProxyWasm, Thread, Windows]]


@pytest.fixture
def make(shared: Engine) -> Make:
    """Make a VM with a stream context, which has a shim unless something speaks against it."""

    def make_wasm(text: str, **options: Any) -> tuple[ProxyWasm, Thread, Windows]:
        thread = Thread(record=options.pop("record", None))
        wasm = ProxyWasm(
            Code.of(shared.compile(bytes(wasmtime.wat2wasm(text)))), cast(VmHost, thread), NoStream(), **options
        )
        assert wasm.initialize()
        root = wasm.root_context(PLUGIN, NoStream())
        root.create()
        stream = Windows(thread)
        stream.after = wasm.after_call
        wasm.add_context(PLUGIN, stream, root)
        return wasm, thread, stream

    return make_wasm


@pytest.mark.parametrize(
    "options",
    [
        {"record": lambda _: None},
        {"capabilities": frozenset({"proxy_on_request_headers"})},
        {"limits": Limits(fuel_per_call=1_000_000)},
        {"limits": Limits(memory_bytes=1 << 17)},
    ],
    ids=["recorded", "restricted", "limited fuel", "no room"],
)
def test_where_python_answers(make: Make, options: dict[str, Any]) -> None:
    wasm, _, _ = make(module(), **options)
    assert wasm.shim is None
    assert make(module())[0].shim is not None


@pytest.mark.parametrize(
    "memory",
    ["", '(memory (export "memory") i64 1)', '(memory (import "env" "memory") 1)'],
    ids=["none", "wide", "imported"],
)
def test_memories_of_other_kinds(make: Make, memory: str) -> None:
    text = f"""(module {memory} (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) (i32.const 0)))"""
    assert (make(text)[0].shim is not None) is ("import" in memory)


def test_no_shim_before_the_first_stream(shared: Engine) -> None:
    code = Code.of(shared.compile(bytes(wasmtime.wat2wasm(module()))))
    wasm = ProxyWasm(code, cast(VmHost, Thread()), NoStream())
    assert wasm.initialize()
    root = wasm.root_context(PLUGIN, NoStream())
    assert root.start()
    assert wasm.shim is None


LOG = '(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))'


@pytest.mark.parametrize("version", [AbiVersion.V0_1_0, AbiVersion.V0_2_1])
def test_a_trap_has_the_guests_frames_and_comes_behind_its_log(make: Make, version: AbiVersion) -> None:
    params = "i32 i32" if version is AbiVersion.V0_1_0 else "i32 i32 i32"
    body = f"""(func $inner (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0))) unreachable)
      (func $outer (export "proxy_on_request_headers") (param {params}) (result i32) (call $inner) (i32.const 0))"""
    told = []
    for record in (None, lambda _: None):
        wasm, thread, _ = make(module(body, LOG, version), record=record)
        context = wasm.contexts[2]
        assert context.open(0, True, lambda: None) is HeadersAction.STOP_ALL_AND_WATERMARK
        assert wasm.fail_state is FailState.RUNTIME_ERROR
        told.append(thread.told)
    assert told[0] == told[1]
    assert [event[0] for event in told[0]] == ["log", "report", "fail"]
    assert "inner" in told[0][1][2]
    assert "meshsim" not in told[0][1][2]


def test_a_shim_function_that_traps_in_the_allocator_shows_no_frame_of_its_own(make: Make) -> None:
    """It ends the callback where Python's host functions go on: a trap cannot be caught in Wasm."""
    get = '(import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))'
    text = f"""(module {get} (memory (export "memory") 1) (data (i32.const 0) "a")
      (global $calls (mut i32) (i32.const 0))
      (func (export "proxy_abi_version_0_2_1"))
      (func $allocator (export "malloc") (param i32) (result i32)
        (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
        (if (i32.eq (global.get $calls) (i32.const 3)) (then unreachable)) (i32.const 1024))
      (func $callback (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (drop (call $get (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 12)))
        (drop (call $get (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 12)))
        (drop (call $get (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 12))) (i32.const 0)))"""
    wasm, thread, stream = make(text)
    headers = HeaderMap([(b"a", b"b")], Kind.REQUEST)
    wasm.contexts[2].open(1, True, lambda: stream.open(HeaderMapType.REQUEST_HEADERS, headers))
    report = next(text for what, *_, text in thread.told if what == "report")
    assert [line.rpartition(" - ")[2] for line in report.splitlines()[2:]] == ["allocator", "callback"]


def test_the_first_block_and_large_ones_are_asked_for_with_a_net(make: Make) -> None:
    """So an allocator that always traps, or has no room for something large, ends like with Python's host functions."""
    text = """(module
      (import "env" "proxy_get_header_map_value" (func $get (param i32 i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (data (i32.const 0) "a")
      (func (export "proxy_abi_version_0_2_1"))
      (func (export "malloc") (param i32) (result i32) unreachable)
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
        (i32.store (i32.const 16) (call $get (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8) (i32.const 12)))
        (i32.const 0)))"""
    for record in (None, lambda _: None):
        wasm, thread, stream = make(text, record=record)
        headers = HeaderMap([(b"a", b"b")], Kind.REQUEST)
        wasm.contexts[2].open(1, True, lambda: stream.open(HeaderMapType.REQUEST_HEADERS, headers))  # noqa: B023
        assert wasm.memory.read_u32(16) == 6, "the callback has gone on"
        assert thread.told[0][1] is LogLevel.ERROR


def test_a_phase_ends_where_the_module_asks_for_something(make: Make) -> None:
    reply = (
        '(import "env" "proxy_send_local_response" (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))'
    )
    zeros = " ".join(["(i32.const 0)"] * 8)
    body = f"""(func (export "proxy_on_context_create") (param i32 i32) (drop (call $reply {zeros})))
      (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) (i32.const 0))"""
    wasm, thread, _ = make(module(body, reply))
    context = wasm.contexts[2]
    ran = wasm.phase(context, OPEN, (2, 1, 0, 1))
    assert (ran.over, ran.trapped, ran.result) == (1, False, None)
    assert thread.told == [], "what it asked for happens when the callback is over"
    wasm.settle()
    assert [event[0] for event in thread.told] == ["reply"]


def test_a_map_that_is_shown_is_not_asked_for(make: Make) -> None:
    add = '(import "env" "proxy_add_header_map_value" (func $add (param i32 i32 i32 i32 i32) (result i32)))'
    body = """(data (i32.const 0) "via") (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
      (drop (call $add (i32.const 2) (i32.const 0) (i32.const 3) (i32.const 0) (i32.const 1))) (i32.const 0))"""
    wasm, _, stream = make(module(body, add))
    headers = HeaderMap([(b":status", b"200"), (b"via", b"x")], Kind.RESPONSE)
    assert wasm.shim is not None
    wasm.shim.show(HeaderMapType.RESPONSE_HEADERS, headers)
    wasm.contexts[2].headers("proxy_on_response_headers", 2, True)
    assert headers.pairs() == [(b":status", b"200"), (b"via", b"x,v")]
    assert stream.changed == {HeaderMapType.RESPONSE_HEADERS}
    wasm.contexts[2].headers("proxy_on_response_headers", 2, True)
    assert headers.pairs()[1] == (b"via", b"x,v"), "it was shown once"


def test_counters_are_seen_by_everybody_who_reads(make: Make) -> None:
    imports = """(import "env" "proxy_define_metric" (func $define (param i32 i32 i32 i32) (result i32)))
      (import "env" "proxy_increment_metric" (func $count (param i32 i64) (result i32)))"""
    body = """(data (i32.const 0) "hits")
      (func (export "proxy_on_context_create") (param $id i32) (param i32)
        (if (i32.eq (local.get $id) (i32.const 1))
          (then (drop (call $define (i32.const 0) (i32.const 0) (i32.const 4) (i32.const 8))))
          (else (drop (call $count (i32.load (i32.const 8)) (i64.const 5))))))"""
    wasm, thread, _ = make(module(body, imports))
    wasm.contexts[2].create()
    assert thread.metric_values.values == {(0, "hits"): 0}, "put off"
    assert thread.metric_values.stats() == {"wasmcustom.hits": 5}
    wasm.contexts[2].created = False
    wasm.contexts[2].create()
    wasm.close()
    assert thread.metric_values.stats() == {"wasmcustom.hits": 10}, "also of a VM that is gone"


def test_an_exception_of_the_host_passes_through(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    body = """(func (export "proxy_on_context_create") (param i32 i32)
      (drop (call $log (i32.const 2) (i32.const 0) (i32.const 20000))))"""
    wasm, _, _ = make(module(body, LOG))

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Thread, "log", interrupted)  # a line that is too long for the shim goes to Python at once
    with pytest.raises(KeyboardInterrupt):
        wasm.contexts[2].create()
    monkeypatch.undo()
    wasm.contexts[2].created = False
    wasm.contexts[2].create()


def test_a_guest_that_does_not_return_is_ended_and_the_vm_can_be_called_again(make: Make) -> None:
    body = """(func (export "proxy_on_context_create") (param $id i32) (param i32)
      (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0)))
      (if (i32.eq (local.get $id) (i32.const 2)) (then (loop $ever (br $ever)))))"""
    wasm, thread, _ = make(module(body, LOG), limits=Limits(deadline_s=0.05))
    with pytest.raises(DeadlineExceeded, match="proxy_on_context_create"):
        wasm.contexts[2].open(0, True, lambda: None)
    assert [event[0] for event in thread.told] == ["log"] * 2, "of the root context, and of the stream's"
    other = wasm.add_context(PLUGIN, Windows(thread), wasm.contexts[1])
    other.create()
    assert len(thread.told) == 3


def test_a_vm_that_is_closed_refuses(make: Make) -> None:
    wasm, _, _ = make(module('(func (export "proxy_on_context_create") (param i32 i32))'))
    assert wasm.shim is not None
    wasm.close()
    with pytest.raises(MeshsimError, match="closed"):
        wasm.contexts[2].create()


def test_it_can_be_left_out(make: Make) -> None:
    assert make(module(), shim=False)[0].shim is None
