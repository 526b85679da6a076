"""In JupyterLab each widget is opened and touched, and the kernel has what the hand did."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.servers import Notebook
from tests.browser.widgets import WIDGETS, Row

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("row", WIDGETS, ids=lambda row: row.name)
def test_what_a_hand_does_is_seen_in_the_kernel(row: Row, page: Page, show: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    notebook = show("lab", f"{row.code}\nw", *(f"print({touch.asked})" for touch in row.touches))
    notebook.run(0)
    widget = page.get_by_test_id(row.test_id)  # only the live widget has this; the still has not
    expect(widget).to_be_visible()
    for number, touch in enumerate(row.touches, 1):
        touch.hand(widget)
        assert notebook.until(number, touch.answer) == touch.answer, touch.what
        if touch.seen:
            expect(widget.get_by_test_id(touch.seen[0]), touch.what).to_have_text(touch.seen[1])


@pytest.mark.parametrize("row", WIDGETS, ids=lambda row: row.name)
def test_it_follows_the_theme_and_the_kernel(row: Row, page: Page, show: Callable[..., Notebook]) -> None:
    from playwright.sync_api import expect

    words = {"name": "envoy", "mark": "\N{BLACK UP-POINTING TRIANGLE}", "words": "set from Python"}
    notebook = show("lab", f"{row.code}\nw", f"w.view = {{**w.view, 'origins': [{words!r}]}}")
    notebook.run(0)
    widget = page.get_by_test_id(row.test_id)
    grounds = []
    splash = page.locator("#jupyterlab-splash")  # JupyterLab fails when a second one ends while the first fades
    for theme, light in (("JupyterLab Light", "true"), ("JupyterLab Dark", "false")):
        expect(splash).to_have_count(0)
        notebook.command("apputils:change-theme", theme=theme)
        expect(page.locator("body")).to_have_attribute("data-jp-theme-light", light)
        grounds.append(widget.evaluate("element => getComputedStyle(element).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(18, 23, 30)"]
    notebook.run(1)
    expect(widget.locator(".origins")).to_contain_text("set from Python")
