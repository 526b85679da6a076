from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from meshsim.envoy.outcome import Response
from meshsim.envoy.requests import Request, load_requests
from meshsim.export.chrome import CLIENTS, Journey, chrome_trace, join
from meshsim.export.spans import Span, spans, streams
from meshsim.lab.observe import Observation, observe
from meshsim.lab.scenarios import scenario
from tests.export.chrome_rules import problems
from tests.export.conftest import Record


@pytest.fixture
def trace(seen: Observation) -> dict[str, Any]:
    return seen.chrome_trace()


def of(trace: dict[str, Any], phase: str) -> list[dict[str, Any]]:
    return [event for event in trace["traceEvents"] if event["ph"] == phase]


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_a_run_keeps_the_rules(workers: int) -> None:
    first = scenario("first_filter")
    seen = observe(first.bootstrap, load_requests(first.requests), concurrency=workers)
    assert problems(seen.chrome_trace()) == []


def test_every_thread_is_a_track(trace: dict[str, Any]) -> None:
    names = [event["args"]["name"] for event in of(trace, "M") if event["name"] == "thread_name"]
    assert names == ["client", "main", "worker_0", "worker_1"]


def test_every_call_is_a_slice(trace: dict[str, Any], seen: Observation) -> None:
    calls = [item for root in seen.calls if isinstance(root, Span) for _, item in root.walk() if isinstance(item, Span)]
    slices = [event for event in of(trace, "X") if event["cat"] in ("callback", "host call")]
    assert len(slices) == len(calls)
    [lookup, *_] = [event for event in slices if event["name"] == "proxy_get_header_map_value"]
    assert lookup["args"]["map"] == "REQUEST_HEADERS"
    assert lookup["args"]["answer"] == "OK"


def test_each_request_flows_from_the_client_to_its_worker(trace: dict[str, Any], seen: Observation) -> None:
    starts, ends = of(trace, "s"), of(trace, "f")
    assert [event["id"] for event in starts] == [event["id"] for event in ends] == [1, 2, 3, 4]
    assert all(event["pid"] == CLIENTS for event in starts)
    assert all(event["pid"] != CLIENTS for event in ends)


def test_times_are_microseconds(trace: dict[str, Any], seen: Observation) -> None:
    [request, *_] = [event for event in of(trace, "X") if event["cat"] == "request"]
    assert request["ts"] == seen.journeys[0].start_ns / 1000


def test_the_counter_of_vms_ends_at_none(trace: dict[str, Any]) -> None:
    counts = [event["args"]["active"] for event in of(trace, "C")]
    assert max(counts) == 4
    assert counts[-1] == 0


def test_the_same_run_gives_the_same_bytes(trace: dict[str, Any]) -> None:
    first = scenario("first_filter")
    again = observe(first.bootstrap, load_requests(first.requests), concurrency=2)
    assert json.dumps(again.chrome_trace()) == json.dumps(trace)


def journey(start_ns: int, end_ns: int) -> Journey:
    return Journey(Request(), Response(200), start_ns, end_ns)


def test_requests_that_overlap_get_a_track_each() -> None:
    trace = chrome_trace([], [journey(0, 10), journey(5, 20), journey(10, 30), journey(40, 50)])
    assert problems(trace) == []
    assert [event["tid"] for event in of(trace, "X")] == [1, 2, 1, 1]


def test_a_request_that_caused_nothing_has_no_arrow() -> None:
    assert not of(chrome_trace([], [journey(0, 10)]), "s")


def test_a_stream_belongs_to_the_request_that_left_last(record: Record) -> None:
    calls = spans(
        record("7 w [host->vm] proxy_on_context_create 2 1", "7 w [host<-vm] proxy_on_context_create",
               "99 w [host->vm] proxy_on_context_create 3 1", "99 w [host<-vm] proxy_on_context_create")
    )  # fmt: skip
    joined = join([journey(0, 10), journey(5, 20), journey(30, 40)], streams(calls))
    assert [len(found) for found in joined] == [0, 1, 0]


def test_a_trap_keeps_the_rules(record: Record) -> None:
    calls = spans(
        record("0 w [host->vm] proxy_on_context_create 2 1", "1 w [vm->host] env.proxy_log 2 0 5",
               "9 w [host->vm] proxy_on_log 2", "12 w [host<-vm] proxy_on_log")
    )  # fmt: skip
    trace = chrome_trace(calls, [journey(0, 20)], streams(calls))
    assert problems(trace) == []
    assert [event["args"]["answer"] for event in of(trace, "X") if event["cat"] != "request"] == [
        "trap",
        "trap",
        "void",
    ]


class TestTheRules:
    """A check that finds nothing could be one that looks at nothing."""

    @pytest.mark.parametrize(
        ("change", "word"),
        [
            (lambda events: of_x(events).update(ph="Q"), "unknown phase"),
            (lambda events: of_x(events).update(ts=-1), "no time"),
            (lambda events: of_x(events).pop("dur"), "no duration"),
            (lambda events: of_x(events).update(dur=of_x(events)["dur"] + 0.5), "overlaps"),
            (
                lambda events: events.append({"ph": "E", "pid": 1, "tid": 1, "ts": 0, "name": "x"}),
                "without a beginning",
            ),
            (lambda events: events.append({"ph": "B", "pid": 1, "tid": 1, "ts": 0, "name": "x"}), "does not end"),
            (lambda events: events.remove(next(e for e in events if e["ph"] == "f")), "flow"),
            (lambda events: next(e for e in events if e["ph"] == "t").update(ts=0), "no slice"),
            (lambda events: events.remove(next(e for e in events if e["name"] == "thread_name")), "has no name"),
            (lambda events: events.remove(next(e for e in events if e["name"] == "process_name")), "has no name"),
        ],
    )
    def test_each_is_seen_when_it_is_broken(self, trace: dict[str, Any], change: Any, word: str) -> None:
        broken = copy.deepcopy(trace)
        try:
            change(broken["traceEvents"])
            found = problems(broken)
        except KeyError as error:  # a slice without a duration cannot be placed either
            found = [f"no duration: {error}"]
        assert any(word in problem for problem in found), found


def of_x(events: list[dict[str, Any]]) -> dict[str, Any]:
    return next(event for event in events if event["ph"] == "X" and event["name"] == "compile")
