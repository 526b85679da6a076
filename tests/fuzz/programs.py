"""Programs: what a guest does in one callback, written so that the trace of the real Envoy tells which one ran.

A program begins with a mark, a call of ``proxy_log`` with a level that does not exist and the program's number for an
address. Its calls follow in a fixed order, so that the n-th call after the mark is the n-th step.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from tests.fuzz.arguments import Scene
from tests.fuzz.calls import draw
from tests.fuzz.cells import PHASES, Class, Phase
from tests.fuzz.wat import POINTER, RESTORE_TAIL, SIZE, TOKEN, Guest, const, lines, load, long

#: The level of marks: refused before anything else is looked at.
MARK = 99

Call = tuple[str, Class]

#: TCP phases in which a connection can be closed before its time.
CLOSING = ("new_connection", "downstream_data", "upstream_data")


@dataclass(frozen=True, slots=True)
class Program:
    """Its calls in order; None for a call that only prepares or shows something."""

    phase: str
    steps: tuple[Call | None, ...]


@dataclass(slots=True)
class Programs:
    """The programs of some guests, by number."""

    by_number: dict[int, Program] = field(default_factory=dict)

    def add(self, number: int, program: Program) -> None:
        assert number not in self.by_number
        self.by_number[number] = program


#: Functions that give bytes, which the guest logs.
_GIVES = frozenset(
    {
        "env.proxy_get_buffer_bytes",
        "env.proxy_get_configuration",
        "env.proxy_get_header_map_value",
        "env.proxy_get_property",
        "env.proxy_get_shared_data",
        "env.proxy_dequeue_shared_queue",
        "env.proxy_call_foreign_function",
    }
)
_ON_A_STREAM = frozenset({"env.proxy_grpc_send", "env.proxy_grpc_cancel", "env.proxy_grpc_close"})
_OPENS = frozenset({"env.proxy_grpc_stream", "env.proxy_grpc_call"})


def ends(call: Call, phase: Phase) -> bool:
    """Whether a call ends or resumes what the phase is about, so that it must be the last."""
    function, class_ = call
    match function:
        case "env.proxy_send_local_response":
            return phase.steers and class_ is not Class.BAD
        case "env.proxy_close_stream":
            return phase.name in CLOSING and class_ is Class.EDGE
        case "env.proxy_continue_request" | "env.proxy_continue_response":
            return phase.steers
    return False


class Composer:
    """Writes the programs of one guest and numbers them, from ``first`` on."""

    def __init__(self, guest: Guest, random: Random, programs: Programs, first: int, *, awaits: str = "") -> None:
        self.guest = guest
        self.random = random
        self._programs = programs
        self._next = first
        self._awaits = awaits

    def write(self, phase_name: str, calls: Iterable[Call], *, wild: bool = False, last: Sequence[str] = ()) -> str:
        """A program as text; ``last`` are calls of an ending."""
        phase = PHASES[phase_name]
        scene = Scene(self.guest, self.random, phase, wild, self._awaits)
        steps: list[Call | None] = []
        texts: list[str] = []
        for call in calls:
            for text, step in self._step(call, scene):
                texts.append(text)
                steps += step
        number, self._next = self._next, self._next + 1
        self._programs.add(number, Program(phase_name, tuple(steps)))
        mark = self.guest.drop("env.proxy_log", MARK, number, 0)
        return lines(mark, *texts, *last)

    def _step(self, call: Call, scene: Scene) -> Iterable[tuple[str, list[Call | None]]]:
        """The text of a call and of what goes with it, and the steps that these are in the trace."""
        function, class_ = call
        guest, quiet = self.guest, scene.phase.name in ("allocate", "start")
        on_a_stream = function in _ON_A_STREAM and class_ is not Class.BAD and not quiet
        if on_a_stream:
            yield self._open_stream(), [None]
        arguments = self._arguments(call, scene)
        text = guest.drop(function, *arguments)
        opens = function in _OPENS and self._awaits == "grpc"
        if opens:  # a call that is refused leaves no token, and none of an earlier call must stand there
            yield f"(i32.store {arguments[-1]} {const(0)})", []
        shown = function in _GIVES and class_ is Class.VALID and not quiet
        if shown:
            yield f"(i64.store {const(POINTER)} {long(0)})", []
        yield text, [call]
        if shown:
            yield guest.drop("env.proxy_log", 2, load(POINTER), load(SIZE)), [None]
        if function == "env.proxy_set_effective_context" and class_ is not Class.EDGE:
            yield guest.drop(function, 0), [(function, Class.EDGE)]
        if on_a_stream:
            yield guest.drop("env.proxy_grpc_cancel", load(TOKEN)), [None]
        if opens:
            yield guest.drop("env.proxy_grpc_cancel", f"(i32.load {arguments[-1]})"), [None]
        if class_ is Class.EDGE:
            yield RESTORE_TAIL, []

    def _arguments(self, call: Call, scene: Scene) -> tuple[str, ...]:
        """Where answers are awaited, a call that is under way must be known, so that it can be cancelled."""
        function, class_ = call
        known = function in _OPENS and self._awaits == "grpc" and class_ is Class.BAD
        while True:
            arguments = draw(function, class_, scene)
            if not known or arguments[-1] == const(POINTER):
                return arguments

    def _open_stream(self) -> str:
        """A gRPC stream to nobody, which is still connecting while the program runs."""
        data = self.guest.data
        names = f"{data('refused')} {data('s.Svc')} {data('Meth')} {const(0)} {const(0)}"
        return self.guest.drop("env.proxy_grpc_stream", names, TOKEN)
