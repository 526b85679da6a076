"""Requests that a simulated Envoy was sent, each as a journey of steps.

At level ``abi`` an Envoy keeps two stores: crossings between host and module with log lines, and the notes of its
witness on filters, upstreams and clients. Both are read once, in order, between the moment at which a client sends the
request and the moment at which its answer is there.
"""

from __future__ import annotations

from collections.abc import Iterator

from meshsim.abi.events import Crossing, LogLine
from meshsim.envoy.proxy import Envoy
from meshsim.envoy.requests import Request
from meshsim.envoy.witness import Answered, Sent
from meshsim.errors import MeshsimError
from meshsim.sim import Entry, Level, Note
from meshsim.widgets._player_border import Border
from meshsim.widgets._player_journey import CLIENT, HOST, Journey, Page
from meshsim.widgets._player_streams import Streams


def requests_of(envoy: Envoy) -> list[Request]:
    """Return the requests that were sent one by one.

    Raises
    ------
    MeshsimError
        The Envoy keeps no trace.
    """
    if envoy.recorder.level < Level.ABI:
        raise MeshsimError(
            f"this Envoy keeps no calls: its level is {envoy.recorder.level.name}",
            remedy="make it with level=ms.Level.ABI, which is the default, and send the request again",
        )
    return [note.what.request for note in envoy.recorder.notes if isinstance(note.what, Sent)]


def journey_of(envoy: Envoy, number: int) -> Journey:
    """Return one of the requests that were sent, step by step.

    Parameters
    ----------
    number : int
        Which, counted from 0.

    Raises
    ------
    MeshsimError
        The Envoy keeps no trace, or there is no such request.
    """
    requests = requests_of(envoy)
    if not 0 <= number < len(requests):
        raise MeshsimError(
            f"there is no request {number}: {len(requests)} were sent one by one",
            remedy="send one with envoy.get() or envoy.send(); requests of envoy.drive() are not kept",
        )
    page = Page(Journey(requests[number], lifelines=[CLIENT, HOST]))
    streams, border = Streams(page), Border(page)
    for item in _window(envoy, number):
        match item:
            case Entry(time_ns, track, Crossing() as crossing):
                border.take(time_ns, track, crossing)
            case Entry(time_ns, track, LogLine() as line):
                border.take_log(time_ns, track, line)
            case Note():
                streams.take(item.time_ns, item.track, item.what)
    border.finish()
    journey = page.journey
    journey.lifelines += [*journey.plugins, *journey.clusters]
    return journey


def _window(envoy: Envoy, number: int) -> Iterator[Entry | Note]:
    """Go through events and notes, in order, from the sending of a request to its answer.

    Its streams are over by then: an answer takes a while to the client. Requests that were under way at the same
    time are in the same window.
    """
    recorder = envoy.recorder
    ends = [
        i
        for i, note in enumerate(recorder.notes)
        if isinstance(note.what, Sent | Answered) and note.what.number == number
    ]
    notes = recorder.notes[ends[0] : ends[1] + 1 if len(ends) > 1 else None]
    place = notes[0].place
    for note in notes:
        yield from recorder.events[place : note.place]
        yield note
        place = note.place
    if len(ends) < 2:
        yield from recorder.events[place:]
