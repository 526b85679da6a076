"""Chrome's trace format, for Perfetto's and Chromium's viewers.

One process stands for the clients, one for the Envoy, whose threads are its tracks. A request is a slice of a client
and, by flow arrows, joined to the callbacks that it caused on a worker. Rules that viewers hold one to, and that a
test checks here: ``ts`` and ``dur`` are microseconds; slices of one track nest or stand apart; each flow begins once
and ends once; each track has a name. Requests that overlap therefore get a client's track each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshsim.abi import describe
from meshsim.envoy.outcome import Response
from meshsim.envoy.requests import Request
from meshsim.export.loading import MEANING, Step, active_vms
from meshsim.export.spans import Said, Span, StreamPath

CLIENTS, ENVOY = 1, 2
_FLOW = "request"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Journey:
    """A request on its way: when it left the client and when its answer was read, in virtual ns."""

    request: Request
    response: Response
    start_ns: int
    end_ns: int

    @property
    def title(self) -> str:
        """Method and path."""
        return f"{self.request.method} {self.request.path}"


def chrome_trace(
    roots: Sequence[Span | Said],
    journeys: Sequence[Journey] = (),
    streams: Sequence[StreamPath] = (),
    steps: Sequence[Step] = (),
    about: Mapping[str, str] | None = None,
) -> Json:
    """Return a run as the JSON object of a trace file.

    Parameters
    ----------
    roots : sequence of Span or Said
        What :func:`meshsim.export.spans.spans` gives.
    journeys : sequence of Journey
        The requests.
    streams : sequence of StreamPath
        What :func:`meshsim.export.spans.streams` gives: it joins requests and callbacks.
    steps : sequence of Step
        What :func:`meshsim.export.loading.loading_steps` gives.
    about : mapping of str to str, optional
        Facts on the run, which viewers show as its metadata.
    """
    tids = {track: tid for tid, track in enumerate(dict.fromkeys(item.track for item in roots), 1)}
    lanes = _lanes(journeys)
    events = [
        *_names(tids, max(lanes, default=0) + 1 if journeys else 0),
        *(event for step in steps for event in _step(step, tids[step.track])),
        *(event for item in roots for event in _item(item, tids[item.track])),
        *(_request(number, journey, lane) for number, (journey, lane) in enumerate(zip(journeys, lanes, strict=True))),
        *(
            event
            for number, caused in enumerate(join(journeys, streams))
            for event in _flow(number, journeys[number], lanes[number], caused, tids)
        ),
    ]
    timed = sorted((event for event in events if "ts" in event), key=_outer_first)
    return {
        "traceEvents": [event for event in events if "ts" not in event] + timed,
        "displayTimeUnit": "ns",
        "otherData": dict(about or {}),
    }


def join(journeys: Sequence[Journey], streams: Sequence[StreamPath]) -> list[list[StreamPath]]:
    """Return for each request the streams that it caused: those that began while it was under way.

    A stream that began while several requests were under way belongs to the one that left last.
    """
    caused: list[list[StreamPath]] = [[] for _ in journeys]
    for stream in streams:
        under_way = [i for i, journey in enumerate(journeys) if journey.start_ns <= stream.start_ns <= journey.end_ns]
        if under_way:
            caused[max(under_way, key=lambda i: journeys[i].start_ns)].append(stream)
    return caused


def _micros(time_ns: int) -> float:
    return time_ns / 1000


def _outer_first(event: Json) -> tuple[float, float]:
    """Viewers take slices in order; of two that begin together the longer one is the outer."""
    return event["ts"], -event.get("dur", 0)


def _names(tids: Mapping[str, int], lanes: int) -> Iterator[Json]:
    tracks = [(CLIENTS, lane + 1, "client" if lanes == 1 else f"client {lane + 1}") for lane in range(lanes)]
    tracks += [(ENVOY, tid, track) for track, tid in tids.items()]
    for pid, name in ((CLIENTS, "clients"), (ENVOY, "envoy")):
        if any(track[0] == pid for track in tracks):
            yield {"ph": "M", "pid": pid, "tid": 0, "name": "process_name", "args": {"name": name}}
    for pid, tid, name in tracks:
        yield {"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": name}}
        yield {"ph": "M", "pid": pid, "tid": tid, "name": "thread_sort_index", "args": {"sort_index": tid}}


def _slice(tid: int, name: str, category: str, start_ns: int, end_ns: int, args: Json) -> Json:
    return {
        "ph": "X", "pid": ENVOY, "tid": tid, "name": name, "cat": category,
        "ts": _micros(start_ns), "dur": _micros(end_ns - start_ns), "args": args,
    }  # fmt: skip


def _step(step: Step, tid: int) -> Iterator[Json]:
    yield _slice(tid, step.phase.value, "loading", step.start_ns, step.end_ns, {"what": MEANING[step.phase]})


def _item(item: Span | Said, tid: int) -> Iterator[Json]:
    if isinstance(item, Said):
        yield _said(item, tid)
        return
    for _, inner in item.walk():
        if isinstance(inner, Said):
            yield _said(inner, tid)
        else:
            args = dict(describe.arguments(inner.function, inner.values))
            category = "host call" if inner.is_host_call else "callback"
            name = inner.function.rpartition(".")[2]
            yield _slice(tid, name, category, inner.start_ns, inner.end_ns, args | {"answer": inner.result})


def _said(said: Said, tid: int) -> Json:
    active = active_vms(said.line)
    if active is not None:
        return {
            "ph": "C",
            "pid": ENVOY,
            "tid": 0,
            "name": "VMs",
            "ts": _micros(said.time_ns),
            "args": {"active": active},
        }
    category = "guest log" if said.line.guest else "Envoy's log"
    return {
        "ph": "i", "s": "t", "pid": ENVOY, "tid": tid, "name": said.line.text, "cat": category,
        "ts": _micros(said.time_ns), "args": {"level": said.line.level},
    }  # fmt: skip


def _lanes(journeys: Sequence[Journey]) -> list[int]:
    """Give requests that overlap different tracks: each the first that is free when it leaves."""
    free_from: list[int] = []
    lanes = []
    for journey in journeys:
        lane = next((i for i, time_ns in enumerate(free_from) if time_ns <= journey.start_ns), len(free_from))
        free_from[lane:] = [journey.end_ns, *free_from[lane + 1 :]]
        lanes.append(lane)
    return lanes


def _request(number: int, journey: Journey, lane: int) -> Json:
    event = _slice(
        lane + 1, journey.title, "request", journey.start_ns, journey.end_ns,
        {"number": number + 1, "status": journey.response.status or journey.response.error},
    )  # fmt: skip
    return event | {"pid": CLIENTS}


def _flow(
    number: int, journey: Journey, lane: int, streams: Sequence[StreamPath], tids: Mapping[str, int]
) -> Iterator[Json]:
    """Arrows from the client's slice through the callbacks; none for a request that caused none."""
    callbacks = sorted((call for stream in streams for call in stream.callbacks), key=lambda call: call.start_ns)
    if not callbacks:
        return
    points = [(CLIENTS, lane + 1, journey.start_ns)]
    points += [(ENVOY, tids[callback.track], callback.start_ns) for callback in callbacks]
    phases = ["s", *["t"] * (len(points) - 2), "f"]
    for phase, (pid, tid, time_ns) in zip(phases, points, strict=True):
        yield {
            "ph": phase, "pid": pid, "tid": tid, "name": _FLOW, "cat": _FLOW, "id": number + 1, "ts": _micros(time_ns),
            **({"bp": "e"} if phase == "f" else {}),
        }  # fmt: skip
