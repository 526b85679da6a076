from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from meshsim.errors import ModuleError
from meshsim.wasm import Export, FuncType, Import, MemoryLimits, ModuleFacts, parse_module

HELLO = Path(__file__).resolve().parents[2] / "modules" / "hello"

RICH = bytes(
    wasmtime.wat2wasm("""
(module $rich
  (type $log (func (param i32 i32 i32) (result i32)))
  (import "env" "proxy_log" (func $log (type $log)))
  (import "env" "memory" (memory 2 10))
  (import "env" "table" (table 1 externref))
  (import "env" "tag" (tag (param i64)))
  (import "other" "global" (global (mut i64)))
  (func $start)
  (func $wide (export "wide") (param i64 f32 f64 v128 funcref externref))
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_abi_version_0_1_0"))
  (global (export "proxy_abi_version_none") i32 (i32.const 7))
  (export "mem" (memory 0))
  (export "log" (func $log))
  (start $start)
  (data (i32.const 0) "some data")
  (@custom "notes" "hello")
)""")
)


def parse(data: bytes) -> tuple[ModuleFacts | None, str]:
    """The facts, or what the error says."""
    try:
        return parse_module(data), ""
    except ModuleError as error:
        return None, str(error)


def test_imports_have_kinds_and_types_in_order() -> None:
    assert parse_module(RICH).imports == (
        Import("env", "proxy_log", "func", FuncType("iii", "i")),
        Import("env", "memory", "memory"),
        Import("env", "table", "table", element="x"),
        Import("env", "tag", "tag"),
        Import("other", "global", "global"),
    )


def test_exports_have_kinds_and_types_in_order() -> None:
    assert parse_module(RICH).exports == (
        Export("wide", "func", FuncType("IfFvrx", "")),
        Export("proxy_abi_version_0_2_1", "func", FuncType("", "")),
        Export("proxy_abi_version_0_1_0", "func", FuncType("", "")),
        Export("proxy_abi_version_none", "global"),
        Export("mem", "memory"),
        Export("log", "func", FuncType("iii", "i")),
    )


def test_what_else_a_module_is() -> None:
    facts = parse_module(RICH)
    assert facts.abi_markers == ("proxy_abi_version_0_2_1", "proxy_abi_version_0_1_0")
    assert facts.memory == MemoryLimits(2, 10)
    assert facts.start_function == 1
    assert facts.function_count == 4
    assert facts.function_names == {0: "log", 1: "start", 2: "wide"}
    assert facts.custom_section("notes") == b"hello"
    assert facts.custom_section("absent") is None
    assert (facts.size_bytes, facts.data_bytes) == (len(RICH), 1 + 1 + 3 + 1 + 9)
    assert len(facts.sha256) == 64


@pytest.mark.parametrize(
    ("memory", "limits"),
    [
        ("(memory 1)", MemoryLimits(1)),
        ("(memory 1 3)", MemoryLimits(1, 3)),
        ("(memory 1 3 shared)", MemoryLimits(1, 3, shared=True)),
        ("(memory i64 1 5000000000)", MemoryLimits(1, 5_000_000_000, wide=True)),
        ("", None),
    ],
)
def test_memory_limits(memory: str, limits: MemoryLimits | None) -> None:
    assert parse_module(bytes(wasmtime.wat2wasm(f"(module {memory})"))).memory == limits


