from __future__ import annotations

import pytest

from meshsim.abi.proxy_wasm import ProxyWasm
from meshsim.abi.traps import V8_WORDS
from tests.abi.conftest import PLUGIN, FakeHost, FakeStream, MakeWasm, module

#: A body that traps, and what V8 calls it.
BODIES = {
    "unreachable": "unreachable",
    "(drop (i32.load (i32.const -1)))": "memory access out of bounds",
    "(drop (i32.div_s (i32.const 1) (i32.const 0)))": "divide by zero",
    "(drop (i32.rem_u (i32.const 1) (i32.const 0)))": "remainder by zero",
    "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))": "divide result unrepresentable",
    "(drop (i32.trunc_f32_s (f32.const nan)))": "float unrepresentable in integer range",
    "(drop (i32.trunc_f32_s (f32.const 1e30)))": "float unrepresentable in integer range",
    "(call_indirect $t (param i32) (i32.const 0) (i32.const 9))": "table index is out of bounds",
    "(call_indirect $t2 (param i32) (i32.const 0) (i32.const 0))": "function signature mismatch",
}


def tick(make_wasm: MakeWasm, body: str, host: FakeHost, name: str = "") -> ProxyWasm:
    text = module(
        f'(table $t 1 funcref) (table $t2 1 funcref) (func {name} (export "proxy_on_tick") (param i32) {body})'
    )
    wasm = make_wasm(text, host)
    wasm.root_context(PLUGIN, FakeStream()).start()
    wasm.roots["key"].tick()
    return wasm


@pytest.mark.parametrize("body", BODIES)
def test_a_trap_in_v8s_words(make_wasm: MakeWasm, body: str) -> None:
    host = FakeHost()
    assert tick(make_wasm, body, host).failed
    assert [text for _, text in host.reports] == [
        f"Function: proxy_on_tick failed: Uncaught RuntimeError: {BODIES[body]}"
    ]


def test_the_backtrace_is_there_when_functions_have_names(make_wasm: MakeWasm) -> None:
    host = FakeHost()
    tick(make_wasm, "unreachable", host, "$here")
    first, second, frame = host.reports[0][1].split("\n")
    assert second == "Proxy-Wasm plugin in-VM backtrace:"
    assert frame.startswith("  0:  0x")
    assert frame.endswith(" - here")
    assert first == f"Function: proxy_on_tick failed: {V8_WORDS['unreachable']}"
