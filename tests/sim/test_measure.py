"""Measures against known values."""

from __future__ import annotations

from math import atan, inf, isnan, pi, sqrt
from statistics import NormalDist, fmean, variance

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.sim import Moments, TimeAverage, confidence_interval
from meshsim.sim.measure import student_probability, student_t


@given(st.lists(st.integers(-(10**6), 10**6), min_size=2), st.integers(0, 20))
def test_moments_are_those_of_the_statistics_module_also_when_merged(values: list[int], cut: int) -> None:
    left, right = Moments(values[:cut]), Moments(values[cut:])
    left.merge(right)
    for moments in (Moments(values), left):
        assert moments.count == len(values)
        assert moments.mean == pytest.approx(fmean(values), rel=1e-9, abs=1e-6)
        assert moments.variance == pytest.approx(variance(values), rel=1e-9, abs=1e-6)
        assert moments.deviation == pytest.approx(sqrt(variance(values)), rel=1e-9, abs=1e-3)


def test_moments_keep_their_digits_far_from_zero() -> None:
    # 4, 7, 13, 16 have variance 30; with sums of squares nothing of it is left at 1e15.
    assert Moments(1e15 + value for value in (4, 7, 13, 16)).variance == 30


def test_moments_of_too_few_values() -> None:
    assert isnan(Moments().variance)
    assert isnan(Moments([1]).variance)
    empty = Moments()
    empty.merge(Moments())
    assert empty.count == 0


def test_time_average() -> None:
    queue = TimeAverage(start_ns=100, value=2)
    assert queue.mean(100) == 2
    queue.set(110, 5)
    queue.set(110, 4)
    assert (queue.mean(110), queue.mean(120), queue.value, queue.greatest) == (2, 3, 4, 5)
    with pytest.raises(ValueError, match="before the last change"):
        queue.set(109, 0)
    with pytest.raises(ValueError, match="before the last change"):
        queue.mean(109)


# NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2, "Critical Values of the Student's t Distribution":
# one-sided 0.95, 0.975, 0.995, that is two-sided 0.90, 0.95, 0.99.
NIST_T = {
    1: (6.314, 12.706, 63.657),
    2: (2.920, 4.303, 9.925),
    3: (2.353, 3.182, 5.841),
    4: (2.132, 2.776, 4.604),
    5: (2.015, 2.571, 4.032),
    9: (1.833, 2.262, 3.250),
    10: (1.812, 2.228, 3.169),
    19: (1.729, 2.093, 2.861),
    30: (1.697, 2.042, 2.750),
    60: (1.671, 2.000, 2.660),
    100: (1.660, 1.984, 2.626),
}


@pytest.mark.parametrize(("freedom", "expected"), NIST_T.items())
def test_student_t_is_that_of_the_tables(freedom: int, expected: tuple[float, ...]) -> None:
    assert tuple(round(student_t(level, freedom), 3) for level in (0.90, 0.95, 0.99)) == expected


@given(st.floats(0.001, 0.999), st.integers(1, 300))
def test_student_t_inverts_its_distribution(level: float, freedom: int) -> None:
    assert student_probability(student_t(level, freedom), freedom) == pytest.approx(level, abs=1e-9)


@given(st.floats(0, 100))
def test_student_distributions_with_a_closed_form(t: float) -> None:
    assert student_probability(t, 1) == pytest.approx(2 / pi * atan(t))  # Cauchy's
    assert student_probability(t, 2) == pytest.approx(t / sqrt(2 + t * t))


def test_student_t_tends_to_the_normal_quantile() -> None:
    assert student_t(0.95, 100_000) == pytest.approx(NormalDist().inv_cdf(0.975), abs=3e-5)


@pytest.mark.parametrize(("level", "freedom"), [(0, 5), (1, 5), (0.95, 0)])
def test_student_t_outside_of_its_range_is_refused(level: float, freedom: int) -> None:
    with pytest.raises(ValueError, match="no Student t"):
        student_t(level, freedom)


def test_confidence_interval() -> None:
    # Mean 3, deviation sqrt(2.5), five values: half width 2.776 * sqrt(2.5 / 5) = 1.963.
    interval = confidence_interval([1, 2, 3, 4, 5])
    assert interval.mean == 3
    assert interval.half_width == pytest.approx(1.963, abs=5e-4)
    assert (interval.low, interval.high) == (3 - interval.half_width, 3 + interval.half_width)
    assert 1.1 in interval
    assert 1.0 not in interval
    assert str(interval) == "3 ± 2 (95%, n=5)"


def test_one_value_says_nothing_about_the_mean_and_none_is_refused() -> None:
    assert confidence_interval([7]).half_width == inf
    with pytest.raises(ValueError, match="no values"):
        confidence_interval([])


def test_a_confidence_interval_holds_the_mean_as_often_as_it_says() -> None:
    # 2000 experiments of 4 normal values each: a rate of 0.9 has a standard error of 0.0067.
    normal = NormalDist(5, 2).samples(8000, seed=1)
    held = sum(5 in confidence_interval(normal[i : i + 4], 0.9) for i in range(0, 8000, 4))
    assert held / 2000 == pytest.approx(0.9, abs=3 * 0.0067)
