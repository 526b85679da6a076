"""Expressions, with what Envoy 1.40 said of each: values, or the text of the error."""

from __future__ import annotations

import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.abi.codec import Uint
from meshsim.abi.foreign.cel import CannotCompile, CannotParse, CelError, compile_expression
from meshsim.abi.foreign.cel.conversions import double_text
from meshsim.abi.foreign.cel.evaluate import MAX_STEPS
from meshsim.abi.foreign.cel.parser import MAX_DEPTH
from meshsim.abi.foreign.cel.temporal import format_timestamp, parse_timestamp
from meshsim.abi.foreign.cel.values import CelMap, Duration, Timestamp, Value
from meshsim.errors import NotModelled

_SECOND = 1_000_000_000


def _lookup(name: str) -> Value:
    if name == "request":
        return CelMap([("path", "/p?q")])
    raise CelError(f'No value with name "{name}" found in Activation')


def _value(source: str) -> Value:
    return compile_expression(source).evaluate(_lookup)


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("1 + 2 * 3 - 4 / 2 % 3", 5),
        ("-7 / 2", -3),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("--1", 1),
        ("---1", -1),
        ("!!!true", False),
        ("-9223372036854775808", -(2**63)),
        ("0x10u", Uint(16)),
        ("1e999", math.inf),
        ("1.0 / 0.0", math.inf),
        ("'é'.size()", 1),
        ("size(b'é')", 2),
        (r"'\x41\102\u0043\U00000044'", "ABCD"),
        (r"b'\xff'", b"\xff"),
        (r"r'\n'", r"\n"),
        ("'''a'b'''", "a'b"),
        ("true ? 1 : false ? 2 : 3", 1),
        ("false && (1/0 > 0)", False),
        ("(1/0 > 0) || true", True),
        ("nope && false", False),
        ("1 == 1.0 && 1 == 1u && 18446744073709551615u > -1", True),
        ("9007199254740993 == 9007199254740992.0", True),
        ("0.0/0.0 == 0.0/0.0", False),
        ("[1, 2] == [1.0, 2u]", True),
        ("{1: 'a'} == {1u: 'a'}", True),
        ("'a' == b'a'", False),
        ("1 in [1.0] && 1u in {1: 2}", True),
        ("[1][0u] + [1][0.0]", 2),
        ("{1: 2}[1.0]", 2),
        ("has({'a': 1}.a) && !has({'a': 1}.b)", True),
        ("[1, 2, 3].filter(x, x > 1).map(x, x * 2)", (4, 6)),
        ("[1, 2, 3].map(x, x > 1, x)", (2, 3)),
        ("{'a': 1}.map(k, k)", ("a",)),
        ("[1, 0].exists(x, 1/x > 0)", True),
        ("[1, 2].all(x, x > 0 || 1/0 > 0)", True),
        ("[1, 2, 2].exists_one(x, x == 2)", False),
        ("[[1, 2], [3]].map(x, x.map(y, y + 1))", ((2, 3), (4,))),
        ("type(1) == int && type(type(1)) == type", True),
        ("int('  +12 ')", 12),
        ("int(-1.9)", -1),
        ("int(true)", 1),
        ("uint('5')", Uint(5)),
        ("double('0x1p3')", 8.0),
        ("string(1e30)", "1e+30"),
        ("string(1234567.0)", "1.234567e+06"),
        ("string(0.0/0.0)", "-nan(ind)"),
        ("bool('T' + 'RUE')", True),
        ("duration('1h30m').getMinutes()", 90),
        ("duration('-3661.5s').getMilliseconds()", -500),
        ("string(duration('-1.5s'))", "-1.500s"),
        ("timestamp(0).getDayOfWeek()", 4),
        ("timestamp(0).getMinutes('-02:30')", 30),
        ("timestamp('2020-01-01T00:00:00+02:00')", Timestamp(1_577_829_600 * _SECOND)),
        ("string(timestamp('2020-01-01T00:00:00.12345678Z'))", "2020-01-01T00:00:00.123456780Z"),
        ("timestamp(1) - timestamp(0)", Duration(_SECOND)),
        ("google.protobuf.Duration{seconds: 1, nanos: 5}", Duration(_SECOND + 5)),
        ("google.protobuf.FloatValue{value: 1.1}", 1.100000023841858),
        ("google.protobuf.Value{number_value: 1.0}", 1.0),
        ("request.path", "/p?q"),
        (".request['path'] // comment", "/p?q"),
        ("'abc'.matches('^b') || matches('abc', 'b.$')", True),
        (r"'é'.matches('^\\w') || 'é'.matches('\\d')", False),
        (r"'a-b&'.matches('^[\\w&-]+$')", True),
    ],
)
def test_value(source: str, value: Value) -> None:
    assert _value(source) == value
    assert type(_value(source)) is type(value)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("1 / 0", "divide by zero"),
        ("1 % 0", "modulus by zero"),
        ("9223372036854775807 + 1", "integer overflow"),
        ("-9223372036854775808 % -1", "integer overflow"),
        ("0u - 1u", "unsigned integer overflow"),
        ("'x' * 2", "No matching overloads found : _*_(string, int64)"),
        ("!1", "No matching overloads found : !_"),
        ("-1u", "No matching overloads found : -_(uint64)"),
        ("1 ? 2 : 3", "No matching overloads found : <jump_condition>"),
        ("1 || (1/0 > 0)", "No matching overloads found : _||_"),
        ("(1/0 > 0) || 1", "divide by zero"),
        ("nope + 1/0", 'No value with name "nope" found in Activation'),
        ("[1][1]", "Index error: index=1 size=1"),
        ("[1][0.5]", "Index error: expected integer type, got double"),
        ("'a'[0]", "Invalid container type: 'string'"),
        ("{'a': 1}[null]", "Invalid map key type: 'null_type'"),
        ("{1.5: 1}", "Invalid map key type: 'double'"),
        ("{'a': 1, 'a': 2}", "duplicate key in map"),
        ("{'a': 1}.b", 'Key not found in map : "b"'),
        ("{1: 1}[2u]", "Key not found in map : 2u"),
        ("{1: 1}[1e30]", "Key not found in map : 1e+30.0"),
        ("'a'.b", "Applying SELECT to non-message type"),
        ("1 in 1", "No matching overloads found : @in"),
        ("1.map(x, x)", "No matching overloads found : <iter_range>"),
        ("[1].all(x, 1)", "No matching overloads found : _&&_"),
        ("[1, 2].map(x, x == 1 ? 1/0 : nope)", "divide by zero"),
        ("[1, 2].filter(x, x == 1 ? 1/0 > 0 : nope)", 'No value with name "nope" found in Activation'),
        ("1.size()", "No matching overloads found : (int64).size()"),
        ("int(1e30)", "double out of int64 range"),
        ("uint(-1)", "int64 out of uint64 range"),
        ("int('\uff11')", "cannot convert string to int"),
        ("uint('-1')", "cannot convert string to uint"),
        ("bool('yes')", "Type conversion error from 'string' to 'bool'"),
        (r"string(b'\xff')", "malformed UTF-8 bytes"),
        ("duration('1d')", "String to Duration conversion failed"),
        (
            "duration('315576000001.5s')",
            'Duration "87660000h1.5s" above maximum allowed duration "87660000h0.999999999s"',
        ),
        ("timestamp('2020-02-30T00:00:00Z')", "String to Timestamp conversion failed"),
        ("duration('1h').getDate()", "No matching overloads found : (duration).getDate()"),
        ("'a'.matches('(?=a)')", "invalid regular expression: invalid perl operator: (?="),
        ("'a'.matches('a**')", "invalid regular expression: bad repetition operator: **"),
        ("'a'.matches('a{1001}')", "invalid regular expression: invalid repetition size: {1001}"),
        ("'a'.matches('[')", "invalid regular expression: missing ]: ["),
        (
            "google.protobuf.UInt64Value{value: 5}",
            'Could not assign supplied argument to message "UInt64Value" field "value" of type uint64: '
            'value type "int64"',
        ),
    ],
)
def test_error(source: str, text: str) -> None:
    program = compile_expression(source)
    with pytest.raises(CelError) as error:
        program.evaluate(_lookup)
    assert str(error.value) == text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("nope(1)", "No overloads provided for FunctionStep creation"),
        ("size()", "No overloads provided for FunctionStep creation"),
        ("'a'.lowerAscii()", "No overloads provided for FunctionStep creation"),
        ("optional.of(1)", "No overloads provided for FunctionStep creation"),
        ("getDate(timestamp(0))", "No overloads provided for FunctionStep creation"),
        ("Nope{}", "Invalid struct creation: missing type info for 'Nope'"),
        (
            "google.protobuf.Duration{nope: 1}",
            "Invalid message creation: field 'nope' not found in 'google.protobuf.Duration'",
        ),
    ],
)
def test_an_expression_that_cannot_be_compiled(source: str, text: str) -> None:
    with pytest.raises(CannotCompile) as error:
        compile_expression(source)
    assert str(error.value) == text


