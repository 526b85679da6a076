"""What the proxies of a mesh recorded at level ``abi``, told apart by request.

Theory of operation. A proxy serves many requests at once, and a crossing of the border says only which context of
which VM it is for. Who caused it follows from what stands around it. A witness's notes name the stream before and after
each call of a filter, and the account of a stream names the request and the hop. A stream context belongs to the stream
in which the module was told of it, and the answer to a callout to the stream that asked. What belongs to no stream (a
tick, a configuration) belongs to no request.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from meshsim.abi.events import Crossing, Direction, LogLine
from meshsim.abi.signatures import ALLOCATORS
from meshsim.envoy.witness import Forwarded, Given, Left, Opened, Replied, Returned
from meshsim.mesh.legs import Leg
from meshsim.sim import Entry, Note, Recorder

_CREATE, _ANSWER, _CALL = "proxy_on_context_create", "proxy_on_http_call_response", "env.proxy_http_call"
#: No stream: what is on its way between proxies.
BETWEEN = -1


class Happened(NamedTuple):
    """Something that one request caused at one proxy.

    ``generation`` counts the proxies that a pod has had; ``stream`` is the stream's number there, or :data:`BETWEEN`;
    ``what`` is a note of the witness, a crossing or a log line.
    """

    time_ns: int
    pod: str
    generation: int
    track: str
    leg: Leg
    stream: int
    what: Any


def by_request(traces: Mapping[str, Sequence[Recorder]]) -> dict[int, list[Happened]]:
    """Return what happened for each request, by its number, in order of time."""
    found: dict[int, list[Happened]] = defaultdict(list)
    for pod, recorders in traces.items():
        for generation, recorder in enumerate(recorders):
            for happened in _Reader(pod, generation).read(recorder):
                found[happened.leg.request].append(happened)
    for each in found.values():
        each.sort(key=lambda happened: happened.time_ns)
    return found


class _Frame(NamedTuple):
    """A call that is open, or (without a function) a filter that is being called; ``stream`` is who caused it."""

    function: str
    stream: int | None
    plugin: str = ""


@dataclass(slots=True)
class _Reader:
    """Reads what one proxy recorded."""

    pod: str
    generation: int
    _stacks: dict[str, list[_Frame]] = field(default_factory=lambda: defaultdict(list))
    _legs: dict[int, Leg] = field(default_factory=dict)
    #: Streams by thread, plugin and context; and by thread, plugin and callout.
    _contexts: dict[tuple[str, str, int], int | None] = field(default_factory=dict)
    _callouts: dict[tuple[str, str, int], int | None] = field(default_factory=dict)

    def read(self, recorder: Recorder) -> Iterator[Happened]:
        """Go through events and notes, in order."""
        for item in _in_order(recorder):
            what: Any = item.what if isinstance(item, Note) else item.event
            stream = self._stream_of(item.track, what)
            leg = self._leg_of(stream, what)
            if leg is not None and leg.request >= 0:
                number = BETWEEN if stream is None else stream
                yield Happened(item.time_ns, self.pod, self.generation, item.track, leg, number, what)

    def _leg_of(self, stream: int | None, what: Any) -> Leg | None:
        if isinstance(what, Forwarded | Returned):
            return what.account if isinstance(what.account, Leg) else None
        return None if stream is None else self._legs.get(stream)

    def _stream_of(self, track: str, what: Any) -> int | None:
        stack = self._stacks[track]
        match what:
            case Opened(stream=stream, account=Leg() as leg):
                self._legs[stream] = leg
                return stream
            case Given(stream=stream):
                stack.append(_Frame("", stream))
                return stream
            case Left(stream=stream):
                while stack and stack.pop().function:
                    pass
                return stream
            case Replied(stream=stream):
                return stream
            case Crossing() if what.direction.is_return:
                return self._returns(track, stack, what)
            case Crossing():
                return self._calls(track, stack, what)
            case LogLine() if stack:
                return stack[-1].stream
        return None

    def _calls(self, track: str, stack: list[_Frame], call: Crossing) -> int | None:
        if call.direction is Direction.HOST_CALLS_VM and call.function not in ALLOCATORS:
            while stack and stack[-1].function:  # these have ended in a trap
                stack.pop()
        if stack:
            stream, plugin = stack[-1].stream, call.plugin or stack[-1].plugin
        else:
            stream, plugin = self._cause(track, call), call.plugin
        if call.function == _CREATE and call.values[1]:
            self._contexts[track, plugin, int(call.values[0])] = stream
        stack.append(_Frame(call.function, stream, plugin))
        return stream

    def _cause(self, track: str, call: Crossing) -> int | None:
        """Tell for which stream a callback is that comes by itself."""
        if call.function == _ANSWER:
            return self._callouts.pop((track, call.plugin, int(call.values[1])), None)
        return self._contexts.get((track, call.plugin, int(call.values[0]))) if call.values else None

    def _returns(self, track: str, stack: list[_Frame], back: Crossing) -> int | None:
        while stack and stack[-1].function:
            frame = stack.pop()
            if frame.function == back.function:
                for content in back.contents if frame.function == _CALL else ():
                    self._callouts[track, frame.plugin, int.from_bytes(content.data, "little")] = frame.stream
                return frame.stream
        return None


def _in_order(recorder: Recorder) -> Iterator[Entry | Note]:
    place = 0
    for note in recorder.notes:
        yield from recorder.events[place : note.place]
        yield note
        place = note.place
    yield from recorder.events[place:]
