"""What the notebooks show with: pictures that survive where JavaScript and inline SVG do not, and plain text."""

from __future__ import annotations

import base64
from collections import Counter
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
    from meshsim.envoy.proxy import AbiLine


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

    Parameters
    ----------
    lines : iterable of AbiLine
        What ``envoy.abi_trace()`` gives, or a part of it.
    thread : str, optional
        Only this thread.
    """
    depth: Counter[str] = Counter()
    for line in lines:
        if thread is None or line.thread == thread:
            depth[line.thread] -= line.event.direction.is_return
            print(f"{line.thread:<9} {line.event.direction.value} {'  ' * depth[line.thread]}{_words(line.event)}")
            depth[line.thread] += not line.event.direction.is_return


def _words(event: Crossing) -> str:
    if event.direction.is_return:
        return f"{event.function.rpartition('.')[2]} = {describe.result(event.function, event.values)}"
    return describe.call(event.function, event.values)
