from __future__ import annotations

import pytest

from meshsim.abi.constants import BufferType, FailState, LogLevel
from meshsim.abi.context import Context, Plugin
from meshsim.errors import NotModelled
from meshsim.wasm import Engine, Limits
from tests.abi.conftest import PLUGIN, Body, FakeHost, FakeStream, MakeWasm, module

LIFE = """
  (func (export "proxy_on_context_create") (param i32 i32))
  (func (export "proxy_on_vm_start") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_configure") (param i32 i32) (result i32) (i32.const 1))
  (func (export "proxy_on_tick") (param i32))
  (func (export "proxy_on_done") (param i32) (result i32) (i32.const 1))
  (func (export "proxy_on_delete") (param i32))"""

LOG = '(import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))'


def test_the_life_of_a_root_context(make_wasm: MakeWasm) -> None:
    host = FakeHost().traced()
    wasm = make_wasm(module(LIFE), host)
    assert wasm.root_context(PLUGIN, FakeStream()).start()
    assert wasm.roots["key"].configure()
    wasm.roots["key"].tick()
    wasm.shut_down_plugin("key")
    assert [line for line in host.lines() if line.startswith("[host->vm]")] == [
        "[host->vm] proxy_on_context_create(1, 0)",
        "[host->vm] proxy_on_vm_start(1, 16)",
        "[host->vm] proxy_on_configure(1, 20)",
        "[host->vm] proxy_on_tick(1)",
        "[host->vm] proxy_on_done(1)",
        "[host->vm] proxy_on_delete(1)",
    ]
    assert wasm.contexts == {}
    assert wasm.roots == {}


def test_a_callback_that_is_not_there_agrees_and_leaves_no_line(make_wasm: MakeWasm) -> None:
    host = FakeHost().traced()
    wasm = make_wasm(module(), host)
    assert wasm.root_context(PLUGIN, FakeStream()).start()
    assert wasm.roots["key"].configure()
    wasm.shut_down_plugin("key")
    assert host.lines() == []


def test_an_equal_plugin_shares_the_root_and_another_gets_the_next_number(make_wasm: MakeWasm) -> None:
    wasm = make_wasm(module(LIFE))
    for plugin in (PLUGIN, PLUGIN, Plugin("q", "r", "vm", key="other")):
        assert wasm.root_context(plugin, FakeStream()).start()
    assert {key: root.id for key, root in wasm.roots.items()} == {"key": 1, "other": 2}
    stream = wasm.add_context(PLUGIN, FakeStream(), wasm.roots["other"])
    assert (stream.id, stream.root.id) == (3, 2)


@pytest.mark.parametrize("callback", ["proxy_on_vm_start", "proxy_on_configure"])
@pytest.mark.parametrize(
    ("body", "accepted"), [("(i32.const 0)", False), ("(i32.const -2)", True), ("unreachable", False)]
)
def test_zero_and_a_trap_refuse(make_wasm: MakeWasm, callback: str, body: str, accepted: bool) -> None:
    wasm = make_wasm(module(f'(func (export "{callback}") (param i32 i32) (result i32) {body})'))
    taken = wasm.root_context(PLUGIN, FakeStream()).start() and wasm.roots["key"].configure()
    assert taken is accepted


def test_a_trap_fails_the_vm_for_good(make_wasm: MakeWasm) -> None:
    host = FakeHost().traced()
    wasm = make_wasm(
        module(LIFE.replace('"proxy_on_tick") (param i32)', '"proxy_on_tick") (param i32) unreachable')), host
    )
    failed: list[FailState] = []
    wasm.on_fail.append(lambda: failed.append(wasm.fail_state))
    wasm.root_context(PLUGIN, FakeStream()).start()
    root = wasm.roots["key"]
    root.tick()
    assert failed == [FailState.RUNTIME_ERROR]
    assert host.reports == [
        (LogLevel.ERROR, "Function: proxy_on_tick failed: Uncaught RuntimeError: unreachable"),
    ]
    before = host.lines()
    root.tick()
    root.log()
    assert root.configure()
    wasm.shut_down_plugin("key")
    assert host.lines() == before


