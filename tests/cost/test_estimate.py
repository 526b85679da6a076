"""Ranges: what arithmetic does to them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meshsim.cost import Estimate, total
from meshsim.cost.estimate import NOTHING

NUMBERS = st.floats(0, 1e6)
ESTIMATES = st.tuples(NUMBERS, NUMBERS, NUMBERS).map(lambda three: Estimate(*(sorted(three)[n] for n in (1, 0, 2))))


@given(st.lists(ESTIMATES), NUMBERS)
def test_a_value_stays_inside_its_range(parts: list[Estimate], amount: float) -> None:
    whole = amount * total(parts)
    assert whole.low <= whole.value <= whole.high


@given(ESTIMATES, ESTIMATES)
def test_a_factor_with_a_range_widens_it(one: Estimate, factor: Estimate) -> None:
    product = one.by(factor)
    assert one.value * factor.value in product
    assert one.low * factor.high in product


def test_a_negative_low_end_stays_the_low_end_whatever_the_factor() -> None:
    assert Estimate(1.0, -2.0, 3.0).by(Estimate(1.0, 0.5, 2.0)) == Estimate(1.0, -4.0, 6.0)


def test_nothing_adds_nothing() -> None:
    assert Estimate(2.0, 1.0, 3.0) + NOTHING == Estimate(2.0, 1.0, 3.0)
