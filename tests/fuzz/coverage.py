"""What the real Envoy executed, counted from its trace, and the table of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from meshsim.envoy.outcome import Line
from meshsim.reference.lines import Call, by_thread
from tests.fuzz.calls import CALLS, classes_of
from tests.fuzz.cells import EXCLUSIONS, PHASES, UNREACHED, Cell, Class, cells
from tests.fuzz.programs import MARK, Program

#: What a whole run must reach in each cell.
LEAST = 30


@dataclass(slots=True)
class _Frame:
    """A callback that runs: its program, once its mark has been seen, and the next step."""

    program: Program | None = None
    step: int = 0


@dataclass(slots=True)
class _Reader:
    """Follows one thread's trace."""

    programs: Mapping[int, Program]
    counts: Counter[Cell]
    frames: list[_Frame] = field(default_factory=list)

    def read(self, line: str) -> None:
        call = Call.read(line)
        if call is None:
            return
        match call.side:
            case "[host->vm]":
                self.frames.append(_Frame())
            case "[host<-vm]":
                self.frames.pop()
            case "[vm->host]" if self.frames:
                self._called(self.frames[-1], call)

    def _called(self, frame: _Frame, call: Call) -> None:
        arguments = call.arguments or ()
        if call.name == "env.proxy_log" and arguments[0] == str(MARK):
            frame.program, frame.step = self.programs[int(arguments[1])], 0
        elif frame.program is not None and frame.step < len(frame.program.steps):
            step = frame.program.steps[frame.step]
            frame.step += 1
            if step is not None:
                function, class_ = step
                assert function == call.name, f"{call.name} came where the program has {function}"
                self.counts[function, frame.program.phase, class_] += 1


def executed(trace: Iterable[Line], programs: Mapping[int, Program]) -> Counter[Cell]:
    """How often each cell was executed, on all threads."""
    counts: Counter[Cell] = Counter()
    for lines in by_thread(trace).values():
        reader = _Reader(programs, counts)
        for line in lines:
            reader.read(line)
    return counts


def missing(counts: Mapping[Cell, int], least: int = LEAST) -> list[tuple[Cell, int]]:
    """The cells that were executed less often, and how often."""
    return [(cell, counts.get(cell, 0)) for cell in cells(classes_of) if counts.get(cell, 0) < least]


def show(counts: Mapping[Cell, int], console: Console) -> None:
    """Print the table: a row an import, a column a phase, the calls as valid/edge/bad."""
    table = Table(title="Calls that the real Envoy executed: valid/edge/bad", show_lines=False, padding=(0, 0))
    table.add_column("import", no_wrap=True)
    for phase in PHASES:
        table.add_column(phase.replace("_", " "), justify="right", no_wrap=False)
    wanted = set(cells(classes_of))
    for function in CALLS:
        row = [_entry(counts, wanted, function, phase) for phase in PHASES]
        table.add_row(function.removeprefix("env.").removeprefix("proxy_"), *row)
    console.print(table)
    for entry in EXCLUSIONS:
        left_out = sum(
            entry.covers(function, phase, class_)
            for function in CALLS
            for phase in PHASES.values()
            for class_ in classes_of(function)
        )
        console.print(f"left out, {left_out} cells: {entry.why}")
    for where, why in UNREACHED.items():
        console.print(f"left out: {where}: {why}")


def _entry(counts: Mapping[Cell, int], wanted: set[Cell], function: str, phase: str) -> str:
    """The three numbers, ``-`` for a cell that there is not."""
    cells_here = [(function, phase, class_) for class_ in Class]
    if not wanted.intersection(cells_here):
        return "-"
    return "/".join(str(counts.get(cell, 0)) if cell in wanted else "-" for cell in cells_here)
