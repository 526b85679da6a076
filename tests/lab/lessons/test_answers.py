from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from meshsim.lab.lessons.answers import Unreadable, items, matches, quantity
from meshsim.wasm.types import Import


@pytest.mark.parametrize(
    "answer",
    [9, 9.0, "9", " 9 ", "9 VMs", "9VMs", "nine", "Nine VMs", "= 9", "3 x 3 = 9", "\N{FULLWIDTH DIGIT NINE}",
     np.int64(9), np.float64(9), "+9", "9.", "0x9"],
)  # fmt: skip
def test_a_number_is_right_however_it_is_typed(answer: Any) -> None:
    assert matches(answer, 9)


@pytest.mark.parametrize("answer", [8, 10, "9.5", 9.5, "90", "-9", "eight", "9e1", True])
def test_another_number_is_not(answer: Any) -> None:
    assert not matches(answer, 9)


@pytest.mark.parametrize("answer", ["1,234,567", "1 234 567", "1_234_567 bytes", 1234567, "1.2 MB", "1.23 MB", "1 MB",
                                    "1235 kB", "1206 KiB", "1.18 MiB"])  # fmt: skip
def test_bytes_come_with_units_and_rounded(answer: Any) -> None:
    assert matches(answer, 1_234_567, unit="bytes")


@pytest.mark.parametrize("answer", ["1.3 MB", "1.24 MB", "2 MB", "1234568", "1234 kB", 1.2])
def test_a_number_that_the_truth_does_not_round_to_is_wrong(answer: Any) -> None:
    assert not matches(answer, 1_234_567, unit="bytes")


def test_times_come_with_units() -> None:
    assert matches("0.3 s", 300_000_000, unit="ns")
    assert matches("300 ms", 300_000_000, unit="ns")
    assert matches("20 \N{MICRO SIGN}s", 20_150, unit="ns")
    assert not matches("21 us", 20_150, unit="ns")


def test_a_tolerance_is_relative() -> None:
    assert matches(104, 100, tolerance=0.05)
    assert not matches(106, 100, tolerance=0.05)
    assert matches(0.1 + 0.2, 0.3)


@pytest.mark.parametrize("answer", ["yes", "Yes.", "Y", True, "true", "\N{CJK UNIFIED IDEOGRAPH-662F}"])
def test_yes_is_said_in_many_ways(answer: Any) -> None:
    assert matches(answer, True)
    assert not matches(answer, False)


@pytest.mark.parametrize("answer", [["b", "a"], ("a", "b"), {"a", "b"}, "a, b", "b and a", "a b", "[a; b]",
                                    {"a": 1, "b": 2}])  # fmt: skip
def test_a_collection_is_right_in_any_order(answer: Any) -> None:
    assert matches(answer, frozenset({"a", "b"}))


@pytest.mark.parametrize("answer", [["a"], "a, b, c", ["a", "a"], ["a", "c"], []])
def test_another_collection_is_not(answer: Any) -> None:
    assert not matches(answer, frozenset({"a", "b"}))


def test_a_sequence_has_its_order() -> None:
    assert matches("clone -> start -> configure", ("clone", "start", "configure"))
    assert matches([1, "2", 3.0], (1, 2, 3))
    assert not matches([2, 1, 3], (1, 2, 3))


def test_texts_may_be_spelt_in_several_ways() -> None:
    assert matches("on vm start", "on_vm_start", also=("proxy_on_vm_start",))
    assert matches("PROXY_ON_VM_START()", "on_vm_start", also=("proxy_on_vm_start",))
    assert not matches("on_configure", "on_vm_start")


@pytest.mark.parametrize(("answer", "truth"), [("many", 9), ([9], 9), (len, 9), ("maybe", True), (len, "a"), (len, ())])
def test_what_is_of_another_kind_is_not_called_wrong(answer: Any, truth: Any) -> None:
    with pytest.raises(Unreadable, match="is asked for"):
        matches(answer, truth)


def test_things_with_a_name_are_named_by_it() -> None:
    asked = Import("env", "proxy_log", "func")
    assert matches([asked], frozenset({"proxy_log"}))
    assert matches("env.proxy_log", "proxy_log")
    assert not matches("env.", "proxy_log")


def test_a_decimal_comma_is_no_thousand() -> None:
    assert quantity("1,234").meanings == (Decimal(1234),)
    assert items("1, 2") == ["1", "2"]
