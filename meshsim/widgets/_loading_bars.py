"""Bars of the loading timeline: the steps of each thread, in the order of time, with columns and counters.

Times are virtual. What the cost profile has one number for is one time: linking, instantiating and looking up callbacks
are inside the time of the isolate, so that they stand in their order and have no time of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from meshsim.export.loading import Phase
from meshsim.widgets._loading_run import Loaded, Part

MAIN = "main"
V8_THREADS = "V8 threads"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of bar: its words, its fill (of :mod:`meshsim.widgets._theme`), its shape, and what happens in it."""

    label: str
    fill: str
    shape: str
    meaning: str


KINDS: Mapping[str, Kind] = {
    "isolate": Kind("isolate", "grey", "□", "V8 starts (once a process) and makes an isolate: an empty VM."),
    "compile": Kind(
        "compile", "orange", "▦", "V8 parses the module and compiles it to machine code, shared by clones."
    ),
    "abi": Kind("ABI", "purple", "◆", "Envoy links each import of the module to one of its host functions."),
    "instance": Kind("instance", "purple", "◇", "Memory, globals and tables are made; data segments are copied in."),
    "callbacks": Kind("look-up", "purple", "◈", "Envoy looks up each callback that the module may export."),
    "init": Kind("init", "purple", "●", "The module's own start runs. This is the base VM: no plugin is in it."),
    "canary": Kind("canary", "yellow", "▲", "The plugin is tried in a clone, which is then thrown away."),
    "clone": Kind("clone", "sky", "■", "This thread's own instance of the compiled module."),
    "start": Kind("start", "green", "▶", "The plugin's root context is made, started and configured."),
    "background": Kind("compile", "orange", "▦", "V8 compiles on threads of its own too, while the main thread waits."),
}
_OF_PHASE = {
    Phase.ISOLATE: "isolate",
    Phase.COMPILE: "compile",
    Phase.CANARY: "canary",
    Phase.CLONE: "clone",
    Phase.START: "start",
}
#: Kinds with which a VM begins.
_BEGINS = frozenset({"isolate", "canary", "clone"})
#: Kinds that have no time of their own.
TIMELESS = frozenset({"abi", "instance", "callbacks"})


@dataclass(slots=True)
class Bar:
    """One bar: a step, or a part of one; ``column`` is its place when each step is one column wide."""

    kind: str
    track: str
    start_ns: int
    end_ns: int
    part: Part
    bad: bool = False
    column: int = 0
    counts: tuple[int, int, int] = (0, 0, 0)


def bars_of(loaded: Loaded) -> list[Bar]:
    """Return all bars, in the order of time, with their columns and counters."""
    bars = [bar for part in loaded.parts for bar in _bars(part, loaded)]
    if loaded.refused and bars:
        _mark_the_bad(bars, loaded)
    _columns(bars)
    _count(bars)
    if loaded.refused and bars:
        bars[-1].counts = (0, *bars[-1].counts[1:])  # Envoy ends, and its VMs with it
    return [bar for own in bars for bar in _with_background(own)]


def _bars(part: Part, loaded: Loaded) -> Iterator[Bar]:
    step = part.step
    if step.phase is not Phase.BASE:
        yield Bar(_OF_PHASE[step.phase], step.track, step.start_ns, step.end_ns, part)
        return
    vm = loaded.vms[part.vm]
    bare = replace(part, step=replace(step, calls=()))
    yield Bar("abi", step.track, step.start_ns, step.start_ns, bare)
    if not vm.facts or any(link.problem for link in vm.links):
        return
    yield Bar("instance", step.track, step.start_ns, step.start_ns, bare)
    yield Bar("callbacks", step.track, step.start_ns, step.start_ns, bare)
    yield Bar("init", step.track, step.start_ns, step.end_ns, part)


def _mark_the_bad(bars: Sequence[Bar], loaded: Loaded) -> None:
    """Mark where it went wrong: at the look-up of a callback when one is of a wrong type, else at the last step."""
    vm = bars[-1].part.vm
    mistyped = any(look_up.state == "wrong" for look_up in loaded.vms[vm].look_ups)
    wrong = [bar for bar in bars if bar.kind == "callbacks" and bar.part.vm == vm] if mistyped else []
    (wrong or bars)[-1].bad = True


def _columns(bars: Sequence[Bar]) -> None:
    """Give each bar the first column behind all that ended before it began, and behind its thread's last."""
    ended = sorted(range(len(bars)), key=lambda i: (bars[i].end_ns, i))
    done = column = 0
    last: dict[str, int] = {}
    for i, bar in enumerate(bars):
        while done < len(bars) and bars[ended[done]].end_ns <= bar.start_ns and ended[done] < i:
            column = max(column, bars[ended[done]].column + 1)
            done += 1
        bar.column = max(column, last.get(bar.track, -1) + 1)
        last[bar.track] = bar.column


def _count(bars: Sequence[Bar]) -> None:
    """Say of each bar how many VMs are active, how many were created, and how many root contexts were made."""
    active = created = roots = 0
    for bar in bars:
        begins = bar.kind in _BEGINS
        active, created, roots = active + begins, created + begins, roots + bar.part.roots
        bar.counts = (active, created, roots)
        active -= bar.kind == "canary"


def _with_background(bar: Bar) -> Iterator[Bar]:
    yield bar
    if bar.kind == "compile":
        yield replace(bar, kind="background", track=V8_THREADS)