def test_a_trap_in_the_allocator_fails_the_vm_but_the_callback_goes_on(make_wasm: MakeWasm) -> None:
    host = FakeHost().traced()
    text = module(
        """(func (export "proxy_on_configure") (param i32 i32) (result i32)
             (drop (call $get (i32.const 7) (i32.const 0) (i32.const 9) (i32.const 16) (i32.const 20)))
             (i32.const 1))""",
        '(import "env" "proxy_get_buffer_bytes" (func $get (param i32 i32 i32 i32 i32) (result i32)))',
    ).replace("(i32.const 4096)", "unreachable")
    wasm = make_wasm(text, host)
    stream = FakeStream(buffers={BufferType.PLUGIN_CONFIGURATION: Body(b"abc")})
    wasm.root_context(PLUGIN, stream).start()
    assert wasm.roots["key"].configure()
    assert wasm.fail_state is FailState.RUNTIME_ERROR
    assert host.lines()[-3:] == [
        "[host->vm] malloc(3)",
        "[vm<-host] env.proxy_get_buffer_bytes return: 6",
        "[host<-vm] proxy_on_configure return: 1",
    ]


@pytest.mark.parametrize("start", ["_initialize", "_start"])
def test_a_starting_module_may_log_but_not_read(make_wasm: MakeWasm, start: str) -> None:
    host = FakeHost()
    log = f'(func (export "{start}") (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0))))'
    make_wasm(module(log, LOG), host)
    assert host.logs == [(LogLevel.INFO, "wasm log: ")]
    read = '(import "env" "proxy_done" (func $done (result i32)))'
    wasm = make_wasm(module(f'(func (export "{start}") (drop (call $done)))', read), host, ready=False)
    assert not wasm.initialize()
    assert host.reports[-1][1].startswith(f"Function: {start} failed: Uncaught Error: restricted_callback")


def test_a_start_section_that_calls_the_host_is_not_modelled(make_wasm: MakeWasm) -> None:
    """Envoy 1.40 itself crashes here."""
    text = module("(func $s (drop (call $log (i32.const 2) (i32.const 0) (i32.const 1)))) (start $s)", LOG)
    with pytest.raises(NotModelled):
        make_wasm(text, ready=False).initialize()


def test_a_start_section_that_traps_is_no_instance(make_wasm: MakeWasm) -> None:
    host = FakeHost()
    assert not make_wasm(module("(func $s unreachable) (start $s)"), host, ready=False).initialize()
    assert host.reports == [(LogLevel.ERROR, "Failed to create new Wasm instance")]


def test_a_root_that_waits_ends_with_proxy_done(make_wasm: MakeWasm) -> None:
    host = FakeHost().traced()
    done = '(import "env" "proxy_done" (func $done (result i32)))'
    body = LIFE.replace(
        '"proxy_on_done") (param i32) (result i32) (i32.const 1)',
        '"proxy_on_done") (param i32) (result i32) (i32.const 0)',
    ).replace('"proxy_on_tick") (param i32)', '"proxy_on_tick") (param i32) (drop (call $done))')
    wasm = make_wasm(module(body, done), host)
    wasm.root_context(PLUGIN, FakeStream()).start()
    root = wasm.roots["key"]
    root.tick()
    assert "[vm<-host] env.proxy_done return: 1" in host.lines()
    wasm.shut_down_plugin("key")
    assert not any("proxy_on_delete" in line for line in host.lines())
    root.tick()
    assert host.lines()[-5:] == [
        "[vm->host] env.proxy_done()",
        "[vm<-host] env.proxy_done return: 0",
        "[host<-vm] proxy_on_tick return: void",
        "[host->vm] proxy_on_delete(1)",
        "[host<-vm] proxy_on_delete return: void",
    ]


