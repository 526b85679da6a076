"""Colours: Okabe and Ito's, and what is written can be read in both themes."""

from __future__ import annotations

import re

import pytest

from meshsim.widgets._theme import OKABE_ITO, live_css, still_css, tokens

#: What is written on which ground.
_WRITTEN = [
    *((ink, ground) for ink in ("ink", "soft", "good", "bad", "counted", "profile", "measured", "envoy", "accent")
      for ground in ("ground", "raised")),
    *((f"on-{name}", name) for name in OKABE_ITO),
]  # fmt: skip


def _luminance(colour: str) -> float:
    """Relative luminance, by WCAG 2.2."""
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), _WRITTEN)
def test_what_is_written_can_be_read(theme: int, ink: str, ground: str) -> None:
    colours = tokens()[theme]
    assert contrast(colours[ink], colours[ground]) >= 4.5


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_the_eight_colours_are_those_of_okabe_and_ito_with_grey_for_black() -> None:
    assert set(OKABE_ITO.values()) == {
        "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#999999",
    }  # fmt: skip


def test_a_page_gets_colours_inside_widgets_only() -> None:
    selectors = re.findall(r"(?:^|\{ )([^@{}]+?) \{", live_css(), re.MULTILINE)
    assert selectors
    assert all(".meshsim" in selector for selector in selectors)


def test_both_themes_have_every_colour() -> None:
    light, dark = tokens()
    assert light.keys() == dark.keys()
    assert still_css().count("--ink:") == 2
    assert live_css().count("--ink:") == 4  # system light and dark, JupyterLab light and dark
