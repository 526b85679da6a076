from __future__ import annotations

import pytest
import wasmtime

from meshsim.wasm import parse_module
from meshsim.wasm.features import FEATURES, not_modelled

ONE_FEATURE = {
    "bulk-memory": "(memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 0)))",
    "custom-page-sizes": "(memory 1 (pagesize 1))",
    "exceptions": "(func (block $b (try_table (catch_all $b))))",
    "extended-const": "(global i32 (i32.add (i32.const 1) (i32.const 2)))",
    "function-references": "(type $f (func)) (func (param (ref null $f)) (call_ref $f (local.get 0)))",
    "gc": "(func (drop (ref.i31 (i32.const 1))))",
    "memory64": "(memory i64 1)",
    "multi-memory": "(memory $a 1) (memory $b 1) (func (drop (i32.load $b (i32.const 0))))",
    "multi-value": "(func (block (result i32 i32) (i32.const 1) (i32.const 2)) drop drop)",
    "nontrapping-float-to-int": "(func (drop (i32.trunc_sat_f32_s (f32.const 1))))",
    "reference-types": "(table $t 1 funcref) (func (drop (table.get $t (i32.const 0))))",
    "relaxed-simd": "(func (param v128) (drop (i8x16.relaxed_swizzle (local.get 0) (local.get 0))))",
    "shared-memory": "(memory 1 1 shared)",
    "sign-extension": "(func (drop (i32.extend8_s (i32.const 1))))",
    "simd": "(func (drop (v128.const i32x4 1 2 3 4)))",
    "stack-switching": "(type $f (func)) (type $c (cont $f)) (func (param (ref $c)) (resume $c (local.get 0)))",
    "tail-call": "(func $f (return_call $f))",
    "threads": "(memory 1) (func (drop (i32.atomic.load (i32.const 0))))",
    "wide-arithmetic": "(func (i64.mul_wide_u (i64.const 1) (i64.const 2)) drop drop)",
}


def features(wat: str) -> frozenset[str]:
    return parse_module(bytes(wasmtime.wat2wasm(f"(module {wat})"))).features


@pytest.mark.parametrize("feature", sorted(ONE_FEATURE))
def test_a_feature_is_seen(feature: str) -> None:
    assert feature in features(ONE_FEATURE[feature])


def test_legacy_exceptions_are_seen() -> None:
    body = bytes.fromhex("00 0640 19 0b 0b")  # try catch_all end end
    code = bytes([1, len(body)]) + body
    module = b"\0asm\1\0\0\0" + bytes.fromhex("0104 01600000 0302 0100 0a") + bytes([len(code)]) + code
    assert parse_module(module).features == {"legacy-exceptions"}


def test_every_feature_has_a_test_and_a_line_for_the_reader() -> None:
    assert {*ONE_FEATURE, "legacy-exceptions"} == set(FEATURES)


@pytest.mark.parametrize(
    ("wat", "expected"),
    [
        ("(table 1 funcref)", set()),
        ("(table 1 externref)", {"reference-types"}),
        ("(table 1 funcref) (table 1 funcref)", {"reference-types"}),
        ("(table i64 1 funcref)", {"memory64"}),
        ('(import "env" "t" (table 1 funcref))', set()),
        ("(func (param eqref))", {"gc"}),
        ("(func (param exnref))", {"exceptions"}),
        ('(memory 1) (data $d "a") (func (data.drop $d))', {"bulk-memory"}),
    ],
)
def test_declarations_that_show_a_feature(wat: str, expected: set[str]) -> None:
    assert features(wat) == expected


def test_what_meshsim_does_not_take_says_who_does_and_what_to_do() -> None:
    error = not_modelled("legacy-exceptions")
    assert "Envoy's V8 runs such a module, Wasmtime, which runs it here, does not" in str(error)
    assert "exnref" in error.remedy
    assert all(FEATURES[name].remedy for name in FEATURES if FEATURES[name].envoy and not FEATURES[name].meshsim)
