"""What ``meshsim demo`` prints: the tables of a showing, for any terminal of 100 columns."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from meshsim.cli.console import console, printable
from meshsim.export.loading import Phase
from meshsim.figures.provenance import Origin
from meshsim.lab import tables

if TYPE_CHECKING:
    from meshsim.lab.showing import Showing

#: Columns that are used: more are hard to read, and not every terminal has them.
WIDTH = 100
#: Below this, the loading timeline does without the names of the calls.
_NARROW = 96
_BAR = 26
_BAR_STYLES = {
    Phase.ISOLATE: "white",
    Phase.COMPILE: "red",
    Phase.BASE: "magenta",
    Phase.CANARY: "yellow",
    Phase.CLONE: "cyan",
    Phase.START: "green",
}
_PATH_STYLES = {"callback": "bold blue", "hostcall": "red", "allocation": "blue", "log": "dim italic"}
#: What stands for characters that a terminal without Unicode cannot show.
_ASCII = {
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{LEFTWARDS ARROW}": "<-",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{FULL BLOCK}": "#",
    "\N{RETURN SYMBOL}": "",
    "µ": "u",
}


def show_all(showing: Showing, files: Sequence[tuple[str, str]], notes: Sequence[str]) -> None:
    """Print everything, section by section.

    Parameters
    ----------
    files : sequence of (path, what it is)
        What was written.
    notes : sequence of str
        What a person should know about it.
    """
    screen = Screen()
    screen.head(showing)
    screen.loading(showing)
    screen.table(tables.memory(showing.seen))
    screen.line(f"  {tables.vm_formula(showing.seen)}", "dim")
    screen.path(showing, 0)
    screen.table(tables.answers(showing.seen, showing.real_result))
    screen.table(tables.counters(showing.seen, showing.real_result, showing.scope))
    screen.verdict(showing)
    scenario = showing.scenario
    screen.files(files, notes, f"meshsim replay {scenario.bootstrap} {scenario.requests} --on both --concurrency 4")


class Screen:
    """Standard output, as wide as it is but not wider than :data:`WIDTH`, with what characters it has."""

    def __init__(self) -> None:
        self._console: Console = console()
        self._console.width = min(self._console.width, WIDTH)
        encoding = (getattr(sys.stdout, "encoding", None) or "ascii").lower()
        self._ascii = not encoding.startswith("utf")

    # -- sections ------------------------------------------------------------------------------------------------------

    def head(self, showing: Showing) -> None:
        """Say what ran, and what the marks mean."""
        seen = showing.seen
        self.line("A Wasm filter in Envoy, from load to reply", "bold")
        self.line(
            f"One Envoy with {seen.concurrency} workers, one real Proxy-Wasm module, {len(seen.journeys)} requests. "
            "Where a number comes from:"
        )
        for origin, words in showing.origins:
            self._console.print(Text("  ").append(f"{self._mark(origin):<3}", origin.colour).append(words))

    def loading(self, showing: Showing) -> None:
        """Print the loading timeline: a row a step, with its bar."""
        made = self._new("Loading, thread by thread")
        steps = showing.seen.loading
        start_ns, end_ns = min(step.start_ns for step in steps), max(step.end_ns for step in steps)
        shown = tables.loading(showing.seen)
        for column in shown.columns[:-1]:
            self._column(made, column)
        made.add_column(f"0 to {tables.milliseconds(end_ns - start_ns)} ms", header_style="dim", no_wrap=True)
        wide = self._console.width >= _NARROW
        if wide:
            self._column(made, shown.columns[-1])
        thread = ""
        for step, (name, *cells, calls) in zip(steps, shown.rows, strict=True):
            bar = self._bar(step.start_ns - start_ns, step.end_ns - start_ns, end_ns - start_ns)
            made.add_row(
                Text(name if name != thread else "", "bold"),
                *map(self._plain, cells),
                Text(bar, _BAR_STYLES[step.phase]),
                *([self._plain(calls)] if wide else []),
            )
            thread = name
        self._console.print(made)

    def path(self, showing: Showing, number: int) -> None:
        """Print one request, callback by callback with the host calls inside."""
        seen = showing.seen
        journey, paths = seen.journeys[number], seen.paths[number]
        where = ", ".join(f"{path.track}, stream context {path.context}" for path in paths)
        made = self._new(f"Request {number + 1}, call by call: {journey.title} on {where}")
        self._column(made, tables.Column("µs", Origin.PROFILE, right=True))
        self._column(made, tables.Column("call"))
        self._column(made, tables.Column("answer"))
        for line in tables.path_lines(journey, paths):
            call = Text("   " * line.depth).append(self._plain(f"{line.arrow} {line.text}"), _PATH_STYLES[line.kind])
            time = tables.microseconds(line.time_ns) if line.kind != "log" else ""
            made.add_row(time, call, self._plain(line.answer))
        self._console.print(made)

    def table(self, shown: tables.Table) -> None:
        """Print a table."""
        made = self._new(shown.title)
        for column in shown.columns:
            self._column(made, column)
        for row in shown.rows:
            made.add_row(*(Text(self._plain(cell)) for cell in row))
        self._console.print(made)

    def verdict(self, showing: Showing) -> None:
        """Print how the simulation compares with the real Envoy."""
        self.line()
        style = "dim" if showing.real is None else "bold green" if showing.identical else "bold red"
        self.line(showing.verdict[0].upper() + showing.verdict[1:], style)
        for line in showing.comparison_text.splitlines()[0 if showing.real is None else 1 :]:
            self.line(f"  {line}", "dim" if showing.identical else "")
        self._console.print(
            Text(f"{showing.durations[0].upper()}{showing.durations[1:]} ").append(*self._marked(Origin.MEASURED))
        )

    def files(self, files: Iterable[tuple[str, str]], notes: Iterable[str], command: str) -> None:
        """Print what was written, and what to type next."""
        self.line()
        for path, what in files:
            self._console.print(Text(path, "bold").append(f"  {what}", "dim"), soft_wrap=True)
        for note in notes:
            self.line(f"note: {note}", "yellow")
        self.line()
        self._console.print(Text("Next: ", "dim").append(command), soft_wrap=True)

    # -- pieces --------------------------------------------------------------------------------------------------------

    def line(self, text: str = "", style: str = "") -> None:
        """Print a line."""
        self._console.print(Text(self._plain(text), style))

    def _new(self, title: str) -> Table:
        self.line()
        self.line(title, "bold")
        return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))

    def _column(self, made: Table, column: tables.Column) -> None:
        header = Text(self._plain(column.name), "dim")
        if column.origin is not None:
            header.append(" ").append(*self._marked(column.origin))
        made.add_column(header, justify="right" if column.right else "left", overflow="fold")

    def _mark(self, origin: Origin) -> str:
        return origin.ascii_mark if self._ascii else origin.mark

    def _marked(self, origin: Origin) -> tuple[str, str]:
        return self._mark(origin), origin.colour

    def _bar(self, start: int, end: int, whole: int) -> str:
        """A bar on a line of :data:`_BAR` characters; never without a character."""
        first = min(_BAR - 1, start * _BAR // max(1, whole))
        length = max(1, -(-end * _BAR // max(1, whole)) - first)
        return self._plain(" " * first + "\N{FULL BLOCK}" * min(length, _BAR - first))

    def _plain(self, text: str) -> str:
        """Make text safe for this terminal."""
        if self._ascii:
            for character, stand_in in _ASCII.items():
                text = text.replace(character, stand_in)
        return printable(text)
