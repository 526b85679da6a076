"""The still of a widget: a picture and a table, for where no JavaScript runs (GitHub, nbviewer, paper, a terminal)."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from meshsim.figures.svg import standalone, text_of
from meshsim.widgets._theme import still_css

#: Rows of a table that are shown; the rest is counted.
_ROWS = 40


@dataclass(frozen=True, slots=True)
class Still:
    """What a widget shows, without the widget.

    Attributes
    ----------
    title : str
        What it is; also the picture's alternative text.
    svg : str
        A picture, as :mod:`meshsim.figures` makes it; its colours may be any name of :mod:`meshsim.widgets._theme`.
    columns, rows : sequences
        The same as a table, in words.
    notes : sequence of str
        Lines beneath: a formula, and where the numbers come from.
    """

    title: str
    svg: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    @property
    def image(self) -> str:
        """The picture as a data URI: an ``<img>`` also shows where a notebook is not trusted."""
        svg = standalone(self.svg).replace("</style>", f"{still_css()}</style>", 1)
        return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode('ascii')}"

    @property
    def html(self) -> str:
        """Picture, table and notes, without a style that a sanitizer would take away."""
        head = "".join(f"<th>{text_of(name)}</th>" for name in self.columns)
        body = "".join(f"<tr>{''.join(f'<td>{text_of(cell)}</td>' for cell in row)}</tr>" for row in self._shown)
        return (
            f'<div><img alt="{text_of(self.title)}" style="width:100%;max-width:960px" src="{self.image}">'
            f"<table><caption>{text_of(self.title)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"{''.join(f'<p>{text_of(note)}</p>' for note in (*self._more, *self.notes))}</div>"
        )

    @property
    def text(self) -> str:
        """Table and notes as plain text.

        Examples
        --------
        >>> print(Still("VMs", "", ("kind", "count"), (("base", "1"), ("clones", "3")), ("counted",)).text)
        VMs
        kind    count
        base    1
        clones  3
        counted
        """
        table = [self.columns, *self._shown]
        widths = [max(len(row[i]) for row in table) for i in range(len(self.columns))]
        lines = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)) for row in table]
        return "\n".join(line.rstrip() for line in (self.title, *lines, *self._more, *self.notes))

    @property
    def bundle(self) -> dict[str, str]:
        """What it is to Jupyter, by MIME type."""
        return {"text/html": self.html, "text/plain": self.text}

    @property
    def _shown(self) -> Sequence[Sequence[str]]:
        return self.rows[:_ROWS]

    @property
    def _more(self) -> tuple[str, ...]:
        more = len(self.rows) - _ROWS
        return (f"... and {more} more rows",) if more > 0 else ()