def test_structs_and_groups_of_types_keep_their_places_in_the_index_space() -> None:
    wat = """(module
      (rec (type $a (struct (field i8) (field (mut (ref null $b))))) (type $b (sub (array (mut i16)))))
      (type $f (func (param (ref null $a) i32) (result i64)))
      (func (export "f") (type $f) (i64.const 0)))"""
    facts = parse_module(bytes(wasmtime.wat2wasm(wat)))
    assert facts.exports == (Export("f", "func", FuncType("?i", "I")),)
    assert "gc" in facts.features


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not a Wasm module: it is empty"),
        (b"<!DOCTYPE html>", "not a Wasm module: it starts with 3c 21 44 4f instead of 00 61 73 6d"),
        (b"\0as", "truncated module: 3 bytes"),
        (b"\0asm\2\0\0\0", "unknown version 02 00 00 00 at byte 4"),
        (b"\0asm\x0d\0\1\0", "it is a component"),
        (b"\0asm\1\0\0\0\x01", "truncated: a byte is missing in module at byte 9"),
        (b"\0asm\1\0\0\0\x01\x05\x01", "the type section wants 5 bytes, 1 are left, in module at byte 8"),
        (b"\0asm\1\0\0\0\x01\xff\xff\xff\xff\x7f", "integer too large in module at byte 9"),
        (b"\0asm\1\0\0\0\x63\x00", "unknown section 99 in module at byte 8"),
        (b"\0asm\1\0\0\0\x01\x02\x00\x00", "1 bytes too many in the type section at byte 11"),
        (b"\0asm\1\0\0\0\x01\x02\x01\x33", "unknown form of type 0x33 in the type section at byte 11"),
        (b"\0asm\1\0\0\0\x01\x04\x01\x60\x01\x22", "unknown type of value 0x22"),
        (b"\0asm\1\0\0\0\x02\x05\x01\x00\x00\x00\x09", "type 9, there are 0, in the import section"),
        (b"\0asm\1\0\0\0\x02\x04\x01\x00\x00\x09", "unknown kind of import or export 0x09"),
        (b"\0asm\1\0\0\0\x07\x05\x01\x01a\x00\x04", "export 'a' of function 4, there are 0"),
        (b"\0asm\1\0\0\0\x05\x03\x01\x10\x01", "unknown flags of limits 0x10"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(data: bytes, problem: str) -> None:
    with pytest.raises(ModuleError) as caught:
        parse_module(data)
    assert problem in str(caught.value)


@pytest.mark.parametrize("size", range(len(RICH)))
def test_every_truncation_is_an_error_or_ends_between_sections(size: int) -> None:
    facts, problem = parse(RICH[:size])
    if facts is None:
        assert problem
    else:
        assert facts.size_bytes == size
        assert isinstance(facts.features, frozenset)


@given(st.data())
def test_a_damaged_module_gives_facts_or_a_module_error(data: st.DataObject) -> None:
    damaged = bytearray(RICH)
    for at in data.draw(st.lists(st.integers(8, len(RICH) - 1), min_size=1, max_size=4)):
        damaged[at] = data.draw(st.integers(0, 255))
    facts, problem = parse(bytes(damaged))
    if facts is None:
        assert "byte" in problem
    else:
        assert isinstance(facts.features, frozenset)
        assert all(isinstance(name, str) for name in facts.function_names.values())


@given(st.binary(max_size=200))
def test_any_bytes_after_the_header_give_facts_or_a_module_error(tail: bytes) -> None:
    facts, problem = parse(b"\0asm\1\0\0\0" + tail)
    assert "byte" in problem if facts is None else facts.size_bytes == 8 + len(tail)


def test_a_broken_name_section_does_not_break_the_module() -> None:
    names = b"\x04name" + b"\x01\x0a\x02\x00\x03one\x01\x7f"
    facts = parse_module(b"\0asm\1\0\0\0\x00" + bytes([len(names)]) + names)
    assert facts.function_names == {0: "one"}


def test_facts_agree_with_the_engine_on_every_module_of_this_project() -> None:
    letters = {"i32": "i", "i64": "I", "f32": "f", "f64": "F"}
    modules = sorted(HELLO.glob("*.wasm"))
    assert modules
    for path in modules:
        data = path.read_bytes()
        truth = wasmtime.Module(wasmtime.Engine(), data)
        facts = parse_module(data)
        assert [(i.module, i.name) for i in facts.imports] == [(i.module, i.name) for i in truth.imports]
        assert [e.name for e in facts.exports] == [e.name for e in truth.exports]
        for ours, theirs in zip(facts.imports + facts.exports, [*truth.imports, *truth.exports], strict=True):
            if isinstance(theirs.type, wasmtime.FuncType):
                params = "".join(letters[str(value)] for value in theirs.type.params)
                results = "".join(letters[str(value)] for value in theirs.type.results)
                assert ours.type == FuncType(params, results)
