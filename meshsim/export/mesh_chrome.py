"""A mesh's run as a trace file in Chrome's format: pods as processes, workers as tracks, calls as arrows.

A worker has several requests under way at a time, and slices of one track must nest; so a worker has as many tracks
as it needs, each request in the first that is free. Arrows lead from the caller's slice to the called one's; a filter's
callout comes from the slice of the request that the filter worked on, and may go on when that is over. Busy
times are counters, in percent of the time of each bin.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from heapq import heappop, heappush
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from meshsim.export.files import write_whole
from meshsim.mesh.rows import CLIENT, HopRow

if TYPE_CHECKING:
    from meshsim.mesh.result import Result

Json = dict[str, Any]

_CALL, _CALLOUT = "call", "callout"


class _Track(NamedTuple):
    pid: int
    tid: int
    name: str


def chrome_trace(result: Result, requests: int = 1000) -> Json:
    """Return the first ``requests`` requests of a run as the JSON object of a trace file."""
    rows = sorted(
        result.rows.find(f"0 <= request < {requests:d}"), key=lambda row: (row.start_ns, row.request, row.hop)
    )
    until_ns = max((row.end_ns for row in rows), default=0)
    pods = {pod: pid for pid, pod in enumerate(dict.fromkeys([CLIENT, *map(_pod, rows), *_used(result)]), 1)}
    tracks = _assign(rows, pods)
    timed = [
        *(_slice(row, track) for row, track in zip(rows, tracks, strict=True)),
        *_arrows(rows, tracks),
        *_busy(result, pods, until_ns),
        *(
            {"ph": "i", "s": "g", "pid": 1, "tid": 1, "name": f"{event.kind}: {event.what}", "cat": "mesh",
             "ts": event.time_ns / 1000}
            for event in result.events
            if event.time_ns <= until_ns
        ),
    ]  # fmt: skip
    timed.sort(key=lambda event: (event["ts"], -event.get("dur", 0)))
    about = {"seed": str(result.seed), "requests": str(min(requests, len({row.request for row in rows})))}
    return {
        "traceEvents": [*_names(pods, tracks), *timed],
        "displayTimeUnit": "ns",
        "otherData": about | {f"note {i}": note for i, note in enumerate(result.notes, 1)},
    }


def write(result: Result, path: str | Path, requests: int = 1000) -> None:
    """Write the trace file."""
    write_whole(path, json.dumps(chrome_trace(result, requests), separators=(",", ":")) + "\n")


def _pod(row: HopRow) -> str:
    return row.pod or row.service


def _used(result: Result) -> Iterator[str]:
    return (use.pod for use in result.usage)


def _assign(rows: Sequence[HopRow], pods: dict[str, int]) -> list[_Track]:
    """Give each row a track of its pod: per worker, the lowest that is free when the row begins."""
    free: dict[tuple[int, str], list[int]] = defaultdict(list)
    taken: dict[tuple[int, str], list[tuple[int, int]]] = defaultdict(list)
    count: dict[tuple[int, str], int] = defaultdict(int)
    tids: dict[tuple[int, str, int], int] = {}
    assigned = []
    for row in rows:
        pid, worker = pods[_pod(row)], row.worker or "requests"
        key = pid, worker
        while taken[key] and taken[key][0][0] <= row.start_ns:
            heappush(free[key], heappop(taken[key])[1])
        if not free[key]:
            heappush(free[key], count[key])
            count[key] += 1
        lane = heappop(free[key])
        heappush(taken[key], (row.end_ns, lane))
        tid = tids.setdefault((pid, worker, lane), len(tids) + 1)
        assigned.append(_Track(pid, tid, worker if lane == 0 else f"{worker} ({lane + 1})"))
    return assigned


def _slice(row: HopRow, track: _Track) -> Json:
    parts = {name: getattr(row, name) / 1000 for name in ("proxy_ns", "queue_ns", "app_ns", "network_ns")}
    args: Json = {"request": row.request, "status": row.status, "flags": row.flags or "-", "tries": row.tries}
    if row.filter:
        args["filter"] = row.filter
    return {
        "ph": "X", "pid": track.pid, "tid": track.tid, "name": f"{row.service} {row.status}",
        "cat": "error" if row.failed else "callout" if row.filter else "request",
        "ts": row.start_ns / 1000,
        "dur": (row.end_ns - row.start_ns) / 1000,
        "args": args | {f"{name[:-3]}_us": value for name, value in parts.items()},
    }  # fmt: skip


def _arrows(rows: Sequence[HopRow], tracks: Sequence[_Track]) -> Iterator[Json]:
    """From each caller to whom it called; where a caller's row was not kept, none."""
    at = {(row.request, row.hop): i for i, row in enumerate(rows)}
    for number, (row, track) in enumerate(zip(rows, tracks, strict=True), 1):
        caller = at.get((row.request, row.parent))
        if caller is None or not rows[caller].start_ns <= row.start_ns <= rows[caller].end_ns:
            continue
        kind = _CALLOUT if row.filter else _CALL
        for phase, (pid, tid, _) in (("s", tracks[caller]), ("f", track)):
            yield {
                "ph": phase, "pid": pid, "tid": tid, "name": kind, "cat": kind, "id": number,
                "ts": row.start_ns / 1000, **({"bp": "e"} if phase == "f" else {}),
            }  # fmt: skip


def _busy(result: Result, pods: dict[str, int], until_ns: int) -> Iterator[Json]:
    for use in filter(lambda use: use.capacity, result.usage):
        for place, busy_ns in enumerate(use.bins):
            start_ns = place * result.bin_ns
            if start_ns <= until_ns:
                percent = round(100 * busy_ns / (result.bin_ns * use.capacity), 2)
                yield {
                    "ph": "C", "pid": pods[use.pod], "tid": 0, "name": f"{use.track} busy %", "ts": start_ns / 1000,
                    "args": {"busy": percent},
                }  # fmt: skip


def _names(pods: dict[str, int], tracks: Sequence[_Track]) -> Iterator[Json]:
    for pod, pid in pods.items():
        yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_name", "args": {"name": pod}}
        yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_sort_index", "args": {"sort_index": pid}}
    for track in sorted(set(tracks)):
        yield {"ph": "M", "pid": track.pid, "tid": track.tid, "name": "thread_name", "args": {"name": track.name}}
