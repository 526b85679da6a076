"""Colours of widgets: one table for the browser and for still pictures, light and dark.

What means something has a colour of Okabe and Ito's palette ("Color Universal Design", 2008), which those who do not
tell red from green can tell apart, and a shape or a word beside it. Grounds, inks and the colours of origins are those
of the figures.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from meshsim.figures.svg import stylesheet

#: Fills, the same in both themes: each is seen on white and on near black.
OKABE_ITO: Mapping[str, str] = {
    "orange": "#e69f00",
    "sky": "#56b4e9",
    "green": "#009e73",
    "yellow": "#f0e442",
    "blue": "#0072b2",
    "vermillion": "#d55e00",
    "purple": "#cc79a7",
    "grey": "#999999",
}
_DARK_TEXT, _LIGHT_TEXT = "#0b0f14", "#ffffff"
#: What is written on a fill: the one of black and white that is read more easily.
ON_FILL: Mapping[str, str] = {f"on-{name}": _LIGHT_TEXT if name == "blue" else _DARK_TEXT for name in OKABE_ITO}
_ROOT = re.compile(r":root\s*\{([^}]*)\}")
_VARIABLE = re.compile(r"--([\w-]+):\s*(#\w+)")


@cache
def tokens() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Return the colours by name, of the light and of the dark theme.

    Examples
    --------
    >>> light, dark = tokens()
    >>> light["ground"], light["orange"] == dark["orange"]
    ('#ffffff', True)
    """
    light, dark = (dict(_VARIABLE.findall(block)) for block in _ROOT.findall(stylesheet())[:2])
    fills = {**OKABE_ITO, **ON_FILL, "on-bar": _DARK_TEXT}  # figures write on any fill with one ink
    return {**light, **fills}, {**light, **dark, **fills}


@cache
def live_css() -> str:
    """Return the colours for a widget in a page: JupyterLab's theme decides where there is one, else the system."""
    light, dark = tokens()
    return "\n".join(
        (
            _rule(".meshsim", light, "light"),
            f"@media (prefers-color-scheme: dark) {{ {_rule('.meshsim', dark, 'dark')} }}",
            _rule('[data-jp-theme-light="true"] .meshsim', light, "light"),
            _rule('[data-jp-theme-light="false"] .meshsim', dark, "dark"),
        )
    )


@cache
def still_css() -> str:
    """Return the colours for a picture that stands alone: the system decides."""
    light, dark = tokens()
    in_the_dark = f"@media (prefers-color-scheme: dark) {{ {_rule(':root', dark, 'dark')} }}"
    return f"{_rule(':root', light, 'light dark')}\n{in_the_dark}"


def _rule(selector: str, colours: Mapping[str, str], scheme: str) -> str:
    body = " ".join(f"--{name}: {value};" for name, value in colours.items())
    return f"{selector} {{ color-scheme: {scheme}; {body} }}"
