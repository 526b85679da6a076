"""Text and marks can be read on their ground, in light and in dark (WCAG 2.1: 4.5 for text, 3 for shapes)."""

from __future__ import annotations

import re

import pytest

from meshsim.figures.svg import stylesheet

SHAPES = ("isolate", "compile", "base", "canary", "clone", "start", "request", "stream", "hostcall", "callback")
TEXTS = ("ink", "soft", "accent", "counted", "profile", "measured", "envoy", "good", "bad", "hostcall", "callback")
THEMES = dict(zip(("light", "dark"), stylesheet().split("@media"), strict=True))


def colours(theme: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", THEMES[theme]))


def luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((luminance(one), luminance(other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("ground", ["ground", "raised"])
@pytest.mark.parametrize("name", TEXTS)
def test_text_on_its_ground(theme: str, ground: str, name: str) -> None:
    palette = colours(theme)
    assert contrast(palette[name], palette[ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", SHAPES)
def test_bars_on_their_ground_and_words_on_bars(theme: str, name: str) -> None:
    palette = colours(theme)
    assert contrast(palette[name], palette["raised"]) >= 3
    if name in ("isolate", "compile", "base", "canary", "clone", "start", "request", "stream"):
        assert contrast(palette["on-bar"], palette[name]) >= 3.5
