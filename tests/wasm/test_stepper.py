from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import wasmtime

from meshsim.errors import ConfigError, GuestTrap, ModuleError
from meshsim.wasm import parse_module
from meshsim.wasm.numerics import OPERATIONS
from meshsim.wasm.opcodes import NUMERIC, STEPPABLE
from meshsim.wasm.stepper import NotSteppable, Stepper
from tests.wasm.stepping import calls, difference

ADD = 0x6A


def module(body: str, before: str = "") -> bytes:
    return bytes(wasmtime.wat2wasm(f'(module {before} (func (export "f") {body}))'))


def test_it_does_what_wasmtime_does_on_random_calls() -> None:
    used: set[str] = set()
    for call in calls(300, seed=1):
        told, machine = difference(call)
        assert told == ""
        used |= {instruction.name for instruction in machine.history}
    assert len(used) > 140


def test_a_wrong_instruction_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = replace(OPERATIONS[ADD], compute=lambda a, b: (a + b + 1) & 0xFFFFFFFF)
    monkeypatch.setitem(OPERATIONS, ADD, wrong)
    assert any(difference(call)[0] for call in calls(300, seed=1))


def test_every_numeric_instruction_is_there() -> None:
    assert set(OPERATIONS) == set(NUMERIC)
    assert all(operation.name == NUMERIC[opcode] for opcode, operation in OPERATIONS.items())
    assert len(STEPPABLE) == len({name for name, _ in STEPPABLE.values()})


def test_it_goes_forward_and_back() -> None:
    machine = Stepper(module("(param i32) (result i32) (i32.add (local.get 0) (i32.const 2))"), "f", 40)
    assert [machine.step().text for _ in range(3)] == ["local.get 0", "i32.const 2", "i32.add"]
    assert machine.back().text == "i32.add"
    assert machine.frame is not None
    assert [str(value) for value in machine.frame.stack] == ["40", "2"]
    assert machine.run() == (42,)
    assert machine.finished
    assert machine.count == 4
    machine.go(0)
    assert machine.frame.stack == ()
    with pytest.raises(ConfigError, match="the beginning"):
        machine.back()


def test_a_changed_byte_is_named_and_comes_back() -> None:
    wasm = module("(i32.store16 offset=4 (i32.const 8) (i32.const 0x1234))", '(memory (export "m") 1)')
    machine = Stepper(wasm, "f")
    for _ in range(3):
        machine.step()
    [change] = machine.changes
    assert (change.kind, change.where, change.old, change.new) == ("memory", 12, b"\0\0", b"\x34\x12")
    machine.back()
    assert machine.memory[12:14] == b"\0\0"
    assert machine.changes == ()


def test_memory_that_grew_shrinks_on_the_way_back() -> None:
    machine = Stepper(module("(result i32) (memory.grow (i32.const 2))", "(memory 1 2)"), "f")
    assert machine.run() == (0xFFFFFFFF,)
    machine = Stepper(module("(result i32) (memory.grow (i32.const 1))", "(memory 1 2)"), "f")
    assert machine.run() == (1,)
    assert len(machine.memory) == 2 * 65536
    machine.go(0)
    assert len(machine.memory) == 65536


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ("(drop (v128.load (i32.const 0)))", "v128.load"),
        ("(drop (v128.const i32x4 0 0 0 0))", "v128.const"),
        ("(drop (ref.null func))", "ref.null"),
        ("(drop (table.size 0))", "table.size"),
        ("(return_call 0)", "return_call"),
        ("(drop (i32.atomic.load (i32.const 0)))", "atomic instruction 16"),
    ],
)
def test_what_is_not_stepped_through_says_so_when_it_is_reached(body: str, name: str) -> None:
    machine = Stepper(module(f"nop {body}", "(memory 1 1 shared) (table 1 funcref)"), "f")
    assert machine.step().text == "nop"
    with pytest.raises(NotSteppable, match=f"^not steppable: {name}$"):
        machine.run()
    assert machine.back().text in ("nop", "i32.const 0")  # it stands where it stood


def test_a_trap_ends_the_call_and_can_be_gone_back_from() -> None:
    machine = Stepper(module("(result i32) (i32.div_s (i32.const 1) (i32.const 0))"), "f")
    with pytest.raises(GuestTrap, match="divide by zero"):
        machine.run()
    assert machine.finished
    assert machine.trap is not None
    assert machine.back().text == "i32.div_s"
    assert machine.trap is None


def test_the_host_is_called_once_and_never_on_the_way_back() -> None:
    asked: list[Any] = []

    def host(*arguments: Any) -> int:
        asked.append(arguments)
        return 7

    imported = '(import "env" "ask" (func $ask (param i32 f64) (result i64)))'
    wasm = module("(result i64) (call $ask (i32.const -1) (f64.const 0.5))", imported)
    machine = Stepper(wasm, "f", imports={("env", "ask"): host})
    assert machine.run() == (7,)
    assert str(machine.host_calls[0]) == "env.ask(4294967295, 0.5) = 7"
    machine.go(0)
    assert machine.host_calls == ()
    assert machine.run() == (7,)
    assert len(machine.host_calls) == 1
    assert asked == [(0xFFFFFFFF, 0.5)]
    with pytest.raises(NotSteppable, match=r"call of env\.ask, which is the host's"):
        Stepper(wasm, "f").run()


def test_the_start_function_has_run() -> None:
    wasm = bytes(
        wasmtime.wat2wasm(
            """(module (global $g (mut i32) (i32.const 1)) (func $s (global.set $g (i32.const 5))) (start $s)
            (func (export "f") (result i32) (global.get $g)))"""
        )
    )
    machine = Stepper(wasm, "f")
    assert machine.count == 0
    assert machine.run() == (5,)


def test_functions_under_way_are_seen() -> None:
    wasm = bytes(
        wasmtime.wat2wasm(
            """(module (func $inner (param i32) (result i32) (local.get 0))
            (func (export "f") (result i32) (call $inner (i32.const 3))))"""
        )
    )
    machine = Stepper(wasm, "f")
    machine.go(3)
    assert [frame.code.name for frame in machine.frames] == ["inner", "f"]
    assert machine.run() == (3,)


def test_what_is_asked_for_wrongly_is_refused() -> None:
    wasm = module("(param i32)")
    with pytest.raises(ConfigError, match="no function 'g'"):
        Stepper(wasm, "g")
    with pytest.raises(ConfigError, match="takes 1 arguments, not 0"):
        Stepper(wasm, "f")
    with pytest.raises(ConfigError, match="not at an end after 100 steps"):
        Stepper(module("(loop $l (br $l))"), "f").run(100)
    with pytest.raises(ConfigError, match="a module is wanted"):
        Stepper("f.wasm", "f")


def test_a_module_that_is_not_valid_is_refused() -> None:
    with pytest.raises(ModuleError, match=r"invalid.*type mismatch"):
        Stepper(module("(result i32) (i32.const 1) (i32.const 2)"), "f")


def test_recursion_without_an_end_traps() -> None:
    machine = Stepper(bytes(wasmtime.wat2wasm('(module (func $f (export "f") (call $f)))')), "f")
    with pytest.raises(GuestTrap, match="call stack exhausted"):
        machine.run()


def test_facts_of_a_module_will_do() -> None:
    assert Stepper(parse_module(module("(result f32) (f32.const 0.1)")), "f").step().text == "f32.const 0.1"
