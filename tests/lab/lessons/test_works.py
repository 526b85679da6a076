"""Exercises that ask for a piece of work: what is right passes, and each usual slip is told what it forgets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from meshsim.lab.lessons.checking import judge
from meshsim.lab.lessons.lesson import Lesson, lesson
from meshsim.lab.lessons.verdict import State, Verdict
from meshsim.lab.wat import compile_wat

Counts = Callable[[int, int, int], object]


def judged(number: str, work: object) -> Verdict:
    at: Lesson = lesson(number[:2])
    return judge(at, at.plan.exercise(number), work)


# --- 04.5: formulas --------------------------------------------------------------------------------------------------


def test_the_formulas_are_right() -> None:
    assert judged("04.5", lambda n, v, p: (v * (n + 2), v * (n + 2) + p, p * (n + 2)))


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (lambda n, v, p: (v * n, 0, 0), "the base VM and the main thread's clone"),
        (lambda n, v, p: (v * (n + 1), 0, 0), "the base, or the main thread's clone"),
        (lambda n, v, p: (v * (n + 3), 0, 0), "created, but not active"),
        (lambda n, v, p: (p * (n + 2), p * (n + 3), p * (n + 2)), "count VMs, not plugins"),
        (lambda n, v, p: (v * (n + 2), v * (n + 2), 0), "canaries are created too"),
        (lambda n, v, p: (v * (n + 2), v * (n + 3), p * (n + 2)), "also where plugins share a VM"),
        (lambda n, v, p: (v * (n + 2), v * (n + 2) + p, v * (n + 2)), "belongs to a plugin"),
        (lambda n, v, p: (v * (n + 2), v * (n + 2) + p, p * (n + 3)), "it never starts a plugin"),
        (lambda n, v, p: n + 2, "three numbers are asked for"),
    ],
)
def test_a_slip_in_a_formula_is_explained(counts: Counts, words: str) -> None:
    verdict = judged("04.5", counts)
    assert verdict.state is State.WRONG
    assert words in verdict.words


def test_a_formula_with_an_open_place_is_no_failure() -> None:
    assert judged("04.5", lambda n, v, p: (..., ..., ...)).state is State.OPEN


# --- 04.7: two plugins in one VM -------------------------------------------------------------------------------------


def test_two_plugins_in_one_vm() -> None:
    path = lesson("04").folder / "two_plugins.yaml"
    text = path.read_text()
    assert judged("04.7", text.replace("vm_id: two", "vm_id: one"))
    assert "still differ" in judged("04.7", text).words
    assert "still differ" in judged("04.7", path).words
    one_plugin = text.replace("vm_id: two", "vm_id: one").replace(": again", ": hello")
    assert "two plugins" in judged("04.7", one_plugin).words
    assert "it does not run" in judged("04.7", "static_resources: 1").words


# --- 07.6: fail open -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("(nop)", "waits for ever"),
        ("(call $continue (i32.const 0))", "is it dropped?"),
        (
            "(call $answer (i32.const 503) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))",
            "the client gets 503",
        ),
        ("(drop (call $no_such_function))", "it does not run"),
    ],
)
def test_code_that_does_not_fail_open(code: str, words: str) -> None:
    verdict = judged("07.6", code)
    assert verdict.state is State.WRONG
    assert words in verdict.words


def test_code_that_fails_open() -> None:
    assert judged("07.6", "(drop (call $continue (i32.const 0)))")


# --- 09.6: thrift ----------------------------------------------------------------------------------------------------

_FILTER = """(module
  (import "env" "proxy_get_header_map_value" (func $get_header (param i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_add_header_map_value" (func $add_header (param i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "x-plan") (data (i32.const 16) "x-tier")
  (data (i32.const 32) "gold") (data (i32.const 48) "basic")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param $size i32) (result i32) (i32.const 1024))
  (func (export "proxy_on_context_create") (param i32 i32))
  (func $ask (result i32)
    (call $get_header (i32.const 0) (i32.const 0) (i32.const 6) (i32.const 256) (i32.const 260)))
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (local $gold i32)
    %s
    (if (local.get $gold)
      (then (drop (call $add_header (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 32) (i32.const 4))))
      (else (drop (call $add_header (i32.const 0) (i32.const 16) (i32.const 6) (i32.const 48) (i32.const 5)))))
    (i32.const 0)))"""
_LOOK = """(if (i32.eqz (call $ask))
  (then (local.set $gold (i32.eq (i32.load8_u (i32.load (i32.const 256))) (i32.const 103)))))"""


@pytest.mark.parametrize(
    ("middle", "words"),
    [
        ("", "the tier should be gold, and is basic"),
        ("(local.set $gold (i32.const 1))", "the tier should be basic, and is gold"),
        (f"(drop (call $ask)) {_LOOK}", "with 3 host calls for a request; 2 are enough"),
    ],
)
def test_a_filter_that_is_wrong_or_wasteful(middle: str, words: str) -> None:
    verdict = judged("09.6", compile_wat(_FILTER % middle))
    assert verdict.state is State.WRONG
    assert words in verdict.words


def test_a_thrifty_filter() -> None:
    assert judged("09.6", compile_wat(_FILTER % _LOOK))
