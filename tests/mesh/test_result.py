"""A result's measures, against the same by hand; its tables; what tells two runs apart."""

from __future__ import annotations

from math import inf
from statistics import median_low

import numpy as np
import pytest

from meshsim.mesh.latency import HistogramLatency, RowsLatency
from meshsim.mesh.result import Result, Usage
from meshsim.mesh.rows import CLIENT, HopRow
from meshsim.sim import Histogram, Streams, Table
from tests.mesh.synthetic import SERVICES, synthetic

RESULT = synthetic()


def test_latency_is_that_of_clients_after_the_warm_up() -> None:
    took = [row.end_ns - row.start_ns for row in RESULT.hops if row.service == CLIENT and row.warm]
    assert (RESULT.latency.count, RESULT.latency.p50, RESULT.latency.greatest) == (360, median_low(took), max(took))
    assert RESULT.latency.mean == pytest.approx(sum(took) / len(took))


def test_throughput_counts_good_answers_of_the_measured_time() -> None:
    assert RESULT.window_ns == 360 * 5_000_000
    assert RESULT.throughput == pytest.approx(324 / 1.8)
    assert RESULT.error_rate == pytest.approx(0.1)


def test_a_service_has_its_own_part() -> None:
    ratings = RESULT.service("ratings")
    assert ratings.rate == pytest.approx(200)
    assert ratings.error_rate == pytest.approx(0.1)
    assert {row.service for row in ratings.rows} == {"ratings"}
    assert RESULT.service("reviews").error_rate == 0
    with pytest.raises(KeyError, match="there are front, reviews, ratings"):
        RESULT.service("nope")


def test_rows_can_be_sliced_and_counted_from_the_end() -> None:
    errors = RESULT.find("error and root")
    assert errors[-1] == list(errors)[-1]
    assert list(errors[2:5]) == list(errors)[2:5]
    with pytest.raises(IndexError):
        errors[len(errors)]


def test_as_data_frames() -> None:
    frame = RESULT.to_pandas()
    assert list(frame.columns) == list(HopRow._fields)
    assert len(frame) == len(RESULT.hops)
    found = RESULT.find("error").to_pandas()
    assert set(found["status"]) == {503}
    assert list(found.index) == list(range(len(found)))


def test_usage_is_a_share_of_what_there_was() -> None:
    assert Usage("a-0", "app", "a", 4, 200, 100).share == 0.5
    assert RESULT.summary()["busiest"] == pytest.approx(0.3)


def test_without_rows_the_histograms_answer() -> None:
    histogram = Histogram()
    for took_ns in (1000, 2000, 3000):
        histogram.add(took_ns)
    result = Result(Table(HopRow, kept=False), run_ns=10**9, services=SERVICES, histograms={CLIENT: histogram})
    assert isinstance(result.latency, HistogramLatency)
    assert result.latency.summary()["count"] == 3
    assert result.throughput == 3
    assert result.latency.interval(0.5).half_width == inf
    assert result.service("front").latency.p99 == 0


def test_an_empty_result_has_measures() -> None:
    summary = synthetic(0).summary()
    assert (summary["count"], summary["p99_ns"], summary["throughput"], summary["mean_ns"]) == (0, 0, 0.0, 0.0)


def test_the_digest_tells_runs_apart() -> None:
    assert synthetic(50).digest() == synthetic(50).digest()
    assert synthetic(50).digest() != synthetic(50, seed=2).digest()


def test_an_interval_covers_the_true_quantile_as_often_as_it_says() -> None:
    """200 runs of 4000 independent exponential times: of 200 intervals of 95 %, 3 to 18 miss, 99 times of 100."""
    true_median = 1e6 * np.log(2)
    missed = 0
    for seed in range(200):
        draw = Streams(seed).exponential_ns("x", 1e6)
        took = np.array([next(draw) for _ in range(4000)])
        missed += true_median not in RowsLatency(np.arange(4000), took).interval(0.5)
    assert 3 <= missed <= 18


def test_a_run_too_short_for_a_quantile_says_so() -> None:
    few = RowsLatency(np.arange(100), np.arange(100))
    assert few.interval(0.99).half_width == inf
    assert few.interval(0.5).half_width < inf
