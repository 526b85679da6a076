"""What the notebooks show with: pictures that survive where JavaScript and inline SVG do not, and plain text."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from meshsim.abi import describe
from meshsim.abi.events import Crossing
from meshsim.figures.svg import standalone, text_of
from meshsim.lab.observe import Observation
from meshsim.lab.pictures import loading_figure, requests_figure, sequence_figure
from meshsim.lab.tables import path_lines

if TYPE_CHECKING:
    from meshsim.envoy.records import AbiLine


#: Characters of a printed line: what JupyterLab shows beside its file browser on a projector of 1280 pixels.
WIDTH = 100


@dataclass(frozen=True, slots=True)
class Picture:
    """An SVG picture that a notebook shows as an ``<img>``: that also works where a notebook is not trusted."""

    svg: str = field(repr=False)
    words: str

    def _repr_html_(self) -> str:
        data = base64.b64encode(standalone(self.svg).encode()).decode("ascii")
        style = "width:100%;max-width:960px"
        return f'<img alt="{text_of(self.words)}" style="{style}" src="data:image/svg+xml;base64,{data}">'


def show_loading(seen: Observation) -> Picture:
    """Show how the plugins were loaded, thread by thread."""
    return Picture(loading_figure(seen), "Loading, thread by thread")


def show_requests(seen: Observation) -> Picture:
    """Show the requests and their stream contexts in time."""
    return Picture(requests_figure(seen), "Requests and their stream contexts")


def show_sequence(seen: Observation, number: int = 0) -> Picture:
    """Show one request, call by call; ``number`` counts from 0."""
    return Picture(sequence_figure(seen, number), f"Request {number + 1}, call by call")


def show_path(seen: Observation, number: int = 0) -> None:
    """Print one request, call by call, in words; ``number`` counts from 0."""
    for line in path_lines(seen.journeys[number], seen.paths[number]):
        answer = f" = {line.answer}" if line.answer else ""
        print(f"{'    ' * line.depth}{line.arrow} {line.text}{answer}")


def show_trace(lines: Iterable[AbiLine], thread: str | None = None) -> None:
    """Print an ABI trace in words, what happens inside a call set in.

    Where several threads or several plugins are in it, each line begins with them; one thread alone is named once.

    Parameters
    ----------
    lines : iterable of AbiLine
        What ``envoy.abi_trace()`` gives, or a part of it.
    thread : str, optional
        Only this thread.
    """
    shown = [line for line in lines if thread is None or line.thread == thread]
    threads, plugins = {line.thread for line in shown}, {line.event.plugin for line in shown} - {""}
    if len(threads) == 1:
        print(f"{shown[0].thread}:")
    calling: dict[str, list[str]] = {name: [] for name in threads}  # thread -> the plugins of the calls that are open
    for line in shown:
        inside = calling[line.thread]
        plugin = line.event.plugin or (inside[-1] if inside else "")
        if line.event.direction.is_return and inside:
            plugin = inside.pop()
        columns = (*[f"{line.thread:<9}"] * (len(threads) > 1), *[f"{plugin:<9}"] * (len(plugins) > 1))
        head = " ".join((*columns, line.event.direction.value))
        print(_hung(f"{head} {'  ' * len(inside)}", _words(line.event)))
        if not line.event.direction.is_return:
            inside.append(plugin)


def _hung(head: str, text: str) -> str:
    """Return a line that is broken between arguments where it is too wide, the rest set in."""
    made, line = [], head
    for piece in re.split(r"(?<=, )(?=\w+=)", text):
        if len(line) + len(piece.rstrip()) > WIDTH and line.strip() and line != head:
            made.append(line.rstrip())
            line = f"{' ' * len(head)}    "
        line += piece
    return "\n".join([*made, line])


def _words(event: Crossing) -> str:
    if event.direction.is_return:
        return f"{event.function.rpartition('.')[2]} = {describe.result(event.function, event.values)}"
    return describe.call(event.function, event.values)