_OPERAND = (
    "{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}"
)
_TOO_DEEP = f"ERROR: <input>:4294967295:0: Exceeded max recursion depth of {MAX_DEPTH} when parsing."


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", f"ERROR: <input>:1:1: Syntax error: mismatched input '<EOF>' expecting {_OPERAND}"),
        (
            "1+",
            f"ERROR: <input>:1:3: Syntax error: mismatched input '<EOF>' expecting {_OPERAND}\n | 1+\n | ..^",
        ),
        (
            '"é"\t+',
            f"ERROR: <input>:1:6: Syntax error: mismatched input '<EOF>' expecting {_OPERAND}\n"
            ' | "é" +\n | .\N{FULLWIDTH FULL STOP}...^',
        ),
        ("1 2", "ERROR: <input>:1:3: Syntax error: extraneous input '2' expecting <EOF>\n | 1 2\n | ..^"),
        (
            "a ? b",
            "ERROR: <input>:1:6: Syntax error: mismatched input '<EOF>' expecting ':'\n | a ? b\n | .....^\n"
            "ERROR: <input>:4294967295:0: <<nil>> parsetree",
        ),
        ("as", "ERROR: <input>:1:1: reserved identifier: as\n | as\n | ^"),
        ("has(a[1])", "ERROR: <input>:1:6: has() argument must be a field selection\n | has(a[1])\n | .....^"),
        (
            "[1].map(x.y, 1)",
            "ERROR: <input>:1:10: map() variable name must be a simple identifier\n | [1].map(x.y, 1)\n | .........^",
        ),
        ("- 9223372036854775809", "ERROR: <input>:1:1: invalid int literal\n | - 9223372036854775809\n | ^"),
        (r"r'\'", "ERROR: <input>:1:1: Invalid string literal: String must end with '\n | r'\\'\n | ^"),
        ("a.?b", "ERROR: <input>:1:1: unsupported syntax '.?'\n | a.?b\n | ^"),
        ("(" * 40 + "1" + ")" * 40, "Expression recursion limit exceeded. limit: 32"),
        ("1" + "+1" * 32, f"{_TOO_DEEP}\n{_TOO_DEEP}"),
        ("a" + ".b" * 32, _TOO_DEEP),
        ("1" * 100_001, "expression size exceeds codepoint limit. input size: 100001, limit: 100000"),
    ],
)
def test_a_text_that_is_no_expression(source: str, text: str) -> None:
    with pytest.raises(CannotParse) as error:
        compile_expression(source)
    assert str(error.value) == text


