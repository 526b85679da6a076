"""Imports that go through a table: what a guest must not notice, and what can be exchanged."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest
import wasmtime

from meshsim.errors import GuestTrap, ModuleError
from meshsim.wasm import Board, Engine, FuncType, HostImport, Limits, Relayed, UnresolvedImport, Vm
from meshsim.wasm.exchange import HOST_MODULE, MAX_PARAMS, relay_text

ADD = FuncType("iI", "i")
TELL = FuncType("i", "")
MANY = FuncType("i" * MAX_PARAMS, "i")
BOARD = Board({("env", "add"): 0, ("env", "tell"): 1, ("env", "many"): 2, ("env", "other"): 3}, 8)

GUEST = f"""(module
  (import "env" "add" (func $add (param i32 i64) (result i32)))
  (import "env" "tell" (func $tell (param i32)))
  (import "env" "many" (func $many (param {"i32 " * MAX_PARAMS}) (result i32)))
  (memory (export "memory") 1)
  (func (export "seven") (result i32) (i32.const 7))
  (func $inner (param $n i32) (result i32) (call $add (local.get $n) (i64.const -2)))
  (func $run (export "run") (param $n i32) (result i32)
    (call $tell (local.get $n))
    (i32.add (call $inner (local.get $n))
             (call $many {" ".join(f"(i32.const {i})" for i in range(MAX_PARAMS))}))))"""

Make = Callable[..., Vm]


class Host:
    """Functions by slot, and the slots that were asked for."""

    def __init__(self, **functions: Callable[..., int | None]) -> None:
        self.calls: list[tuple[int, ...]] = []
        self.bound: list[int] = []
        self.functions = {0: self.add, 1: self.tell, 2: self.many} | {int(slot[1:]): f for slot, f in functions.items()}

    def bind(self, slot: int) -> Callable[..., int | None]:
        self.bound.append(slot)
        return self.functions[slot]

    def add(self, a: int, b: int) -> int:
        self.calls.append((a, b))
        return a + b

    def tell(self, n: int) -> None:
        self.calls.append((n,))

    def many(self, *arguments: int) -> int:
        self.calls.append(arguments)
        return -1

    def direct(self) -> dict[tuple[str, str], HostImport]:
        types = {"add": ADD, "tell": TELL, "many": MANY}
        return {("env", name): HostImport(type_, getattr(self, name)) for name, type_ in types.items()}


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine()


def relayed(engine: Engine, host: Host, text: str = GUEST, **limits: float) -> Vm:
    return Vm(engine.compile(bytes(wasmtime.wat2wasm(text))), Relayed(BOARD, host.bind), Limits(**limits))  # type: ignore[arg-type]


def run(vm: Vm, n: int) -> object:
    function = vm.function("run", FuncType("i", "i"))
    assert function is not None
    return function(n)


@pytest.mark.parametrize("limits", [{}, {"deadline_s": 20.0}])
def test_arguments_results_and_fuel_are_those_of_direct_calls(engine: Engine, limits: dict[str, float]) -> None:
    direct, host = Host(), Host()
    plain = Vm(engine.compile(bytes(wasmtime.wat2wasm(GUEST))), direct.direct(), Limits(**limits))  # type: ignore[arg-type]
    vm = relayed(engine, host, **limits)
    for n in (5, 2**31, 0):
        assert run(vm, n) == run(plain, n)
        assert vm.fuel_used == plain.fuel_used > 0
    assert host.calls == direct.calls
    assert host.calls[:2] == [(5,), (5, 2**64 - 2)]


def test_a_function_is_made_when_it_is_first_called(engine: Engine) -> None:
    host = Host()
    vm = relayed(engine, host)
    assert host.bound == []
    run(vm, 1)
    run(vm, 2)
    assert host.bound == [1, 0, 2]


def test_a_slot_can_get_a_function_of_the_guests(engine: Engine) -> None:
    text = GUEST.replace('"seven") (result i32) (i32.const 7)', '"seven") (param i32 i64) (result i32) (i32.const 7)')
    host = Host()
    vm = relayed(engine, host, text)
    vm.plug(0, "seven")
    assert run(vm, 1) == 7 - 1
    assert [len(call) for call in host.calls] == [1, MAX_PARAMS]


def test_an_exception_passes_and_the_next_call_is_whole(engine: Engine) -> None:
    problem = KeyError("here")

    def refuse(_: int) -> None:
        raise problem

    host = Host(_1=refuse)
    vm = relayed(engine, host)
    with pytest.raises(KeyError) as caught:
        run(vm, 1)
    assert caught.value is problem
    vm.exchange.clear()
    host.functions[1] = host.tell
    assert run(vm, 1) == 1 - 2 - 1 + 2**32


def test_backtraces_show_the_guest_alone(engine: Engine) -> None:
    def call_again(_: int) -> None:
        trap = vm.function("trap", FuncType("", ""))
        assert trap is not None
        trap()

    text = GUEST.replace("(module", "(module $own-name", 1).replace(
        "(memory", '(func $trap (export "trap") unreachable) (memory', 1
    )
    vm = relayed(engine, Host(_1=call_again), text)
    with pytest.raises(GuestTrap) as caught:
        run(vm, 1)
    assert [frame.name for frame in caught.value.frames] == ["trap", "run"]


EXTENSION = f"""(module $meshsim:shim
  (import "{HOST_MODULE}" "table" (table $t 1 funcref))
  (import "{HOST_MODULE}" "guest" (memory $g 0))
  (import "{HOST_MODULE}" "call" (func $call (param i32 {"i64 " * MAX_PARAMS}) (result i32)))
  (memory $m (export "own") 1)
  (elem (table $t) (i32.const 0) func $add)
  (func $add (param i32 i64) (result i32) (i32.store $g (i32.const 16) (local.get 0)) (i32.const 3))
  (func (export "ask") (param i32 i32) (result i32)
    (call $call (local.get 0) (i64.extend_i32_u (local.get 1)) {"(i64.const 0) " * (MAX_PARAMS - 1)})))"""


def test_another_module_sees_table_memory_and_exchange(engine: Engine) -> None:
    host = Host()
    vm = relayed(engine, host)
    extension = vm.extend("test", lambda: EXTENSION)
    assert run(vm, 9) == 3 - 1
    assert vm.memory.read_u32(16) == 9
    assert len(extension.memory("own")) == 1 << 16
    extension.grow("own", 1)
    assert len(extension.memory("own")) == 2 << 16
    vm.exchange.answer(77, "i", lambda n: 2 * n)
    assert extension.function("ask", 77)(21) == 42
    assert extension.function("ask", 77)(4) == 8, "the first argument stays, though the result lies in its place"


def test_what_burns_beside_the_guest_is_not_its_fuel(engine: Engine) -> None:
    vm = relayed(engine, Host())
    run(vm, 1)
    before = vm.fuel_used
    extension = vm.extend("test", lambda: EXTENSION)
    assert vm.fuel_used == before, "making it costs nothing"
    burnt = 0
    extension.charge(lambda: burnt)
    vm.exchange.answer(77, "i", lambda n: n)
    extension.function("ask", 77)(1)
    burnt = vm.fuel_used - before
    assert burnt > 0
    assert vm.fuel_used == before


def test_limits_hold_for_it_too(engine: Engine) -> None:
    vm = relayed(engine, Host(), memory_bytes=1 << 16)
    with pytest.raises(ModuleError):
        vm.extend("large", lambda: "(module (memory 2))")


def test_the_relays_of_a_module_are_compiled_once(engine: Engine) -> None:
    first, second = relayed(engine, Host()), relayed(engine, Host())
    assert first._compiled is second._compiled
    assert first._compiled._companions["relay"] is second._compiled._companions["relay"]


def test_an_import_of_another_kind_is_refused(engine: Engine) -> None:
    with pytest.raises(UnresolvedImport):
        relayed(engine, Host(), '(module (import "env" "g" (global i32)))')


@pytest.mark.interpreted
def test_a_vm_is_freed_with_its_last_reference(engine: Engine) -> None:
    vm = relayed(engine, Host())
    run(vm, 1)
    alive = weakref.ref(vm._store)
    del vm
    gc.collect()
    assert alive() is None


def test_the_text_has_a_function_for_each_slot() -> None:
    text = relay_text({3: TELL, 5: ADD}, 8)
    assert wasmtime.wat2wasm(text)
    assert text.count("(func (export") == 2
