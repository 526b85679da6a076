from __future__ import annotations

import json
from pathlib import Path

import pytest
import wasmtime

from meshsim.errors import ConfigError
from meshsim.widgets.stack_machine import MOST_STEPS, StackMachine


def machine_of(body: str, *arguments: int, before: str = "(memory 1)") -> StackMachine:
    return StackMachine(bytes(wasmtime.wat2wasm(f'(module {before} (func (export "f") {body}))')), "f", *arguments)


def test_a_step_is_set_from_either_side_and_the_view_follows() -> None:
    machine = machine_of("(param i32) (result i32) (i32.add (local.get 0) (i32.const 2))", 40)
    assert (machine.total, machine.stack) == (4, [])
    machine.step = 2
    assert machine.stack == [40, 2]
    assert [item["text"] for item in machine.view["stack"]] == ["40", "2"]
    assert machine.view["code"]["next"] == 2
    machine.step = 3
    assert machine.view["did"] == "i32.add takes 40 and 2 from the stack, and puts 42 there."
    machine.step = 1
    assert machine.stack == [40]


def test_going_too_far_is_going_to_the_end() -> None:
    machine = machine_of("(result i64) (i64.const 7)")
    machine.step = 99
    assert (machine.step, machine.ending) == (2, "The call is over: 7.")
    assert machine.view["results"]


def test_changed_bytes_are_marked() -> None:
    machine = machine_of("(i32.store offset=32 (i32.const 4) (i32.const -1))")
    machine.step = 3
    [row] = [row for row in machine.view["memory"] if "written" in row["marks"]]
    assert row["address"] == 32
    assert [place for place, mark in enumerate(row["marks"]) if mark] == [4, 5, 6, 7]
    assert row["bytes"][4:8] == ["ff"] * 4
    machine.step = 2
    assert not any(mark for row in machine.view["memory"] for mark in row["marks"])


def test_read_bytes_are_marked_where_they_are() -> None:
    machine = machine_of("(drop (i32.load8_u (i32.const 60000)))")
    machine.step = 2
    marked = [(row["address"] + i) for row in machine.view["memory"] for i, mark in enumerate(row["marks"]) if mark]
    assert marked == [60000]


def test_what_is_new_on_the_stack_is_marked_even_if_it_is_equal() -> None:
    machine = machine_of("(drop (i32.eqz (i32.eqz (i32.const 0))))")
    machine.step = 3
    assert [item["fresh"] for item in machine.view["stack"]] == [True]


@pytest.mark.parametrize(
    ("body", "ending"),
    [
        ("unreachable", "The call ends in a trap: wasm `unreachable` instruction executed."),
        ("(drop (v128.load (i32.const 0)))", "It ends here, not steppable: v128.load."),
        ("(loop $l (br $l))", f"There is more after {MOST_STEPS:,} steps; they are not shown."),
        ("", "The call is over."),
    ],
)
def test_every_ending_has_its_words(body: str, ending: str) -> None:
    assert machine_of(body).ending == ending


def test_every_step_of_a_real_function_has_its_words(repository: Path) -> None:
    module = (repository / "modules" / "hello" / "hello-rust.wasm").read_bytes()
    machine = StackMachine(module, "proxy_on_memory_allocate", 13)
    for step in range(1, machine.total + 1):
        machine.step = step
        name, _, words = machine.view["did"].partition(" ")
        assert words.strip("."), name
    json.dumps(machine.view)


def test_a_host_call_is_shown_with_its_answer() -> None:
    imported = '(import "env" "ask" (func $ask (param i32) (result i32)))'
    wasm = bytes(wasmtime.wat2wasm(f'(module {imported} (func (export "f") (drop (call $ask (i32.const 5)))))'))
    machine = StackMachine(wasm, "f", imports={("env", "ask"): lambda n: n + 1})
    machine.step = 2
    assert "asks the host: env.ask(5) = 6" in machine.view["did"]


def test_where_no_javascript_runs_there_is_the_moment() -> None:
    machine = machine_of("(param i32) (result i32) (i32.add (local.get 0) (i32.const 2))", 40)
    machine.step = 2
    data, _ = machine._repr_mimebundle_()
    assert "data:image/svg+xml" in data["text/html"]
    assert "3     i32.add      42\n" in data["text/plain"]
    assert machine.stack == [40, 2]


def test_a_function_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes 0 arguments, not 1"):
        machine_of("", 1)
