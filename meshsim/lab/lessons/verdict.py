"""What a check says: as text everywhere, as a coloured box where HTML is shown."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from html import escape


class State(Enum):
    """How an answer was found; the value is its mark, told apart by shape."""

    RIGHT = "\N{CHECK MARK}"
    WRONG = "\N{BALLOT X}"
    OPEN = "\N{WHITE CIRCLE}"
    BROKEN = "!"


# Okabe and Ito's colours, which most colour-blind people can tell apart.
_COLOURS = {State.RIGHT: "#009e73", State.WRONG: "#d55e00", State.OPEN: "#56b4e9", State.BROKEN: "#e69f00"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check. It is true when the answer is right.

    Attributes
    ----------
    attempts : int
        Failures so far, this one included.
    hint, solution : str
        Empty as long as they are not offered.
    """

    exercise: str
    state: State
    words: str
    attempts: int = 0
    hint: str = ""
    solution: str = ""

    @property
    def right(self) -> bool:
        """Whether the answer is right."""
        return self.state is State.RIGHT

    def __bool__(self) -> bool:
        return self.right

    def __str__(self) -> str:
        lines = [f"{self.state.value} {self.exercise}  {self.words}"]
        lines += [f"  {name}: {_indented(text)}" for name, text in self._offers()]
        return "\n".join(lines)

    def html(self) -> str:
        """The same for a page; hint and solution open by a click."""
        style = f"border-left:4px solid {_COLOURS[self.state]};padding:.3em .8em;margin:.3em 0"
        more = "".join(
            f'<details><summary style="cursor:pointer">{name}</summary>'
            f'<pre style="margin:.3em 0;white-space:pre-wrap">{escape(text)}</pre></details>'
            for name, text in self._offers()
        )
        head = f"<b>{self.state.value} {escape(self.exercise)}</b> {escape(self.words)}"
        return f'<div role="status" style="{style}">{head}{more}</div>'

    def show(self) -> None:
        """Show it: in a notebook as a page, elsewhere as text."""
        if (display := _display()) is None:
            print(self)
        else:
            display({"text/plain": str(self), "text/html": self.html()}, raw=True)

    def _offers(self) -> list[tuple[str, str]]:
        return [(name, text) for name, text in (("hint", self.hint), ("solution", self.solution)) if text]

    def _ipython_display_(self) -> None:
        """Show nothing more when it is the last value of a cell: the check has shown it."""


def _indented(text: str) -> str:
    return text if "\n" not in text else "\n" + "\n".join(f"    {line}" for line in text.splitlines())


def _display() -> Callable[..., None] | None:
    """IPython's ``display`` when this runs in a shell of IPython."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return None
    from IPython.display import display

    return display
