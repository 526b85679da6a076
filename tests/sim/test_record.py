"""The recorder: below its level nothing is kept, at its level everything is."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from meshsim.sim import Entry, EventLog, Level, Recorder


class Hop(NamedTuple):
    number: int
    service: str


def test_the_log_reads_like_a_list() -> None:
    log, events = EventLog(), [object() for _ in range(4)]
    for time_ns, event in enumerate(events):
        log.append(time_ns, "worker_0", event)
    entries = [Entry(time_ns, "worker_0", event) for time_ns, event in enumerate(events)]
    assert list(log) == entries
    assert (log[0], log[-1], log[1:3], len(log)) == (entries[0], entries[3], entries[1:3], 4)
    with pytest.raises(IndexError):
        log[4]


@pytest.mark.parametrize(("level", "rows", "events"), [(Level.OFF, 0, 0), (Level.REQUESTS, 1, 0), (Level.ABI, 1, 1)])
def test_what_is_kept_at_each_level(level: Level, rows: int, events: int) -> None:
    recorder = Recorder(level)
    recorder.counters["requests"] += 1
    recorder.histogram("latency_ns").add(5)
    recorder.table(Hop).append(1, "reviews")
    recorder.events.append(5, "main", "event")
    assert recorder.counters == {"requests": 1}
    assert recorder.histograms["latency_ns"].count == 1
    assert (len(recorder.table(Hop)), len(list(recorder.table(Hop)))) == (rows, rows)
    assert (len(recorder.events), len(list(recorder.events))) == (events, events)


def test_levels_are_ordered() -> None:
    assert Level.OFF < Level.REQUESTS < Level.ABI


def test_two_recorders_share_nothing() -> None:
    one, other = Recorder(Level.ABI), Recorder(Level.ABI)
    one.counters["x"] += 1
    one.histogram("h").add(1)
    one.table(Hop).append(1, "reviews")
    one.events.append(0, "main", "event")
    assert one.table(Hop) is one.table(Hop)
    assert (other.counters, other.histograms, len(other.table(Hop)), len(other.events)) == ({}, {}, 0, 0)
