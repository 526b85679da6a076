"""Guests of random but valid code: what they export, what they do there, and what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from meshsim.abi.constants import AbiVersion
from tests.fuzz.cells import PHASES, versions_of
from tests.fuzz.plans import Plan
from tests.fuzz.programs import Call, Composer, Programs, ends
from tests.fuzz.wat import (
    ALLOCATED,
    METRIC,
    POINTER,
    QUEUE,
    SIZE,
    Guest,
    const,
    lines,
    load,
    store,
    when,
)

#: Program numbers of a seed start here times the seed; a second guest of the seed has the upper half.
NUMBERS = 1000
TICK_MS = 20
#: Calls of a stream's callback, and of a root's.
IN_STREAM, IN_ROOT = 9, 7

_HEADERS = ("request_headers", "response_headers")
_BODIES = ("request_body", "response_body")
_TRAILERS = ("request_trailers", "response_trailers")
#: The HTTP phases of a stream with the parameters of their callbacks, in the order in which they come.
_STREAM = {
    "create": 2,
    "request_headers": 3,
    "request_body": 3,
    "request_trailers": 2,
    "response_headers": 3,
    "response_body": 3,
    "response_trailers": 2,
    "log": 1,
    "done": 1,
    "delete": 1,
}
_ANSWERING = (*_HEADERS, *_BODIES, *_TRAILERS, "done")
#: A request that brings a stream through all of its phases.
WHOLE = {"method": "POST", "path": "/back/x", "body": "0123456789"}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a stream's course is turned in one phase: by a call that is covered, by other text, or by an answer."""

    phase: str
    call: Call | None = None
    text: str = ""
    answer: int | None = None


