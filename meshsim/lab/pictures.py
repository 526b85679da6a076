"""Figures of a run: the loading timeline, the requests on their threads, one request call by call."""

from __future__ import annotations

from dataclasses import replace

from meshsim.export.loading import MEANING, Phase
from meshsim.figures.sequence import Arrow, Lifeline, sequence
from meshsim.figures.timeline import Bar, Track, timeline
from meshsim.lab.observe import Observation
from meshsim.lab.tables import PathLine, microseconds, milliseconds, path_lines, short_name

_COLOURS = {
    Phase.ISOLATE: "isolate",
    Phase.COMPILE: "compile",
    Phase.BASE: "base",
    Phase.CANARY: "canary",
    Phase.CLONE: "clone",
    Phase.START: "start",
}
_CLIENT, _ENVOY, _VM = range(3)


def loading_figure(seen: Observation) -> str:
    """Draw how the plugins were loaded, thread by thread."""
    tracks: dict[str, list[Bar]] = {}
    for step in seen.loading:
        calls = ", ".join(short_name(call.function) for call in step.calls)
        took = f"{step.phase.value}: {milliseconds(step.end_ns - step.start_ns)} ms; {MEANING[step.phase]}"
        bar = Bar(
            step.start_ns,
            step.end_ns,
            step.phase.value,
            _COLOURS[step.phase],
            f"{took}{'; calls ' * bool(calls)}{calls}",
        )
        tracks.setdefault(step.track, []).append(bar)
    return timeline(
        "Loading, thread by thread",
        "For each thread, in virtual time: making the isolate, compiling, base VM, canary, clone, start.",
        [Track(name, bars) for name, bars in tracks.items()],
        [(_COLOURS[phase], phase.value) for phase in Phase],
    )


def requests_figure(seen: Observation) -> str:
    """Draw the requests: at the client, and the stream contexts on the workers."""
    client = [
        Bar(journey.start_ns, journey.end_ns, f"{i}", "request", f"{journey.title}: {journey.response.status}")
        for i, journey in enumerate(seen.journeys, 1)
    ]
    workers: dict[str, list[Bar]] = {f"worker_{k}": [] for k in range(seen.concurrency)}
    for i, paths in enumerate(seen.paths, 1):
        for path in paths:
            end_ns = path.callbacks[-1].end_ns
            note = f"request {i}: stream context {path.context}, {len(path.callbacks)} callbacks"
            workers.setdefault(path.track, []).append(
                Bar(path.start_ns, end_ns, f"{i}: context {path.context}", "stream", note)
            )
    return timeline(
        "Requests and their stream contexts",
        "When each request was under way at the client, and when its stream context lived on a worker.",
        [Track("client", client), *(Track(name, bars) for name, bars in workers.items())],
        [("request", "request, from the client's side"), ("stream", "stream context in the module")],
    )


def sequence_figure(seen: Observation, number: int = 0) -> str:
    """Draw one request, callback by callback with the host calls inside.

    Parameters
    ----------
    number : int
        Which request, counted from 0.
    """
    journey, paths = seen.journeys[number], seen.paths[number]
    where = " and ".join(dict.fromkeys(path.track for path in paths)) or "Envoy"
    arrows = [Arrow(_CLIENT, _ENVOY, journey.title, "request", time="0 µs")]
    pending: list[Arrow] = []
    for line in path_lines(journey, paths):
        if line.kind == "callback":
            arrows += pending
            pending = [Arrow(_VM, _ENVOY, line.answer, "callback", answer=True)] if line.answer else []
        if line.kind == "log":
            arrows[-1] = replace(arrows[-1], said=_said(line))
        else:
            arrows.append(_arrow(line))
    arrows += pending
    ended = microseconds(journey.end_ns - journey.start_ns)
    arrows.append(Arrow(_ENVOY, _CLIENT, f"{journey.response.status}", "request", answer=True, time=f"{ended} µs"))
    return sequence(
        f"{journey.title}, call by call",
        "Arrows between the client, Envoy's worker and the module, from top to bottom.",
        [Lifeline("client", 0.11), Lifeline(f"Envoy, {where}", 0.35), Lifeline("module", 0.95)],
        arrows,
    )


def _arrow(line: PathLine) -> Arrow:
    """Draw a call; a callback's answer comes in a row of its own, when all inside it is over."""
    if line.kind == "callback":
        return Arrow(_ENVOY, _VM, line.text, "callback", time=f"{microseconds(line.time_ns)} µs")
    text = f"{line.text} = {line.answer}" if line.answer else line.text
    if line.kind == "hostcall":
        return Arrow(_VM, _ENVOY, text, "hostcall")
    return Arrow(_ENVOY, _VM, text, "callback")


def _said(line: PathLine) -> str:
    """A guest's log line without Envoy's words before it."""
    level, _, text = line.text.partition(": ")
    return f"{level}: {text.partition(': ')[2] or text}"
