"""Rows A: loading, linking, running; WASI; memory."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest
import wasmtime

from meshsim.abi.code import Code
from meshsim.abi.constants import AbiVersion, Status
from meshsim.envoy.buffer import BodyBuffer, ReadOnlyBuffer
from meshsim.envoy.loader import parse_bootstrap
from meshsim.envoy.proxy import Envoy
from meshsim.errors import DeadlineExceeded, ModuleError
from meshsim.sim import Level
from meshsim.testing import WasmFilter, WasmFilterFactory
from meshsim.testing.bootstrap import Setup
from meshsim.wasm import Engine, FuncType, HostImport, Limits, Vm, parse_module
from tests.conformance.conftest import Run, errors_of, module_of, statuses_of, texts, truth
from tests.conformance.guests import OUT, OUTSIDE, SIZE, Load, guest

_GROW = """
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))
    (unreachable))"""
_MIB = 1 << 20


def _vm(text: str, limits: Limits | None = None, **imports: HostImport) -> Vm:
    code = Engine().compile(bytes(wasmtime.wat2wasm(text)), interruptible=True)
    return Vm(code, {("env", name): function for name, function in imports.items()}, limits or Limits())


def test_a01_bytes_that_are_no_module_are_refused() -> None:
    result = truth("abi-refused-not-wasm")
    assert not result.ready
    assert "Wasm VM failed Failed to parse corrupted Wasm module" in errors_of(result)


def test_a02_a_function_is_only_found_by_its_type() -> None:
    vm = _vm('(module (func (export "run")))')
    assert vm.function("run", FuncType("ii", "i")) is None
    assert vm.function("run", FuncType("", "")) is not None
    result = truth("abi-refused-mistyped")
    wanted = "Bad function signature for: proxy_on_log, want: i32 -> void, but the module exports: f64 i64 -> void"
    assert wanted in errors_of(result)
    assert "Wasm VM failed Failed to initialize Wasm code" in errors_of(result)


def test_a03_a_function_that_is_not_there_is_not_found() -> None:
    vm = _vm('(module (func (export "run")))')
    assert vm.function("walk", FuncType("", "")) is None
    assert vm.function("run", FuncType("", "")) is not None


def test_a04_a_trace_has_each_crossing_in_order(run: Run) -> None:
    outcome = run(("clock_time_get", 1, 1, OUT))
    lines = outcome.reply.trace.splitlines()
    assert lines == [
        "[host->vm] proxy_on_request_headers(2, 6, 1)",
        "[vm->host] wasi_snapshot_preview1.clock_time_get(1, 1, 16)",
        "[vm<-host] wasi_snapshot_preview1.clock_time_get return: 0",
        "[host<-vm] proxy_on_request_headers return: 0",
    ]
    silent = Envoy(parse_bootstrap(Setup(module_of("abi-life")).text()), level=Level.REQUESTS)
    silent.start()
    assert silent.abi_trace() == []


def test_a05_a_guest_that_never_returns_can_be_ended(wasm_filter: WasmFilterFactory) -> None:
    endless = guest({}, more=_GROW.replace("(memory.grow (i32.const 16))", "(i32.const 0)"))
    filter_ = WasmFilter.load(Setup(endless), limits=Limits(fuel_per_call=100_000))
    reply = filter_.get()
    assert reply.status == 503
    assert reply.errors[0].startswith("Function: proxy_on_request_headers failed")
    with pytest.raises(DeadlineExceeded):
        WasmFilter.load(Setup(endless), limits=Limits(deadline_s=0.1)).get()


def test_a06_memory_ends_at_one_gibibyte() -> None:
    _memory_ends_at(1024 * _MIB, WasmFilter.load(Setup(guest({}, more=_GROW))))


def test_a07_memory_ends_at_a_limit_of_ones_own() -> None:
    _memory_ends_at(20 * _MIB, WasmFilter.load(Setup(guest({}, more=_GROW)), limits=Limits(memory_bytes=20 * _MIB)))


def _memory_ends_at(limit_bytes: int, filter_: WasmFilter) -> None:
    reply = filter_.get()
    assert "unreachable" in reply.errors[0]
    sizes = {row.linear_bytes for row in filter_.envoy.memory() if row.thread != "main"}
    assert all(0.95 * limit_bytes <= size <= limit_bytes for size in sizes)
    assert sizes


def test_a08_a_trap_is_told_with_the_function_and_a_backtrace() -> None:
    first = errors_of(truth("abi-traps"))[0].splitlines()
    assert first[0] == "Function: proxy_on_request_headers failed: Uncaught RuntimeError: unreachable"
    assert first[1] == "Proxy-Wasm plugin in-VM backtrace:"
    assert first[2].endswith(" - fall")


def test_a09_a_guest_calls_back_into_the_host() -> None:
    counter = 0

    def callback() -> None:
        nonlocal counter
        counter += 1

    text = """(module (import "env" "callback" (func $callback)) (global $g i32 (i32.const 100000))
      (func (export "run") (call $callback)) (func (export "run2") (param i32) (result i32)
        (i32.add (global.get $g) (i32.add (local.get 0) (i32.const 100)))))"""
    vm = _vm(text, callback=HostImport(FuncType("", ""), callback))
    run_it, run2 = vm.function("run", FuncType("", "")), vm.function("run2", FuncType("i", "i"))
    assert run_it
    assert run2
    for _ in range(5):
        run_it()
    assert (counter, run2(0)) == (5, 100_100)


@pytest.mark.parametrize("allowed", [True, False])
def test_a10_a_section_of_precompiled_code_changes_nothing(tmp_path: Path, allowed: bool) -> None:
    name = b"precompiled_wee8_v9.9.9_linux_x86_64"
    section = bytes([len(name)]) + name + b"code"
    path = tmp_path / "module.wasm"
    path.write_bytes(module_of("abi-life").read_bytes() + b"\0" + bytes([len(section)]) + section)
    tree = json.loads(Setup(path).text())
    manager = tree["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
    manager["http_filters"][0]["typed_config"]["config"]["vm_config"]["allow_precompiled"] = allowed
    filter_ = WasmFilter(Envoy(parse_bootstrap(json.dumps(tree))))
    assert filter_.get().called("proxy_on_request_headers") == 1


def test_a11_custom_sections_are_read() -> None:
    module = bytes(wasmtime.wat2wasm("(module (func))")) + b"\0\x05\x03oneA"
    assert parse_module(module).custom_section("one") == b"A"
    assert parse_module(module).custom_section("two") is None
    with pytest.raises(ModuleError):
        parse_module(module[:-1])


def test_a13_the_marker_says_the_version() -> None:
    facts = parse_module(bytes(wasmtime.wat2wasm('(module (func (export "proxy_abi_version_0_2_0")))')))
    assert Code.check_version(facts) is AbiVersion.V0_2_0


def test_a14_environment_variables_are_seen() -> None:
    assert set(texts(truth("abi-environment"))) == {"GREETING=hello world\0"}
    assert texts(truth("abi-environment-none")) == ["", "EMPTY=\0"]


def test_a15_both_clocks_can_be_read(run: Run) -> None:
    show = ("proxy_log", 9, Load(OUT), 0)  # a level that there is not: the trace shows the number
    realtime, shown, monotonic, shown_too = run(
        ("clock_time_get", 0, 1, OUT), show, ("clock_time_get", 1, 1, OUT), show
    ).calls
    assert (realtime.status, monotonic.status) == (0, 0)
    assert shown.arguments[1]
    assert shown_too.arguments[1]
    assert set(statuses_of(truth("abi-clock-random"), "proxy_get_current_time_nanoseconds")) <= {0, 6}


def test_a16_random_numbers_up_to_64_kib(run: Run) -> None:
    sizes = (0, 32, 65_536, 66_560)
    assert run(*(("random_get", 70_000, size) for size in sizes)).statuses == [0, 0, 0, 28]


def test_a17_both_outputs_are_logged() -> None:
    logged = [(level, text) for thread, level, text in truth("abi-fd-write").logs if thread == "worker_0"]
    assert logged[:2] == [("info", "wasm log root vm: plain"), ("error", "wasm log root vm: plain")]


def test_a18_a_bad_pointer_is_a_status(run: Run) -> None:
    outcome = run(
        ("proxy_log", 2, OUTSIDE, 4),
        ("proxy_log", 2, 0, OUTSIDE),
        ("proxy_get_property", "plugin_name", OUTSIDE, SIZE),
        ("proxy_log", 2, "alive"),
    )
    assert outcome.statuses == [6, 6, 6, 0]
    assert outcome.said == ["alive"]


def test_a19_nothing_is_written_into_the_middle_of_a_buffer() -> None:
    assert BodyBuffer(bytearray(b"hello")).splice(1, 1, b"x") is Status.BAD_ARGUMENT
    assert ReadOnlyBuffer(b"hello").splice(1, 1, b"x") is Status.BAD_ARGUMENT


def test_a20_numbers_in_memory_are_little_endian() -> None:
    vm = _vm('(module (memory (export "memory") 1))')
    assert vm.memory.write_u32(0, 0x01020304)
    assert vm.memory.write_u64(8, (1 << 64) - 2)
    assert vm.memory.read(0, 4) == b"\4\3\2\1"
    assert struct.unpack("<q", vm.memory.read(8, 8) or b"") == (-2,)


def test_a21_vms_of_one_code_have_memories_of_their_own() -> None:
    code = Engine().compile(bytes(wasmtime.wat2wasm('(module (memory (export "memory") 1))')))
    original, clone = Vm(code, {}), Vm(code, {})
    assert clone.memory.write_u32(0x2000, 100)
    assert (clone.memory.read_u32(0x2000), original.memory.read_u32(0x2000)) == (100, 0)
