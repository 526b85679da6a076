"""The comparison's tables, from rows that are made up; no Envoy runs here."""

from __future__ import annotations

from meshsim.cost import Estimate, default_profile
from meshsim.reference.accuracy import Comparison, Row, report


def row(name: str, predicted: float, *measured: float) -> Row:
    return Row(name, Estimate(predicted, 0.9 * predicted, 1.1 * predicted), measured)


COMPARISON = Comparison(
    plain={0: row("no filter", 20_000, 18_000)},
    requests=(row("one", 22_000, 20_000), row("two", 20_000, 19_000, 20_000, 21_000)),
    increments=(row("one", 2_000, 2_500), row("two", 1_000, 950)),
    memory=(row("small", 80 << 20, 100 << 20),),
    loading=(row("base", 2e6, 1e6),),
)


def test_a_row_says_how_far_it_is_off_and_how_far_envoy_is_off_itself() -> None:
    text = report(COMPARISON, default_profile())
    assert "| one | 22.00 | 20.00 | +10.0% | 0.0% |" in text
    assert "| two | 20.00 | 20.00 | +0.0% | 5.0% |" in text
    assert "| one | 2.00 (1.80 to 2.20) | 2.50 | -20.0% | 0.0% |" in text
    assert "| small | 80.00 | 100.00 | -20.0% | 0.0% |" in text


def test_the_summary_has_the_median_and_the_worst_error_and_counts_intervals() -> None:
    text = report(COMPARISON, default_profile())
    assert "| CPU time of a request | 5.0% | 10.0% | 2 of 2 within 20% | 2.5% |" in text
    assert "| time of a loading step | 100.0% | 100.0% | 0 of 1 within 30% |" in text
    assert "Inside their interval: 1 of 2." in text


def test_the_speed_of_the_machine_is_that_of_requests_without_a_filter() -> None:
    text = report(COMPARISON, default_profile())
    assert "of what the profile says: 0.90 (c=0)." in text
    assert "CPU time of a request: median 5.5%, worst 10.0%, 2 of 2 within 20%." in text