def test_the_effective_context_lasts_for_one_entry(make_wasm: MakeWasm) -> None:
    host = FakeHost()
    body = """
      (func (export "proxy_on_tick") (param i32)
        (drop (call $effective (i32.const 2)))
        (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0))))
      (func (export "proxy_on_log") (param i32)
        (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0))))"""
    effective = '(import "env" "proxy_set_effective_context" (func $effective (param i32) (result i32)))'
    wasm = make_wasm(module(body, LOG + effective), host)
    wasm.root_context(PLUGIN, FakeStream()).start()
    root = wasm.roots["key"]
    stream = wasm.add_context(PLUGIN, FakeStream(), root)
    root.tick()
    root.log()
    stream.delete()
    root.tick()
    assert [text for _, text in host.logs] == ["wasm log p r vm: ", "wasm log r vm: ", "wasm log r vm: "]


@pytest.mark.parametrize(
    ("plugin", "root", "stream"),
    [
        (Plugin("p", "r", "v", "k"), " r v", " p r v"),
        (Plugin("", "r", "", "k"), " r", " r"),
        (Plugin("p", "", "v", "k"), " v", " p v"),
        (Plugin("", "", "", "k"), "", ""),
    ],
)
def test_the_prefix_of_log_lines_has_the_parts_that_are_not_empty(plugin: Plugin, root: str, stream: str) -> None:
    assert (plugin.root_log_prefix, plugin.stream_log_prefix) == (root, stream)


def test_capabilities_hide_callbacks_and_refuse_host_functions(make_wasm: MakeWasm) -> None:
    host = FakeHost().traced()
    body = """(func (export "proxy_on_tick") (param i32) (drop (call $log (i32.const 2) (i32.const 0) (i32.const 0)))
                (drop (call $tell (i32.const 0) (i32.const 4))) (call $exit (i32.const 1)))
              (func (export "proxy_on_context_create") (param i32 i32))"""
    imports = (
        LOG
        + '(import "wasi_snapshot_preview1" "environ_sizes_get" (func $tell (param i32 i32) (result i32)))'
        + '(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))'
    )
    wasm = make_wasm(module(body, imports), host, capabilities=frozenset({"proxy_on_tick"}))
    wasm.root_context(PLUGIN, FakeStream()).start()
    wasm.roots["key"].tick()
    returns = [line for line in host.lines() if line.startswith("[vm<-host]")]
    assert [line.rpartition(" ")[2] for line in returns] == ["10", "76", "void"]
    assert host.logs == []
    assert [text for _, text in host.reports] == [
        "Attempted call to restricted proxy-wasm capability: proxy_log",
        "Attempted call to restricted WASI capability: environ_sizes_get",
        "Attempted call to restricted WASI capability: proc_exit",
    ]
    assert not any("context_create" in line for line in host.lines())


def test_a_guest_that_runs_for_ever_ends_by_its_fuel(make_wasm: MakeWasm) -> None:
    host = FakeHost()
    text = module('(func (export "proxy_on_tick") (param i32) (loop $l (br $l)))')
    wasm = make_wasm(text, host, limits=Limits(fuel_per_call=10_000))
    wasm.root_context(PLUGIN, FakeStream()).start()
    wasm.roots["key"].tick()
    assert wasm.fail_state is FailState.RUNTIME_ERROR
    assert host.reports[0][1].startswith("Function: proxy_on_tick failed")


def test_two_vms_of_one_code_have_memories_of_their_own(make_wasm: MakeWasm, engine: Engine) -> None:
    one, other = make_wasm(module()), make_wasm(module())
    assert one.vm.memory.write(0x2000, b"100")
    assert other.vm.memory.read(0x2000, 3) == bytes(3)
    assert one.vm.memory.read(0x2000, 3) == b"100"


class _WithoutTimers(FakeHost):
    def set_tick_period(self, root: Context, period_ms: int) -> None:
        raise NotModelled("a timer")


def test_an_error_of_the_host_leaves_the_vm_as_it_was_before_the_call(make_wasm: MakeWasm) -> None:
    """A run that ends at what is not modelled can be looked into, and its other VMs still be called."""
    imports = '(import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))'
    body = '(func (export "proxy_on_tick") (param i32) (drop (call $tick (i32.const 1))))'
    wasm = make_wasm(module(body, imports), _WithoutTimers())
    wasm.root_context(PLUGIN, FakeStream()).start()
    with pytest.raises(NotModelled, match="a timer"):
        wasm.roots["key"].tick()
    assert wasm.current is wasm.vm_context
    assert not wasm.failed
