"""The dashboard that Binder's badge opens: its notebook in Voila, with the live widget and without code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import pytest

from tests.browser.servers import Notebook

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

_NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "dashboard.ipynb"


def test_the_dashboard_is_live_in_voila(page: Page, show: Callable[..., Notebook | None]) -> None:
    from playwright.sync_api import expect

    cells = nbformat.read(_NOTEBOOK, as_version=4).cells  # type: ignore[no-untyped-call]
    show("voila", *(cell.source for cell in cells if cell.cell_type == "code"))
    lab = page.get_by_test_id("overhead_lab")
    expect(lab).to_be_visible()
    expect(page.get_by_text("import meshsim")).to_have_count(0)
    lab.get_by_label("Workers").focus()
    page.keyboard.press("ArrowRight")
    expect(lab.locator(".subtitle")).to_contain_text("(5 workers + 2)")
    expect(lab.locator(".latency svg")).to_be_visible()
