from __future__ import annotations

from itertools import islice

import pytest

from meshsim.errors import ConfigError
from meshsim.mesh import Constant, Link, Mesh, Network, OpenLoop, Phases, Service, Topology, Trace
from meshsim.sim import Streams

S = 10**9


def due(load: OpenLoop | Phases | Trace, count: int) -> list[int]:
    """When the first requests are due."""
    return list(islice(load.arrivals_ns(Streams(1)), count))


def test_arrivals_at_equal_distances_and_in_bursts() -> None:
    assert due(OpenLoop(4, "constant"), 3) == [0, S // 4, S // 2]
    assert due(OpenLoop(4, "constant", burst=2), 5) == [0, 0, S // 2, S // 2, S]


def test_poisson_arrivals_have_the_rate() -> None:
    times = due(OpenLoop(100), 20_000)
    assert times == sorted(times)
    assert times[-1] / S == pytest.approx(200, rel=0.03)
    assert due(OpenLoop(100), 5) == times[:5]


def test_phases_follow_each_other_and_the_last_goes_on() -> None:
    phases = Phases(((1.0, OpenLoop(2, "constant")), (1.0, OpenLoop(4, "constant"))))
    assert [time / S for time in due(phases, 9)] == [0, 0.5, 1, 1.25, 1.5, 1.75, 2, 2.25, 2.5]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["time_ms", "1"], "no column 'time_s'"),
        (["time_s", "soon"], "could not convert"),
        (["time_s", "2", "1"], "time goes back"),
        (["time_s", "inf"], "cannot convert float infinity"),
        (["path,time_s", "/"], "could not convert"),
    ],
)
def test_what_is_no_trace(lines: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Trace.from_csv(lines)


def test_a_trace_is_sent_as_it_was_recorded() -> None:
    mesh = Mesh(
        Topology([Service("only", service_time=Constant(S // 10))]), proxies="none", network=Network(Link(Constant(0)))
    )
    result = mesh.run(Trace((0, 5, S // 2, 2 * S)), seconds=1)
    roots = [row for row in result.hops if row.service == "client"]
    assert [(row.start_ns, row.end_ns - row.start_ns) for row in roots] == [
        (0, S // 10),
        (5, S // 10),
        (S // 2, S // 10),
    ]


def test_a_client_without_a_free_connection_is_late() -> None:
    mesh = Mesh(
        Topology([Service("only", service_time=Constant(S // 10))]), proxies="none", network=Network(Link(Constant(0)))
    )
    rows = list(mesh.run(Trace((0, 0, 0), connections=1), seconds=1).hops)
    roots = [(row.queue_ns, row.end_ns - row.start_ns) for row in rows if row.service == "client"]
    assert roots == [(0, S // 10), (S // 10, S // 5), (S // 5, 3 * S // 10)]
    assert {row.end_ns - row.start_ns for row in rows if row.service == "only"} == {S // 10}


def test_what_comes_before_the_cut_does_not_count() -> None:
    mesh = Mesh(Topology([Service("only")]), proxies="none")
    result = mesh.run(OpenLoop(10, "constant"), seconds=2, warmup=1)
    assert result.counters["client"]["requests"] == 10
    assert [row.warm for row in result.hops if row.service == "client"] == [0] * 10 + [1] * 10


def test_nothing_is_left_of_a_run() -> None:
    with pytest.raises(ConfigError, match="warm-up"):
        Mesh(Topology([Service("only")]), proxies="none").run(OpenLoop(1), seconds=1, warmup=1)