@pytest.mark.parametrize("source", ["1" + "+1" * 31, "a" + ".b" * 31, "!" * 5000 + "true", "true" + "||true" * 5000])
def test_what_is_just_not_too_deep(source: str) -> None:
    compile_expression(source)


def test_loops_are_bounded() -> None:
    ninety_nine, hundred = (f"[{', '.join(['0'] * count)}]" for count in (99, 100))
    assert MAX_STEPS == 10_000
    assert _value(f"{ninety_nine}.map(a, {hundred}.map(b, 0)).size()") == 99
    with pytest.raises(CelError, match="Iteration budget exceeded"):
        _value(f"{hundred}.map(a, {ninety_nine}.map(b, 0)).size() > 0 || true")


@pytest.mark.parametrize(
    "source",
    ["timestamp(0).getHours('Europe/Paris')", "envoy.config.core.v3.Locality{}", r"'a'.matches('\\C')"],
)
def test_what_is_not_modelled_says_so(source: str) -> None:
    with pytest.raises(NotModelled):
        _value(source)


@given(st.text(alphabet="ab1.+-*/!?:()[]{}'\",<>=&| \\\n", max_size=30))
def test_any_text_has_a_value_or_an_error(source: str) -> None:
    with suppress(CannotParse, CannotCompile, CelError, NotModelled):
        _value(source)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_doubles_text_gives_it_back(value: float) -> None:
    assert float(double_text(value)) == value


@given(st.integers(-(10**12) * _SECOND, 10**12 * _SECOND))
def test_a_timestamps_text_gives_it_back(ns: int) -> None:
    assert parse_timestamp(format_timestamp(Timestamp(ns))) == Timestamp(ns)


_NUMBERS = st.one_of(st.integers(-100, 100), st.floats(-100, 100).map(lambda value: round(value, 3)))


@given(_NUMBERS, st.sampled_from(["+", "-", "*", "<", "<=", "==", "!=", ">", ">="]), _NUMBERS)
def test_it_agrees_with_the_other_evaluator_where_they_are_meant_to(left: float, operator: str, right: float) -> None:
    cel = pytest.importorskip("cel")
    source = f"({left!r}) {operator} ({right!r})"
    try:
        expected = cel.evaluate(source)
    except TypeError:
        with pytest.raises(CelError):
            _value(source)
        return
    assert _value(source) == expected
