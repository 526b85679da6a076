"""One smoke test each for Notebook 7 and Voila: the live widget is there, and the kernel hears of a touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from tests.browser.servers import Notebook
from tests.browser.widgets import WIDGETS, Row

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

#: Shows what the kernel has beside the widget: Voila has no cells to ask in.
_MIRROR = """
import html, ipywidgets
from IPython.display import display
seen = ipywidgets.HTML()
w.observe(lambda _: setattr(seen, "value", f"<i data-testid=seen>{{html.escape(str({asked}))}}</i>"))
display(w, seen)
"""


@pytest.mark.parametrize("row", WIDGETS, ids=lambda row: row.name)
@pytest.mark.parametrize("kind", ["notebook", "voila"])
def test_a_touch_reaches_the_kernel(kind: str, row: Row, page: Page, show: Callable[..., Notebook | None]) -> None:
    from playwright.sync_api import expect

    touch = row.touches[0]
    notebook = show(kind, row.code + _MIRROR.format(asked=touch.asked))
    if notebook is not None:
        notebook.run(0)
    widget = page.get_by_test_id(row.test_id)
    expect(widget).to_be_visible()
    touch.hand(widget)
    expect(page.get_by_test_id("seen")).to_have_text(touch.answer)
