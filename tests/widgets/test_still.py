"""Stills: what a widget is where no JavaScript runs."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

from meshsim.figures.svg import element, picture
from meshsim.widgets._still import Still


def _still(rows: int = 2) -> Still:
    svg = picture(100, 50, "a <title>", "words", element("rect", width=10.0, height=10.0, fill="var(--orange)"))
    return Still("A & B", svg, ("name", "count"), [(f"row {i}", str(i)) for i in range(rows)], ("a note",))


def test_the_picture_is_xml_with_colours_of_its_own() -> None:
    head, _, data = _still().image.partition(",")
    assert head == "data:image/svg+xml;base64"
    root = ElementTree.fromstring(base64.b64decode(data))
    style = root.find("{http://www.w3.org/2000/svg}style")
    assert style is not None
    assert "--orange: #e69f00" in str(style.text)
    assert "prefers-color-scheme: dark" in str(style.text)


def test_html_needs_no_script_and_no_style_sheet() -> None:
    html = _still().html
    assert "<script" not in html
    assert "<style" not in html
    assert 'alt="A &amp; B"' in html
    assert "<td>row 1</td><td>1</td>" in html


def test_a_long_table_is_cut_and_says_so() -> None:
    text = _still(100).text
    assert "row 39" in text
    assert "row 40" not in text
    assert "... and 60 more rows" in text
    assert "... and 60 more rows" in _still(100).html
