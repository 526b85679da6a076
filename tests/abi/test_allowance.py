from __future__ import annotations

import pytest

from meshsim.abi.allowance import EVENT_BYTES, WEIGHTS, Allowance, AllowanceExceeded
from meshsim.abi.events import Event, LogLine
from meshsim.abi.signatures import HOST_FUNCTIONS
from meshsim.errors import MeshsimError
from tests.abi.conftest import PLUGIN, FakeHost, FakeStream, MakeWasm, module


def test_weights_are_of_host_functions() -> None:
    assert set(WEIGHTS) <= {function.name for function in HOST_FUNCTIONS}


def test_a_function_that_keeps_nothing_is_left_as_it_is() -> None:
    def call() -> int:
        return 7

    allowance = Allowance(1000, 1000)
    assert allowance.weighed("proxy_get_property", call) is call
    assert allowance.weighed("proxy_log", call)() == 7
    assert allowance.spent == WEIGHTS["proxy_log"]


def test_what_is_recorded_counts_for_the_call_and_for_the_run() -> None:
    events: list[Event] = []
    allowance = Allowance(3 * EVENT_BYTES, 4 * EVENT_BYTES)
    record, line = allowance.recorder(events.append), LogLine("info", "x", True)
    for _ in range(3):
        record(line)
    with pytest.raises(AllowanceExceeded, match="for one call"):
        record(line)
    allowance.spent = 0
    record(line)
    with pytest.raises(AllowanceExceeded, match="of one VM"):
        record(line)
    assert len(events) == 4


def test_each_call_from_outside_has_its_own_allowance(make_wasm: MakeWasm) -> None:
    log = "(drop (call $log (i32.const 2) (i32.const 0) (i32.const 1)))"
    text = module(
        f'(func (export "proxy_on_tick") (param i32) {log * 10})',
        '(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))',
    )
    host = FakeHost()
    wasm = make_wasm(text, host)
    root = wasm.root_context(PLUGIN, FakeStream())
    root.create()
    spent = []
    for _ in range(3):
        root.tick()
        spent.append(wasm.allowance.spent)
    assert spent == [10 * WEIGHTS["proxy_log"]] * 3
    assert wasm.allowance.kept == 0, "without a trace nothing stays"


def test_the_error_names_plugin_callback_and_host_call(make_wasm: MakeWasm) -> None:
    text = module(
        '(func (export "proxy_on_tick") (param i32) (loop $l (drop (call $now (i32.const 0))) (br $l)))',
        '(import "env" "proxy_get_current_time_nanoseconds" (func $now (param i32) (result i32)))',
    )
    wasm = make_wasm(text, FakeHost().traced())
    root = wasm.root_context(PLUGIN, FakeStream())
    with pytest.raises(MeshsimError) as ended:
        root.tick()
    place = f"plugin {PLUGIN.name!r} (VM {PLUGIN.vm_id!r}), proxy_on_tick > env.proxy_get_current_time_nanoseconds"
    assert ended.value.where == place
