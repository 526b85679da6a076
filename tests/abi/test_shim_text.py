"""A module that counts its own fuel counts what the engine takes, whatever it does."""

from __future__ import annotations

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.shim.text import Counter, instrumented, parse, written

_MODULE = """
;; a comment, with (parentheses) and "quotes"
(module
  (memory $m (export "memory") 1)
  (table $t 2 funcref) (elem (i32.const 0) func $double $trap)
  (func $small (param $x i32) (result i32) (i32.add (local.get $x) (i32.const @ONE)))
  (func $double (param $x i32) (result i32) (i32.mul (local.get $x) (i32.const 2)))
  (func $trap (param i32) (result i32) (unreachable))
  (func $sum (param $n i32) (result i32) (local $sum i32)
    (block $out
      (loop $again
        (br_if $out (i32.eqz (local.get $n)))
        (local.set $sum (i32.add (local.get $sum) (call $double (call $small (local.get $n)))))
        (local.set $n (i32.sub (local.get $n) (i32.const 1)))
        (if (i32.eq (local.get $n) (i32.const 3)) (then (return (i32.const 99))))
        (br $again)))
    (local.get $sum))
  (func (export "run") (param $kind i32) (param $n i32) (result i32)
    (if (result i32) (i32.eqz (local.get $kind))
      (then (call $sum (local.get $n)))
      (else
        (if (i32.eq (local.get $kind) (i32.const 1))
          (then (memory.fill $m (i32.const 256) (local.get $kind) (local.get $n))
                (memory.copy $m $m (i32.const 128) (i32.const 256) (call $small (local.get $n)))
                (return (i32.load $m (i32.const 128)))))
        (call_indirect $t (param i32) (result i32) (local.get $n) (i32.and (local.get $kind) (i32.const 1)))))))"""

_TANK = 1 << 40


def _run(kind: int, n: int, *, small: frozenset[str] = frozenset({"$small"})) -> tuple[int, int, int | None]:
    """What the engine took, what the module says that it took, and the result; None where it traps."""
    text = instrumented(_MODULE, {"ONE": 1}, Counter("$m", 8), {}, small)
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    store.set_fuel(_TANK)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, text), []).exports(store)
    before = store.get_fuel()
    run, memory = exports["run"], exports["memory"]
    assert isinstance(run, wasmtime.Func)
    assert isinstance(memory, wasmtime.Memory)
    try:
        result: int | None = run(store, kind, n)
    except wasmtime.Trap:
        result = None
    return before - store.get_fuel(), int.from_bytes(memory.read(store, 8, 16), "little"), result


@given(st.sampled_from([0, 1, 2, 4]), st.integers(0, 300))
def test_it_counts_what_the_engine_takes(kind: int, n: int) -> None:
    taken, counted, _ = _run(kind, n)
    assert taken == counted


@pytest.mark.parametrize(
    ("kind", "n", "result"), [(0, 3, 18), (0, 10, 99), (1, 4, 0x01010101), (2, 21, 42), (3, 1, None)]
)
def test_counting_changes_no_result(kind: int, n: int, result: int | None) -> None:
    assert _run(kind, n)[2] == result


def test_a_trap_in_what_is_called_leaves_the_count_right() -> None:
    taken, counted, result = _run(3, 1)
    assert result is None
    assert taken == counted


def test_small_functions_are_put_in_where_they_are_called() -> None:
    inlined, called = _run(0, 3), _run(0, 3, small=frozenset())
    assert inlined[2] == called[2]
    assert inlined[0] < called[0]


def test_placeholders_and_comments() -> None:
    assert [written(node) for node in parse('(a "x;;(" @N offset=@N) (; b ;) ;; c', {"N": 7})] == [
        '(a "x;;(" 7 offset=7)'
    ]
