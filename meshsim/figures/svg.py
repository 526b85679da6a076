"""The little SVG that figures need: elements from names and attributes, text that is escaped, one style sheet.

Colours are CSS variables, so that a page can set light and dark. A figure that stands alone brings its own
(:func:`standalone`).
"""

from __future__ import annotations

from functools import cache
from html import escape
from importlib.resources import files

#: Width of an average character, in parts of the font's size, of the two fonts in figures.
SANS_WIDTH, MONO_WIDTH = 0.55, 0.602

#: Control characters (but tab and line feed) may not stand in XML, not even escaped.
_CONTROLS = dict.fromkeys([*range(9), *range(11, 32), 127, *range(55296, 57344)], "�")


def text_of(value: str) -> str:
    r"""Return text as it may stand in XML and HTML: escaped, without what no document may hold.

    Examples
    --------
    >>> text_of("<a>\x1b")
    '&lt;a&gt;\ufffd'
    """
    return escape(value.translate(_CONTROLS))


def element(name: str, /, *children: str, text: str | None = None, **attributes: str | float) -> str:
    """Return an element; ``_`` in attributes stands for ``-``, a trailing one is dropped (``class_``).

    Examples
    --------
    >>> element("rect", x=1.5, width=20.0, class_="bar")
    '<rect x="1.5" width="20" class="bar"/>'
    >>> element("text", text="a < b", text_anchor="end")
    '<text text-anchor="end">a &lt; b</text>'
    """
    inside = "".join(children) + (text_of(text) if text is not None else "")
    words = "".join(f' {key.rstrip("_").replace("_", "-")}="{_attribute(value)}"' for key, value in attributes.items())
    return f"<{name}{words}>{inside}</{name}>" if inside else f"<{name}{words}/>"


def _attribute(value: str | float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else text_of(str(value))


def picture(width: float, height: float, title: str, description: str, *children: str) -> str:
    """Return a whole SVG picture; title and description are for those who do not see it."""
    return element(
        "svg",
        element("title", text=title),
        element("desc", text=description),
        *children,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        class_="figure",
    )


@cache
def stylesheet() -> str:
    """Return the style sheet of all figures, with the colours of both themes."""
    return (files("meshsim.figures") / "assets" / "figures.css").read_text(encoding="utf-8")


def standalone(svg: str) -> str:
    """Return a picture that brings its style and its ground, for a file or an ``<img>``."""
    head, end, rest = svg.partition(">")
    ground = element("rect", width="100%", height="100%", fill="var(--ground)")
    return f"{head}{end}<style>{stylesheet()}</style>{ground}{rest}"
