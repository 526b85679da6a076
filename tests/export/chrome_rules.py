"""What Chrome's trace format asks of a file, as far as viewers go wrong without it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

Event = dict[str, Any]
Track = tuple[int, int]

PHASES = frozenset("XBEiIMCstfbne")


def problems(trace: Event) -> list[str]:
    """Return what is wrong with a trace; an empty list when nothing is."""
    events = trace["traceEvents"]
    return [*_each(events), *_nesting(events), *_pairs(events), *_flows(events), *_names(events)]


def _ns(micros: float) -> int:
    return round(micros * 1000)


def _track(event: Event) -> Track:
    return event["pid"], event["tid"]


def _each(events: list[Event]) -> Iterator[str]:
    for event in events:
        if event["ph"] not in PHASES:
            yield f"unknown phase: {event}"
        if event["ph"] != "M" and not event.get("ts", -1) >= 0:
            yield f"no time: {event}"
        if event["ph"] == "X" and not event.get("dur", -1) >= 0:
            yield f"no duration: {event}"
        if not event.get("name"):
            yield f"no name: {event}"


def _nesting(events: list[Event]) -> Iterator[str]:
    """Slices of one track, in the order of the file within one start, must lie in the slice that is open."""
    tracks: dict[Track, list[Event]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            tracks[_track(event)].append(event)
    for track, slices in tracks.items():
        ends: list[int] = []
        for event in sorted(slices, key=lambda e: (_ns(e["ts"]), -_ns(e["dur"]))):
            start, end = _ns(event["ts"]), _ns(event["ts"]) + _ns(event["dur"])
            while ends and ends[-1] <= start:
                ends.pop()
            if ends and end > ends[-1]:
                yield f"track {track}: {event['name']} at {start} overlaps the slice around it"
            ends.append(end)


def _pairs(events: list[Event]) -> Iterator[str]:
    depth: dict[Track, int] = defaultdict(int)
    for event in events:
        depth[_track(event)] += {"B": 1, "E": -1}.get(event["ph"], 0)
        if depth[_track(event)] < 0:
            yield f"an end without a beginning: {event}"
    yield from (f"track {track}: a slice does not end" for track, left in depth.items() if left > 0)


def _flows(events: list[Event]) -> Iterator[str]:
    flows: dict[tuple[str, Any], list[Event]] = defaultdict(list)
    for event in events:
        if event["ph"] in "stf":
            flows[event["cat"], event["id"]].append(event)
    for key, points in flows.items():
        points.sort(key=lambda e: _ns(e["ts"]))
        order = "".join(sorted((point["ph"] for point in points), key="stf".index))
        if order[0] != "s" or order[-1] != "f" or order.count("s") != 1 or order.count("f") != 1:
            yield f"flow {key}: {order}"
        if points[0]["ph"] != "s":
            yield f"flow {key} does not begin with its start"
        for point in points:
            if not any(_holds(event, point) for event in events):
                yield f"flow {key}: no slice at {point['ts']} to hang an arrow on"


def _holds(event: Event, point: Event) -> bool:
    if event["ph"] != "X" or _track(event) != _track(point):
        return False
    start, at = _ns(event["ts"]), _ns(point["ts"])
    return start <= at <= start + _ns(event["dur"])


def _names(events: list[Event]) -> Iterator[str]:
    used = {_track(event) for event in events if event["ph"] in "XBE"}
    threads = {_track(event) for event in events if event["ph"] == "M" and event["name"] == "thread_name"}
    processes = {event["pid"] for event in events if event["ph"] == "M" and event["name"] == "process_name"}
    yield from (f"track {track} has no name" for track in sorted(used - threads))
    yield from (f"process {pid} has no name" for pid in sorted({pid for pid, _ in used} - processes))
