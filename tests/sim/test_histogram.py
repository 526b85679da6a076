"""Quantiles against worked examples, and histograms against the bounds that they promise."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshsim.sim import Histogram, quantile
from meshsim.sim.histogram import nearest_rank

VALUES = st.lists(st.integers(0, Histogram.LIMIT) | st.integers(0, 5000), min_size=1, max_size=60)
QUANTILES = st.sampled_from([0, 0.001, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1]) | st.floats(0, 1)
PRECISIONS = st.integers(1, 12)


def counted(values: list[int], precision: int = 8) -> Histogram:
    histogram = Histogram(precision)
    for value in values:
        histogram.add(value)
    return histogram


def facts(histogram: Histogram) -> tuple[object, ...]:
    return (*histogram.buckets(), histogram.count, histogram.total, histogram.least, histogram.greatest)


@pytest.mark.parametrize(
    ("q", "expected"), [(0.05, 15), (0.3, 20), (0.4, 20), (0.5, 35), (1, 50), (0, 15)]
)  # the worked example of the nearest-rank method in Wikipedia, "Percentile"
def test_quantile_by_nearest_rank(q: float, expected: int) -> None:
    assert quantile([50, 15, 40, 20, 35], q) == expected


def test_ranks_do_not_suffer_from_binary_fractions() -> None:
    assert all(nearest_rank(percent / 100, 100) == max(1, percent) for percent in range(101))
    assert all(nearest_rank(mille / 1000, 10_000) == max(1, 10 * mille) for mille in range(1001))


@pytest.mark.parametrize(("q", "n"), [(-0.1, 5), (1.1, 5), (0.5, 0)])
def test_quantiles_of_nothing_and_outside_of_0_to_1_are_refused(q: float, n: int) -> None:
    with pytest.raises(ValueError, match="quantile"):
        nearest_rank(q, n)
    with pytest.raises(ValueError, match="quantile"):
        counted([1] * n).quantile(q)


@given(VALUES, QUANTILES, PRECISIONS)
def test_a_histogram_keeps_its_error_bound(values: list[int], q: float, precision: int) -> None:
    histogram = counted(values, precision)
    true = quantile(values, q)
    # In fractions: floats cannot tell neighbours beyond 2**53 apart.
    assert abs(histogram.quantile(q) - true) <= Fraction(histogram.relative_error) * int(true)


@given(st.lists(st.integers(0, 255), min_size=1), QUANTILES)
def test_small_values_are_exact(values: list[int], q: float) -> None:
    assert counted(values).quantile(q) == quantile(values, q)


@given(VALUES, PRECISIONS)
def test_what_a_histogram_keeps_exactly(values: list[int], precision: int) -> None:
    histogram = counted(values, precision)
    assert histogram.count == len(values)
    assert histogram.total == sum(values)
    assert (histogram.least, histogram.greatest) == (min(values), max(values))
    assert histogram.mean == sum(values) / len(values)
    assert histogram.quantile(1) == max(values)


@given(VALUES, VALUES, PRECISIONS)
def test_merged_histograms_are_the_histogram_of_all(left: list[int], right: list[int], precision: int) -> None:
    merged = counted(left, precision)
    merged.merge(counted(right, precision))
    assert facts(merged) == facts(counted(left + right, precision))


@given(VALUES, PRECISIONS)
def test_buckets_hold_each_value_once_and_lie_in_order(values: list[int], precision: int) -> None:
    buckets = list(counted(values, precision).buckets())
    assert all(low <= high for low, high, _ in buckets)
    assert all(left[1] < right[0] for left, right in pairwise(buckets))
    assert all(times == sum(low <= value <= high for value in values) for low, high, times in buckets)
    assert sum(times for *_, times in buckets) == len(values)


def test_an_empty_histogram() -> None:
    histogram = Histogram()
    assert histogram.count == 0
    assert isnan(histogram.mean)
    assert list(histogram.buckets()) == []
    histogram.merge(Histogram())
    assert facts(histogram) == facts(Histogram())


@pytest.mark.parametrize("value", [-1, Histogram.LIMIT + 1])
def test_values_that_a_histogram_has_no_bucket_for_are_refused(value: int) -> None:
    histogram = Histogram()
    with pytest.raises(ValueError, match="counts 0"):
        histogram.add(value)
    assert facts(histogram) == facts(Histogram())


def test_histograms_of_different_precision_are_not_merged() -> None:
    with pytest.raises(ValueError, match="8 and 4 bits"):
        Histogram(8).merge(Histogram(4))
    with pytest.raises(ValueError, match="1 to 16 bits"):
        Histogram(0)