class HttpGuest:
    """A guest whose callbacks all run: the first stream does what is planned, each other one turns its course once."""

    def __init__(self, plan: Plan, random: Random, programs: Programs, *, free: bool = False) -> None:
        self._plan = plan
        self._random = random
        self._free = free
        self.guest = Guest(plan.version, plan.wasi)
        self._composer = Composer(self.guest, random, programs, plan.seed * NUMBERS + NUMBERS // 2 * free)
        planned = {phase: self._share(phase, IN_STREAM) for phase in _STREAM}
        self._first = {
            phase: [call for call in calls if not ends(call, PHASES[phase])] for phase, calls in planned.items()
        }
        turned = [
            Ending(phase, call) for phase, calls in planned.items() for call in calls if ends(call, PHASES[phase])
        ]
        self.endings = [] if free else [*turned, *self._free_endings(1 if turned else 2)]

    def _share(self, phase: str, count: int) -> list[Call]:
        if not self._free:
            return self._plan.share(phase, count)
        return self._some(phase, count // 2)

    def _some(self, phase: str, most: int) -> list[Call]:
        """Any calls that let the stream go on; what is paused at its end stays so."""
        calls = [
            call
            for call in self._plan.any_calls(phase)
            if not ends(call, PHASES[phase]) and not call[0].startswith("env.proxy_continue_re")
        ]
        return self._random.choices(calls, k=self._random.randint(0, most))

    # -- endings ---

    def _free_endings(self, count: int) -> list[Ending]:
        return [self._free_ending(last=i == count - 1) for i in range(count)]

    def _free_ending(self, *, last: bool) -> Ending:
        random, old = self._random, self._plan.version is AbiVersion.V0_1_0
        phase = random.choice([*_HEADERS, *_BODIES, *_TRAILERS])
        kinds, weights = ["none", "resumed", "closed", "trap", "paused"], [4, 4, 2, 1 if last else 0, 0.3]
        match random.choices(kinds, weights)[0]:
            case "resumed":
                phase = random.choice(_HEADERS)
                half = int(phase in _TURNED_BACK)
                name = f"env.proxy_continue_{('request', 'response')[half]}" if old else "env.proxy_continue_stream"
                return Ending(phase, text=self.guest.drop(name, *([] if old else [half])), answer=_stop(phase, random))
            case "closed" if not old and phase != "response_trailers":  # there the real Envoy ends (SIGSEGV)
                return Ending(phase, text=self.guest.drop("env.proxy_close_stream", random.choice([0, 1])))
            case "trap":
                return Ending(random.choice(list(_STREAM)), text="(unreachable)")
            case "paused":
                return Ending(phase, answer=_stop(phase, random))
        return Ending("")

    # -- text ---

    def text(self) -> str:
        """The module."""
        self._start_and_allocate()
        self._root()
        for phase, parameters in _STREAM.items():
            if phase not in ("create", "done", "delete"):
                self._export(phase, parameters, self._streams(phase))
        return self.guest.text()

    def _start_and_allocate(self) -> None:
        if self._free:
            return
        self.guest.export("_initialize", 0, self._composer.write("start", self._plan.share("start", 3)))
        allocating = self._composer.write("allocate", self._plan.share("allocate", 1))
        self.guest.in_malloc(when(f"(i32.eqz {load(ALLOCATED)})", lines(store(ALLOCATED, const(1)), allocating)))

    def _root(self) -> None:
        guest = self.guest
        is_root, new_stream = (
            "(i32.eqz (local.get 1))",
            "(global.set $stream (i32.add (global.get $stream) (i32.const 1)))",
        )
        create = lines(prologue(guest), self._rooted("root_create"))
        self._export("create", 2, f"(if {is_root} (then {create}) (else {lines(new_stream, self._streams('create'))}))")
        guest.export("proxy_on_vm_start", 2, self._rooted("vm_start"), const(1))
        tick_soon = "" if self._free else guest.drop("env.proxy_set_tick_period_milliseconds", TICK_MS)
        guest.export("proxy_on_configure", 2, lines(self._rooted("configure"), tick_soon), const(1))
        if not self._free:
            never_again = guest.drop("env.proxy_set_tick_period_milliseconds", 0)
            guest.export("proxy_on_tick", 1, lines(self._rooted("tick"), never_again))
        for phase, parameters in (("done", 1), ("delete", 1)):
            of_root = f"(i32.eq (local.get 0) {const(1)})"
            answer = f"(local.set $answer {const(self._random.choice([0, 1, 1]))})" if phase == "done" else ""
            root, streams = lines(self._rooted(f"root_{phase}"), answer), self._streams(phase)
            self._export(phase, parameters, f"(if {of_root} (then {root}) (else {streams}))")

    def _rooted(self, phase: str) -> str:
        return self._composer.write(phase, self._share(phase, IN_ROOT))

    def _streams(self, phase: str) -> str:
        """What each stream does in a phase."""
        first = self._composer.write(phase, self._first[phase])
        texts = [in_stream(1, lines(first, self._answer(phase, None)))]
        for number, ending in enumerate(self.endings, start=2):
            here = ending if ending.phase == phase else None
            calls = [*self._some(phase, 2), *([here.call] if here and here.call else [])]
            program = self._composer.write(phase, calls, wild=True, last=[here.text] if here else [])
            texts.append(in_stream(number, lines(program, self._answer(phase, here or ending))))
        return lines(*texts)

    def _answer(self, phase: str, ending: Ending | None) -> str:
        """Set the answer; the first stream, and one whose course is turned elsewhere, go on."""
        random = self._random
        answer: str | None = None
        if ending is not None and ending.phase == phase:
            if ending.answer is not None:
                answer = const(ending.answer)
            elif ending.call and ending.call[0].startswith("env.proxy_continue_"):
                answer = const(_stop(phase, random))
            elif phase in _ANSWERING:
                answer = const(random.choice([0, 0, 1]))
        elif phase == "done":
            answer = const(random.choice([0, 1]))
        elif ending is not None and not ending.phase and phase in _BODIES and random.random() < 0.3:
            # Where a filter stops but does not keep the data, what it sees of them later is memory that is gone.
            answer = f"(select {const(0)} {const(1)} (local.get 2))"
        elif phase in _HEADERS and random.random() < 0.1:
            answer = const(2)
        return f"(local.set $answer {answer})" if answer and phase in _ANSWERING else ""

    def _export(self, phase: str, parameters: int, body: str) -> None:
        if phase in _HEADERS and self._plan.version is AbiVersion.V0_1_0:
            parameters = 2
        name = "proxy_on_context_create" if phase == "create" else f"proxy_on_{phase}"
        self.guest.export(name, parameters, body, "(local.get $answer)" if phase in _ANSWERING else None)


_TURNED_BACK = frozenset({"response_headers", "response_body", "response_trailers"})


def _stop(phase: str, random: Random) -> int:
    return random.choice([1, 3, 4]) if phase in _HEADERS else 1


def in_stream(number: int, body: str) -> str:
    """What the n-th stream does."""
    return when(f"(i32.eq (global.get $stream) {const(number)})", body)


def prologue(guest: Guest) -> str:
    """What a root context has before anything else happens: a metric, queues and a key, the same on every thread."""
    queues = [guest.drop("env.proxy_register_shared_queue", guest.data(name), QUEUE) for name in ("r", "", "q")]
    keys = [guest.drop("env.proxy_set_shared_data", guest.data(key), guest.data("v"), 0) for key in ("k", "k2", "")]
    metric = guest.drop("env.proxy_define_metric", 0, guest.data("m0"), METRIC)
    return lines(metric, *queues, *keys)


def dying_allocator(plan: Plan, call: Call, random: Random, programs: Programs) -> str:
    """A guest whose allocator calls what it may not, when it is configured."""
    guest = Guest(max(versions_of(call[0])), plan.wasi)
    composer = Composer(guest, random, programs, plan.seed * NUMBERS + NUMBERS - 1)
    guest.in_malloc(composer.write("allocate", [call]))
    ask = guest.drop("env.proxy_get_property", guest.data("plugin_name"), POINTER, SIZE)
    guest.export("proxy_on_configure", 2, ask, const(1))
    return guest.text()
