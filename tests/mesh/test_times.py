"""Distributions: their means are those of what they draw; texts and numbers that cannot be are refused."""

from __future__ import annotations

import pickle
from itertools import islice
from statistics import fmean

import pytest

from meshsim.errors import ConfigError
from meshsim.mesh import (
    Constant,
    Erlang,
    Exponential,
    HyperExponential,
    LogNormal,
    Observed,
    Pareto,
    Uniform,
    duration_ns,
    times,
)
from meshsim.mesh.times import Times
from meshsim.sim import Streams

MS = 1_000_000
ALL = [
    Constant(MS),
    Exponential(MS),
    LogNormal(MS, 0.5),
    Uniform(MS, 3 * MS),
    Erlang(4, MS),
    HyperExponential(0.1, 10 * MS, MS),
    Pareto(MS, 4.0),
    Observed((MS, 2 * MS, 6 * MS)),
]


def drawn(given: Times, count: int) -> list[int]:
    draw = given.draws(Streams(7), "work")
    return [draw() for _ in range(count)]


@pytest.mark.parametrize("each", ALL, ids=lambda each: type(each).__name__)
def test_what_is_drawn_has_the_mean(each: Times) -> None:
    assert fmean(drawn(each, 60_000)) == pytest.approx(each.mean_ns, rel=0.03)


@pytest.mark.parametrize("each", ALL, ids=lambda each: type(each).__name__)
def test_the_same_stream_gives_the_same_times_in_another_process_too(each: Times) -> None:
    there = pickle.loads(pickle.dumps(each))
    assert there == each
    assert drawn(there, 100) == drawn(each, 100) == list(islice(each.without_end(Streams(7), "work"), 100))


@pytest.mark.parametrize("text", ["lognormal(1ms, 10)", "pareto(1ms, 0.1)"])
def test_no_tail_is_so_heavy_that_time_goes_back(text: str) -> None:
    assert min(drawn(times(text), 60_000)) >= 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("erlang(0, 10ms)", r"erlang\(0, 10ms\): stages is 0"),
        ("lognormal(1ms, -1)", "sigma is -1.0"),
        ("lognormal(1ms, nan)", "sigma is nan"),
        ("uniform(2ms, 1ms)", "high_ns is 1000000\n  -> a number from 2,000,000 on"),
        ("hyperexponential(2, 1ms, 1ms)", "share is 2.0\n  -> a number from 0 to 1"),
        ("pareto(1ms, 0)", "shape is 0.0"),
        ("pareto(1ms, inf)", "shape is inf"),
        ("pareto(1ms, x)", "'x' is no number"),
        ("pareto(1ms)", "pareto takes 2 values"),
        ("gamma(1ms)", "no distribution 'gamma'"),
        ("9" * 400 + "s", "is too long"),
    ],
)
def test_what_cannot_be_is_refused_where_it_is_written(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        times(text)


@pytest.mark.parametrize("given", [-5, 5.5, None, ["1ms"]])
def test_what_is_no_time_at_all_is_refused_too(given: object) -> None:
    with pytest.raises(ConfigError, match=r"is no time|ns is -5"):
        times(given)  # type: ignore[arg-type]


def test_measured_times_are_some() -> None:
    with pytest.raises(ConfigError, match="no times"):
        Observed(())


def test_durations_are_those_of_go() -> None:
    assert [duration_ns(text) for text in ("1h2m", "1.5s", ".5ms", " 3us ")] == [3720 * 10**9, 1500 * MS, MS // 2, 3000]
