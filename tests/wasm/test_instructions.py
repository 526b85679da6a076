from __future__ import annotations

from pathlib import Path

import wasmtime

from meshsim.wasm import parse_module
from meshsim.wasm.features import FEATURES
from meshsim.wasm.instructions import _OPS, _PREFIXED, SAMPLE_BYTES, _locals, _skip_plain, _walk
from meshsim.wasm.reader import Reader

HELLO = Path(__file__).resolve().parents[2] / "modules" / "hello"


def features(wat: str) -> frozenset[str]:
    return parse_module(bytes(wasmtime.wat2wasm(f"(module {wat})"))).features


def test_every_opcode_names_a_known_feature() -> None:
    tables = [_OPS, *_PREFIXED.values()]
    assert {feature for table in tables for feature, _ in table.values() if feature} <= set(FEATURES)


def test_webassembly_1_has_no_features() -> None:
    wat = """(memory 1) (table 1 funcref) (global (mut i32) (i32.const 5)) (type $v (func (param i32)))
      (func (param i32 i64 f32 f64) (result i32)
        (block (loop (br_if 1 (local.get 0)) (br_table 0 1 0 (i32.const 300))))
        (i64.store offset=70000 (i32.const 8) (i64.const -9000000000))
        (drop (f32.const 1.5)) (drop (f64.const 1e300)) (drop (memory.grow (memory.size)))
        (call_indirect (type $v) (i32.const 1) (i32.const 0))
        (if (result i32) (local.get 0)
          (then (i32.const 1)) (else (select (i32.const 2) (i32.const 3) (i32.const 4)))))"""
    assert features(wat) == frozenset()


BRANCHES = """(memory 1) (func (param i32) (result i32)
  (block (loop (br_if 1 (local.get 0)) (br 0)))
  (block (br_table 0 1 0 (local.get 0)))
  (memory.fill (i32.const 2) (i32.const 3) (i32.const 4))
  (if (result i32) (local.get 0) (then (i32.const 4)) (else (i32.const 0x0d0d))))"""


def test_branches_are_counted_and_numbers_that_look_like_some_are_not() -> None:
    assert parse_module(bytes(wasmtime.wat2wasm(f"(module {BRANCHES})"))).branches == 7
    assert parse_module(bytes(wasmtime.wat2wasm("(module (func (drop (i32.const 4))))"))).branches == 0
    assert parse_module(bytes(wasmtime.wat2wasm("(module)"))).branches == 0


def test_branches_of_much_code_are_counted_in_a_part_of_it() -> None:
    function = f"(func (param i32) {'(block (br_if 0 (local.get 0)))' * 5_000})"
    module = parse_module(bytes(wasmtime.wat2wasm(f"(module {function * 40})")))
    assert module.code_bytes > SAMPLE_BYTES
    assert module.branches == 40 * 10_000


def test_a_feature_behind_much_plain_code_is_seen() -> None:
    plain = "(drop (i32.add (i32.const 7) (i32.const 9)))" * 20_000
    assert features(f"(memory 1) (func {plain} (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))") == {
        "bulk-memory"
    }


def test_constants_that_look_like_opcodes_are_not_taken_for_them() -> None:
    assert features("(func (drop (i64.const 0x0b0b0b0b0b)) (drop (f64.const nan:0xdfdfdfdfdfdf)))") == frozenset()


def test_the_walk_reaches_the_end_of_every_function_of_every_module() -> None:
    bodies = 0
    for path in sorted(HELLO.glob("*.wasm")):
        data = path.read_bytes()
        for start, end in parse_module(data).sections.code:
            reader = Reader(data, start, end, "code")
            _locals(reader, set())
            _walk(reader, set())
            assert reader.pos == end
            bodies += 1
    assert bodies > 100


def test_the_expression_and_the_table_agree_on_plain_instructions() -> None:
    """What ``_skip_plain`` goes over must be what the table says of the same opcodes."""
    operands = {
        "": b"",
        "n": b"\x05",
        "m": b"\x02\x08",
        "b": b"\x40",
        "nn": b"\x01\x00",
        "4": b"\1\2\3\4",
        "8": b"\1" * 8,
    }
    for opcode, (feature, immediates) in _OPS.items():
        if immediates not in operands or (opcode in (0x3F, 0x40)):
            continue
        instruction = bytes([opcode]) + operands[immediates]
        match = _skip_plain(instruction, 0, len(instruction))
        assert match is not None
        plain = feature is None and opcode != 0x08
        assert match.end() == (len(instruction) if plain else 0), hex(opcode)
