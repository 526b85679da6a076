from __future__ import annotations

import pytest

from meshsim.abi.callouts import HttpAnswer
from meshsim.abi.codec import encode_pairs
from meshsim.abi.constants import Status
from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.signatures import func_type
from tests.abi.conftest import PLUGIN, FakeHost, FakeStream, MakeWasm, Pairs, module

CALL = """(import "env" "proxy_http_call" (func $call
  (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_status" (func $status (param i32 i32 i32) (result i32)))"""
BODY = """
  (func (export "call") (param i32 i32 i32 i32 i32 i32) (result i32)
    (call $call (local.get 0) (local.get 1) (local.get 2) (local.get 3)
                (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (local.get 4) (local.get 5)))
  (func (export "proxy_on_http_call_response") (param i32 i32 i32 i32 i32)
    (drop (call $status (i32.const 100) (i32.const 104) (i32.const 108))))"""
WHOLE = [(b":method", b"GET"), (b":path", b"/"), (b":authority", b"a")]


@pytest.fixture
def host() -> FakeHost:
    return FakeHost().traced()


@pytest.fixture
def wasm(make_wasm: MakeWasm, host: FakeHost) -> ProxyWasm:
    wasm = make_wasm(module(BODY, CALL), host)
    wasm.root_context(PLUGIN, FakeStream()).start()
    wasm.current = wasm.acting = wasm.add_context(PLUGIN, FakeStream(), wasm.roots["key"])
    return wasm


def call(
    wasm: ProxyWasm, pairs: list[tuple[bytes, bytes]] | None = None, cluster: bytes = b"c", timeout_ms: int = 0
) -> tuple[int, int | None]:
    """Make a callout; return status and token."""
    block = encode_pairs(WHOLE if pairs is None else pairs)
    memory = wasm.vm.memory
    memory.write(0x100, cluster)
    memory.write(0x200, block)
    memory.write_u32(0x80, 77)
    function = wasm.vm.function("call", func_type("iiiiii>i"))
    assert function
    return function(0x100, len(cluster), 0x200, len(block), timeout_ms, 0x80), memory.read_u32(0x80)


def test_tokens_go_up_in_fours_from_four(wasm: ProxyWasm) -> None:
    assert [call(wasm) for _ in range(3)] == [(0, 4), (0, 8), (0, 12)]


@pytest.mark.parametrize("missing", [b":method", b":path", b":authority"])
def test_what_every_request_needs(wasm: ProxyWasm, host: FakeHost, missing: bytes) -> None:
    pairs = [pair for pair in WHOLE if pair[0] != missing]
    assert call(wasm, pairs) == (Status.BAD_ARGUMENT, 0)
    assert host.calls == []


@pytest.mark.parametrize(("timeout_ms", "status"), [(2**31 - 1, 0), (2**31, 2), (2**32 - 1, 2)])
def test_a_negative_timeout_is_refused(wasm: ProxyWasm, timeout_ms: int, status: int) -> None:
    assert call(wasm, timeout_ms=timeout_ms)[0] == status


def test_a_cluster_that_is_not_there_and_one_that_fails_at_once(wasm: ProxyWasm, host: FakeHost) -> None:
    assert call(wasm, cluster=b"nowhere") == (Status.BAD_ARGUMENT, 0)
    assert call(wasm, cluster=b"refused") == (Status.INTERNAL_FAILURE, 0)


def test_an_answer_goes_to_the_root_with_its_sizes(wasm: ProxyWasm, host: FakeHost) -> None:
    call(wasm)
    _, done = host.calls[0]
    done(HttpAnswer(Pairs([(b":status", b"200"), (b"a", b"b")]), b"hello", Pairs([(b"t", b"1")])))
    assert "[host->vm] proxy_on_http_call_response(1, 4, 2, 5, 1)" in host.lines()
    assert wasm.callouts.shown_to(wasm.roots["key"]).answer is None
    lines = len(host.lines())
    done(None)
    assert len(host.lines()) == lines, "a callout is answered once"


def test_no_answer_is_told_with_a_status(wasm: ProxyWasm, host: FakeHost) -> None:
    call(wasm)
    host.calls[0][1](None)
    assert "[host->vm] proxy_on_http_call_response(1, 4, 0, 0, 0)" in host.lines()
    assert wasm.vm.memory.read_u32(100) == Status.BROKEN_CONNECTION
    assert wasm.vm.memory.read(4096, 5) == b"reset"
    assert wasm.callouts.message == b""


def test_the_end_of_the_vm_cancels_what_is_under_way(wasm: ProxyWasm, host: FakeHost) -> None:
    for _ in range(3):
        call(wasm)
    wasm.callouts.cancel_all()
    assert sorted(map(id, host.cancelled)) == sorted(id(each) for each, _ in host.calls)
    before = host.lines()
    for _, done in host.calls:
        done(None)
    assert host.lines() == before
