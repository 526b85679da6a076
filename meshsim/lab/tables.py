"""What a run is shown as, in tables of plain text: the screen, the report and the notebook make theirs from these."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from meshsim.envoy.outcome import ReplayResult, Response
from meshsim.export.chrome import Journey
from meshsim.export.spans import Said, StreamPath
from meshsim.figures.provenance import Origin
from meshsim.lab.observe import Observation
from meshsim.reference.rules import Scope

_SHORT = str.maketrans({"\n": "\N{RETURN SYMBOL}", "\r": ""})


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name, where its numbers come from, and whether they stand right."""

    name: str
    origin: Origin | None = None
    right: bool = False
    code: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table of texts."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def milliseconds(time_ns: int) -> str:
    """Return a time in ms, with the ns that it has down to three places.

    Examples
    --------
    >>> milliseconds(5_792_300)
    '5.792'
    """
    return f"{time_ns / 1e6:,.3f}"


def microseconds(time_ns: int) -> str:
    """Return a time in µs.

    Examples
    --------
    >>> microseconds(20_150)
    '20.15'
    """
    return f"{time_ns / 1e3:,.2f}"


def short_name(function: str) -> str:
    """Return a callback's name without what all of them begin with.

    Examples
    --------
    >>> short_name("proxy_on_vm_start")
    'on_vm_start'
    """
    return function.removeprefix("proxy_")


def loading(seen: Observation) -> Table:
    """Return the steps of loading, thread by thread."""
    return Table(
        "Loading, thread by thread",
        (
            Column("thread"),
            Column("step"),
            Column("from ms", Origin.PROFILE, right=True),
            Column("took ms", Origin.PROFILE, right=True),
            Column("calls into the module"),
        ),
        tuple(
            (
                step.track,
                step.phase.value,
                milliseconds(step.start_ns),
                milliseconds(step.end_ns - step.start_ns),
                ", ".join(short_name(call.function) for call in step.calls),
            )
            for step in seen.loading
        ),
    )


def memory(seen: Observation) -> Table:
    """Return the VMs and what each weighs."""
    return Table(
        "VMs, and what each weighs",
        (
            Column("thread"),
            Column("VM"),
            Column("kind"),
            Column("module, bytes", Origin.COUNTED, right=True),
            Column("linear memory, bytes", Origin.COUNTED, right=True),
            Column("V8 around it, bytes", Origin.PROFILE, right=True),
        ),
        tuple(
            (
                vm.thread,
                vm.vm or "(no id)",
                vm.kind,
                *(f"{size:,}" for size in (vm.code_bytes, vm.linear_bytes, vm.v8_bytes)),
            )
            for vm in seen.memory
        ),
    )


def vm_formula(seen: Observation) -> str:
    """Return Envoy's rule for how many VMs there are, with this run's numbers."""
    keys = sum(vm.kind == "base" for vm in seen.memory)
    threads = seen.concurrency + 2
    created = sum(value for name, value in seen.result.stats.items() if name.endswith(".created"))
    return (
        f"active: {keys} VM key{'s' * (keys != 1)} x ({seen.concurrency} workers + main + base) = {keys * threads}; "
        f"created: {created}, with a canary for each plugin"
    )


@dataclass(frozen=True, slots=True)
class PathLine:
    """One line of a request's way: a callback, a host call in it, or a log line.

    ``kind`` is ``callback``, ``hostcall``, ``allocation`` or ``log``; ``time_ns`` counts from the request's start.
    """

    time_ns: int
    took_ns: int
    depth: int
    kind: str
    text: str
    answer: str = ""

    @property
    def arrow(self) -> str:
        """Which way it goes: into the module, out of it, or nowhere."""
        return _ARROWS[self.kind]


_ARROWS = {
    "callback": "\N{RIGHTWARDS ARROW}",
    "hostcall": "\N{LEFTWARDS ARROW}",
    "allocation": "\N{RIGHTWARDS ARROW}",
    "log": "\N{LEFT DOUBLE QUOTATION MARK}",
}


def path_lines(journey: Journey, paths: Sequence[StreamPath]) -> Iterator[PathLine]:
    """Return a request's way through the module, in order."""
    for callback in sorted((call for path in paths for call in path.callbacks), key=lambda call: call.start_ns):
        for depth, item in callback.walk():
            if isinstance(item, Said):
                yield PathLine(item.time_ns - journey.start_ns, 0, depth, "log", f"{item.line.level}: {item.line.text}")
                continue
            kind = "hostcall" if item.is_host_call else "allocation" if depth else "callback"
            took = item.end_ns - item.start_ns
            answer = "" if item.result == "void" else item.result
            yield PathLine(item.start_ns - journey.start_ns, took, depth, kind, item.brief, answer)


def answers(seen: Observation, real: ReplayResult | None) -> Table:
    """Return the requests and how they were answered."""
    columns = [Column("request"), Column("simulated", Origin.COUNTED)]
    rows = [[journey.title, _answer(journey.response)] for journey in seen.journeys]
    if real is not None:
        columns.append(Column("real Envoy", Origin.ENVOY))
        for row, response in zip(rows, real.responses, strict=False):
            row.append(_answer(response))
    columns.append(Column("x-seen-wasm", Origin.COUNTED))
    for row, journey in zip(rows, seen.journeys, strict=True):
        row.append(dict(journey.response.headers).get("x-seen-wasm", ""))
    return Table("Requests", tuple(columns), tuple(map(tuple, rows)))


def _answer(response: Response) -> str:
    if response.error:
        return response.error
    return f"{response.status} {response.body.translate(_SHORT)}".strip()


def counters(seen: Observation, real: ReplayResult | None, scope: Scope) -> Table:
    """Return the counters that a comparison looks at, of one or both engines."""
    ours = scope.selected(seen.result.stats)
    theirs = scope.selected(real.stats) if real is not None else {}
    names = sorted(name for name in ours.keys() | theirs.keys() if ours.get(name) or theirs.get(name))
    columns = [Column("counter", code=True), Column("simulated", Origin.COUNTED, right=True)]
    rows = [[name, str(ours.get(name, 0))] for name in names]
    if real is not None:
        columns.append(Column("real Envoy", Origin.ENVOY, right=True))
        rows = [[*row, str(theirs.get(row[0], 0))] for row in rows]
    return Table("Counters", tuple(columns), tuple(map(tuple, rows)))
