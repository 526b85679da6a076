"""What all matplotlib figures have in common: two themes, colours that everybody can tell apart, files that repeat.

matplotlib is loaded by the first figure and not by an import. Figures are made without pyplot, so that nothing is
global: two notebooks in one process do not disturb each other.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from meshsim.errors import MeshsimError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ThemeName = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a figure. ``series`` are told apart with every kind of colour vision, in this order."""

    ground: str
    ink: str
    soft: str
    line: str
    good: str
    bad: str
    series: tuple[str, ...]


#: The first four series are after M. Okabe and K. Ito, "Color Universal Design" (2008), the others are those furthest
#: from them; a test looks at all of them as people with other colour visions do.
THEMES: dict[str, Theme] = {
    "light": Theme(
        "#ffffff", "#1b2430", "#56616f", "#d5dbe3", "#0072b2", "#b3261e",
        ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#1b1024", "#582307", "#8216e7"),
    ),
    "dark": Theme(
        "#12171e", "#e4e9ef", "#a0abb8", "#37424f", "#56b4e9", "#ff8a80",
        ("#56b4e9", "#e69f00", "#2fc49a", "#e59fc4", "#7631f3", "#c63138", "#f5f999"),
    ),
}  # fmt: skip

#: Shapes and strokes go with the colours, for those who print in grey.
MARKERS = ("o", "D", "s", "^", "v", "P", "X")
STROKES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)), (0, (3, 1, 1, 1)))

_DPI = 110


@dataclass(frozen=True)
class Picture:
    """A figure, with words for those who do not see it; a notebook shows it by itself.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        To change, if one likes.
    description : str
        What there is to see.
    """

    figure: Figure
    description: str

    def save(self, path: str | Path) -> None:
        """Write it to a file: ``.png``, ``.svg`` or ``.pdf``. The same figure gives the same bytes.

        Raises
        ------
        MeshsimError
            The file cannot be written, or its ending names no format.
        """
        try:
            Path(path).write_bytes(self.render(Path(path).suffix.lstrip(".")))
        except (OSError, ValueError) as error:
            raise MeshsimError(
                f"cannot write: {error}", str(path), "name a .png or .svg in a folder of yours"
            ) from error

    def render(self, kind: str = "png") -> bytes:
        """Return the bytes of a file of some format."""
        import matplotlib as mpl

        out = io.BytesIO()
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
        with mpl.rc_context({"svg.hashsalt": "meshsim"}):
            self.figure.savefig(out, format=kind, dpi=_DPI, metadata=dates.get(kind))
        return out.getvalue()

    def _repr_html_(self) -> str:
        data = base64.b64encode(self.render()).decode()
        return f'<img alt="{escape(self.description)}" src="data:image/png;base64,{data}" style="max-width:100%">'

    def _repr_png_(self) -> bytes:
        return self.render()


def theme_of(name: str) -> Theme:
    """Return a theme.

    Raises
    ------
    MeshsimError
        There is none of that name.
    """
    if name not in THEMES:
        raise MeshsimError(f"no theme {name!r}", remedy=f"there are: {', '.join(THEMES)}")
    return THEMES[name]


def axes(
    theme: Theme, title: str, *, width: float = 8.0, height: float = 4.2, panels: int = 1, share: bool = True
) -> tuple[Figure, Sequence[Axes]]:
    """Return an empty figure with panels beneath each other, in the colours of a theme; sizes in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor=theme.ground, layout="constrained")
    FigureCanvasAgg(figure)
    made: Any = figure.subplots(panels, 1, sharex=share, squeeze=False)
    for each in made[:, 0]:
        dress(each, theme)
    figure.suptitle(title, x=0.01, ha="left", color=theme.ink, fontsize=12, fontweight="bold")
    return figure, list(made[:, 0])


def dress(panel: Axes, theme: Theme) -> None:
    """Give a panel the theme's colours: a quiet grid, no box."""
    panel.set_facecolor(theme.ground)
    panel.grid(color=theme.line, linewidth=0.7)
    panel.set_axisbelow(True)
    panel.tick_params(colors=theme.soft, labelcolor=theme.ink, length=0, which="both")
    for edge in panel.spines.values():
        edge.set_visible(False)
    panel.xaxis.label.set_color(theme.soft)
    panel.yaxis.label.set_color(theme.soft)


def legend(panel: Axes, theme: Theme, **options: Any) -> None:
    """Draw a legend without a box."""
    panel.legend(frameon=False, labelcolor=theme.ink, fontsize=9, **options)


def milliseconds(ns: float) -> str:
    """Write a time for a label.

    Examples
    --------
    >>> milliseconds(1_234_000), milliseconds(45_600_000), milliseconds(56_000)
    ('1.23 ms', '45.6 ms', '0.056 ms')
    """
    return f"{ns / 1e6:.3g} ms"
