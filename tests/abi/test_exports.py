from __future__ import annotations

import pytest

from meshsim.abi.constants import FailState, LogLevel
from tests.abi.conftest import FakeHost, MakeWasm, module


@pytest.mark.parametrize(
    ("exports", "called"),
    [
        ([("_initialize", ""), ("_start", "")], ["_initialize()"]),
        ([("_start", "")], ["_start()"]),
        ([("_initialize", ""), ("main", "(param i32 i32) (result i32)")], ["_initialize()", "main(0, 0)"]),
        ([("_initialize", ""), ("__main_void", "(result i32)")], ["_initialize()", "__main_void()"]),
        ([("main", "(param i32 i32) (result i32)")], []),
        (
            [("_initialize", ""), ("main", "(param i32 i32) (result i32)"), ("__main_void", "(result i32)")],
            ["_initialize()", "main(0, 0)"],
        ),
    ],
)
def test_how_a_module_starts(make_wasm: MakeWasm, exports: list[tuple[str, str]], called: list[str]) -> None:
    host = FakeHost().traced()
    functions = [f'(func (export "{n}") {t} {"(i32.const 0)" if "result" in t else ""})' for n, t in exports]
    make_wasm(module(" ".join(functions)), host)
    assert [line.removeprefix("[host->vm] ") for line in host.lines() if "->vm" in line] == called


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            '(func (export "proxy_on_log") (param i32) (result i32) (i32.const 0))',
            "Bad function signature for: proxy_on_log, want: i32 -> void, but the module exports: i32 -> i32",
        ),
        (
            '(func (export "_initialize") (param i32))',
            "Bad function signature for: _initialize, want: void -> void, but the module exports: i32 -> void",
        ),
    ],
)
def test_an_export_of_another_type_fails_the_vm(make_wasm: MakeWasm, body: str, words: str) -> None:
    host = FakeHost()
    wasm = make_wasm(module(body), host, ready=False)
    assert not wasm.initialize()
    assert wasm.fail_state is FailState.UNABLE_TO_INITIALIZE_CODE
    assert (LogLevel.ERROR, words) in host.reports


def test_a_callbacks_name_on_a_global_is_nothing(make_wasm: MakeWasm) -> None:
    make_wasm(module('(global (export "proxy_on_log") i32 (i32.const 0))'))


def test_a_module_without_an_allocator_is_refused(make_wasm: MakeWasm) -> None:
    host = FakeHost()
    wasm = make_wasm(module().replace('"malloc"', '"free"'), host, ready=False)
    assert not wasm.initialize()
    assert host.reports == [(LogLevel.ERROR, "Wasm VM failed Wasm module is missing malloc function.")]


def test_malloc_goes_before_the_abis_own_allocator(make_wasm: MakeWasm) -> None:
    own = '(func (export "proxy_on_memory_allocate") (param i32) (result i32) (i32.const 512))'
    assert make_wasm(module(own)).allocate(5) == 4096
    assert make_wasm(module(own).replace('"malloc"', '"x"')).allocate(5) == 512
