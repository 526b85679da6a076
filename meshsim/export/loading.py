"""How plugins were loaded: the base VM, the canary, the clones of each thread, and the plugin's start in them.

Read from a run's records: Envoy says when a VM begins and ends (the wording is Envoy's own), and the calls between
tell what was done in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from meshsim.abi.events import LogLine
from meshsim.export.spans import CREATE, Said, Span

_CREATED = re.compile(r"(Base|Thread-Local) Wasm created \d+ now active")
_GONE = re.compile(r"~Wasm \d+ remaining active")
_ACTIVE = re.compile(r"(?:Wasm created (\d+) now|~Wasm (\d+) remaining) active")
_STARTING = frozenset({"_initialize", "_start", "main", "__main_void", "proxy_on_vm_start", "proxy_on_configure"})


class Phase(Enum):
    """What a thread does while plugins are loaded; the value is what it is called."""

    ISOLATE = "isolate"
    COMPILE = "compile"
    BASE = "base VM"
    CANARY = "canary"
    CLONE = "clone"
    START = "start"


#: What happens in a phase, in a sentence.
MEANING = {
    Phase.ISOLATE: "V8 starts, and makes an isolate for the VM",
    Phase.COMPILE: "V8 parses and compiles the module",
    Phase.BASE: "the module is linked with Envoy's host functions, instantiated, and runs its own start",
    Phase.CANARY: "a clone in which the plugin is tried out, and which is then thrown away",
    Phase.CLONE: "this thread's own instance of the compiled module",
    Phase.START: "the plugin's root context is made, started and configured",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of one thread, in virtual ns; ``calls`` are the callbacks that ran in it."""

    track: str
    phase: Phase
    start_ns: int
    end_ns: int
    calls: tuple[Span, ...] = ()


def active_vms(line: LogLine) -> int | None:
    """Return how many VMs there are, as a line of Envoy's says; None for a line that says nothing of it.

    Examples
    --------
    >>> active_vms(LogLine("debug", "Base Wasm created 1 now active", False))
    1
    """
    found = _ACTIVE.search(line.text) if not line.guest else None
    return int(found[1] or found[2]) if found else None


def loading_steps(roots: Sequence[Span | Said], compile_ns: int = 0) -> list[Step]:
    """Return the steps of loading, thread by thread, in order.

    Parameters
    ----------
    roots : sequence of Span or Said
        What :func:`meshsim.export.spans.spans` gives, of all threads.
    compile_ns : int, optional
        How much of a base VM's time is the compiling. Left out, the two are one step.
    """
    tracks = dict.fromkeys(item.track for item in roots)
    return [
        step
        for track in tracks
        for group in _groups([item for item in roots if item.track == track])
        for step in group.steps(track, compile_ns)
    ]


@dataclass(slots=True)
class _Group:
    """What belongs together on one thread: a VM that begins, or (``kind`` empty) a plugin that starts in one."""

    kind: str
    start_ns: int
    ready_ns: int | None = None
    calls: list[Span] = field(default_factory=list)
    thrown_away: bool = False

    @property
    def end_ns(self) -> int:
        return self.calls[-1].end_ns if self.calls else self.ready

    @property
    def ready(self) -> int:
        """When the VM was made: when the thread did the next thing."""
        return self.start_ns if self.ready_ns is None else self.ready_ns

    def steps(self, track: str, compile_ns: int) -> Iterator[Step]:
        if self.kind == "Base":
            compiled = max(self.start_ns, self.ready - compile_ns)
            yield Step(track, Phase.ISOLATE, self.start_ns, compiled)
            yield Step(track, Phase.COMPILE, compiled, self.ready)
            yield Step(track, Phase.BASE, self.ready, self.end_ns, tuple(self.calls))
        elif self.thrown_away:
            yield Step(track, Phase.CANARY, self.start_ns, self.end_ns, tuple(self.calls))
        else:
            yield from self._local_steps(track)

    def _local_steps(self, track: str) -> Iterator[Step]:
        first = next((i for i, call in enumerate(self.calls) if call.function == CREATE), len(self.calls))
        own, plugin = tuple(self.calls[:first]), tuple(self.calls[first:])
        if self.kind:
            yield Step(track, Phase.CLONE, self.start_ns, own[-1].end_ns if own else self.ready, own)
        if plugin:
            yield Step(track, Phase.START, plugin[0].start_ns, self.end_ns, plugin)


def _groups(items: Sequence[Span | Said]) -> Iterator[_Group]:
    """Cut one thread's records where a VM begins, and leave out what is not loading."""
    current: _Group | None = None
    for item in items:
        if current is not None and current.ready_ns is None:
            current.ready_ns = _time(item)
        if isinstance(item, Said):
            created = _CREATED.search(item.line.text)
            gone = _GONE.search(item.line.text)
            if current is not None and (created or gone):
                current.thrown_away = bool(gone) and item.time_ns == current.end_ns
                yield current
                current = None
            if created:
                current = _Group(created[1], item.time_ns)
        elif _loads(item):
            current = current or _Group("", item.start_ns, item.start_ns)
            current.calls.append(item)
        elif current is not None:
            yield current
            current = None
    if current is not None:
        yield current


def _time(item: Span | Said) -> int:
    return item.time_ns if isinstance(item, Said) else item.start_ns


def _loads(span: Span) -> bool:
    return span.function in _STARTING or (span.function == CREATE and not span.begins_stream)
